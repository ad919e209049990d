// SPDX-License-Identifier: Apache-2.0
#include "model/sparse_weights.hpp"

#include <ATen/Parallel.h>

#include <algorithm>

#include "core/profile.hpp"
#include "ops/backend.hpp"

namespace filigree {

SparseWeights::SparseWeights(const ParameterTable& table) {
    for (const auto& parameter : table.parameters()) {
        if (parameter.family == Family::kMatrix || parameter.family == Family::kUnembedding) {
            forms_.push_back({parameter, std::make_shared<ops::SparseMatrix>()});
        }
    }
}

void SparseWeights::set_crossover(double crossover) {
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
    at::parallel_for(0, static_cast<std::int64_t>(forms_.size()), 1, [&](std::int64_t begin, std::int64_t end) {
        for (auto i = begin; i < end; ++i) {
            auto& form = forms_[static_cast<std::size_t>(i)];
            const auto weight = ParameterTable::view(values, form.parameter);
            form.data = weight.const_data_ptr();
            form.in_use = form.matrix->assign(
                weight, static_cast<std::int64_t>(crossover_ * static_cast<double>(form.parameter.size)));
        }
    });
    version_ = version;
}

void SparseWeights::promise(const at::Tensor& values, const std::function<std::int64_t(const Parameter&)>& most) {
    for (auto& form : forms_) {
        form.promised = most(form.parameter);
    }
    promised_version_ = static_cast<std::uint32_t>(values._version());
}

void SparseWeights::update_on_device(const at::Tensor& values) {
    const bool promised = promised_version_ == static_cast<std::uint32_t>(values._version());
    const auto longest = ops::cuda_kernels().sparse_product_longest(FGK_F32);
    for (auto& form : forms_) {
        const auto weight = ParameterTable::view(values, form.parameter);
        const auto most = std::max(weight.size(0), weight.size(1)) <= longest
                              ? static_cast<std::int64_t>(crossover_ * static_cast<double>(form.parameter.size))
                              : 0;
        form.data = weight.const_data_ptr();
        if (promised) {
            form.in_use = form.promised <= most;
            if (form.in_use) {
                form.matrix->assign_on_device(weight, form.promised);
            }
        } else {
            form.in_use = form.matrix->assign(weight, most);
        }
    }
}

std::shared_ptr<const ops::SparseMatrix> SparseWeights::find(const at::Tensor& weight) const {
    const auto found = std::find_if(forms_.begin(), forms_.end(),
                                    [&](const Form& form) { return form.data == weight.const_data_ptr(); });
    return found == forms_.end() || !found->in_use ? nullptr : found->matrix;
}

}  // namespace filigree
