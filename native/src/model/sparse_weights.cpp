// SPDX-License-Identifier: Apache-2.0
#include "model/sparse_weights.hpp"

#include <ATen/Parallel.h>

#include <algorithm>

#include "core/profile.hpp"

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

std::shared_ptr<const ops::SparseMatrix> SparseWeights::find(const at::Tensor& weight) const {
    const auto found = std::find_if(forms_.begin(), forms_.end(),
                                    [&](const Form& form) { return form.data == weight.const_data_ptr(); });
    return found == forms_.end() || !found->in_use ? nullptr : found->matrix;
}

}  // namespace filigree
