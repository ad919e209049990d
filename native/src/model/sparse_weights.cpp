// SPDX-License-Identifier: Apache-2.0
#include "model/sparse_weights.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <limits>

#include "core/profile.hpp"
#include "ops/backend.hpp"

namespace filigree {

Crossover crossover_on_device(Precision precision) {
    constexpr double kTensorCores = 1.0 / 100;
    constexpr double kFp32 = 1.0 / 32;
    return {precision == Precision::kBf16 ? kTensorCores : kFp32, kFp32};
}

namespace {

/// Longest line of a matrix that can be multiplied by its nonzeros.
std::int64_t longest_line(at::Device device) {
    return ops::backend_of(device, Plan::kFast) == ops::Backend::kCuda ? ops::longest_sparse_line(device)
                                                                       : std::numeric_limits<std::int64_t>::max();
}

}  // namespace

SparseWeights::SparseWeights(const ParameterTable& table) {
    for (const auto& parameter : table.parameters()) {
        if (parameter.family == Family::kMatrix || parameter.family == Family::kUnembedding) {
            forms_.push_back({parameter, std::make_shared<ops::SparseMatrix>()});
        }
    }
}

SparseWeights::SparseWeights(const std::vector<at::Tensor>& matrices, const Crossover& crossover)
    : crossover_(crossover) {
    const PartTimer timer(Part::kSparseForms);
    forms_.resize(matrices.size());
    if (matrices.empty()) {
        return;
    }
    const auto device = matrices.front().device();
    const auto longest = longest_line(device);
    const auto assign_some = [&](std::int64_t begin, std::int64_t end) {
        for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
            forms_[i].matrix = std::make_shared<ops::SparseMatrix>();
            assign(forms_[i], matrices[i], longest);
        }
    };
    const auto count = static_cast<std::int64_t>(forms_.size());
    if (ops::backend_of(device, Plan::kFast) == ops::Backend::kCuda) {
        assign_some(0, count);  // the device does one after the other, and its library is called by one thread
    } else {
        at::parallel_for(0, count, 1, assign_some);
    }
}

std::int64_t SparseWeights::most_of(const Form& form, const at::Tensor& weight, std::int64_t longest) const {
    if (std::max(weight.size(0), weight.size(1)) > longest) {
        return 0;
    }
    const auto crossover =
        form.parameter.family == Family::kUnembedding ? crossover_.dense_inputs : crossover_.sparse_inputs;
    return static_cast<std::int64_t>(crossover * static_cast<double>(weight.numel()));
}

void SparseWeights::assign(Form& form, const at::Tensor& weight, std::int64_t longest) const {
    form.data = weight.const_data_ptr();
    form.in_use = form.matrix->assign(weight, most_of(form, weight, longest));
}

void SparseWeights::set_crossover(const Crossover& crossover) {
    crossover_ = crossover;
    version_.reset();
}

void SparseWeights::update(const at::Tensor& values) {
    const auto version = static_cast<std::uint32_t>(values._version());
    if (version_ == version) {
        return;
    }
    const PartTimer timer(Part::kSparseForms);
    if (ops::backend_of(values.device(), Plan::kFast) == ops::Backend::kCuda) {
        update_on_device(values);
        version_ = version;
        return;
    }
    const auto longest = longest_line(values.device());
    at::parallel_for(0, static_cast<std::int64_t>(forms_.size()), 1, [&](std::int64_t begin, std::int64_t end) {
        for (auto i = begin; i < end; ++i) {
            auto& form = forms_[static_cast<std::size_t>(i)];
            assign(form, ParameterTable::view(values, form.parameter), longest);
        }
    });
    version_ = version;
}

void SparseWeights::promise(const at::Tensor& values, const std::function<std::int64_t(const Parameter&)>& most) {
    Promise of_forms;
    of_forms.reserve(forms_.size());
    for (const auto& form : forms_) {
        of_forms.push_back(most(form.parameter));
    }
    promise(values, of_forms);
}

void SparseWeights::promise(const at::Tensor& values, const Promise& most) {
    promise_ = most;
    promised_version_ = static_cast<std::uint32_t>(values._version());
}

void SparseWeights::withdraw_promise() {
    promised_version_.reset();
    version_.reset();
}

std::optional<SparseWeights::Promise> SparseWeights::promised(const at::Tensor& values) const {
    return promised_version_ == static_cast<std::uint32_t>(values._version()) ? std::optional(promise_) : std::nullopt;
}

void SparseWeights::update_on_device(const at::Tensor& values) {
    const auto most = promised(values);
    const auto longest = longest_line(values.device());
    for (std::size_t i = 0; i < forms_.size(); ++i) {
        auto& form = forms_[i];
        const auto weight = ParameterTable::view(values, form.parameter);
        if (!most) {
            assign(form, weight, longest);
            continue;
        }
        form.data = weight.const_data_ptr();
        form.in_use = (*most)[i] <= most_of(form, weight, longest);
        if (form.in_use) {
            form.matrix->assign_on_device(weight, (*most)[i]);
        }
    }
}

std::shared_ptr<const ops::SparseMatrix> SparseWeights::find(const at::Tensor& weight) const {
    const auto found = std::find_if(forms_.begin(), forms_.end(),
                                    [&](const Form& form) { return form.data == weight.const_data_ptr(); });
    return found == forms_.end() || !found->in_use ? nullptr : found->matrix;
}

}  // namespace filigree
