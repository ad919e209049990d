// SPDX-License-Identifier: Apache-2.0
#include "sparsity/weight_statistics.hpp"

#include <ATen/ops/linalg_vector_norm.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace filigree {
namespace {

std::int64_t nonzeros(const at::Tensor& tensor) { return tensor.count_nonzero().item<std::int64_t>(); }

/// The bigram table when it is learnt, which no L0 counts (method 1.6), else NULL.
const Parameter* trained_bigram(const Model& model) {
    const auto& parameters = model.table().parameters();
    const auto found = std::find_if(parameters.begin(), parameters.end(), [](const Parameter& parameter) {
        return parameter.family == Family::kBigram && parameter.trainable;
    });
    return found == parameters.end() ? nullptr : &*found;
}

/// Which lines of a weight, [n, ...], have a nonzero. @return bool [n].
at::Tensor live_rows(const at::Tensor& weight) { return weight.ne(0).any(1); }

}  // namespace

std::int64_t count_parameters(const Model& model) {
    const auto* bigram = trained_bigram(model);
    return model.table().trainable_size() - (bigram == nullptr ? 0 : bigram->size);
}

std::int64_t count_nonzeros(const Model& model) {
    const auto* bigram = trained_bigram(model);
    return nonzeros(model.values().narrow(0, 0, model.table().trainable_size())) -
           (bigram == nullptr ? 0 : nonzeros(model.tensor(*bigram)));
}

std::string weight_statistics_json(const Model& model) {
    const at::NoGradGuard no_grad;
    nlohmann::ordered_json json;
    std::int64_t l0 = 0;
    std::int64_t l0_non_ln = 0;
    std::int64_t l0_non_embed = 0;
    nlohmann::ordered_json fractions;
    for (const auto& parameter : model.table().parameters()) {
        if (!parameter.trainable || parameter.family == Family::kBigram) {
            continue;
        }
        const auto count = nonzeros(model.tensor(parameter));
        const auto family = parameter.family;
        const bool weight_matrix = family == Family::kMatrix || family == Family::kUnembedding;
        const bool embedding = family == Family::kEmbedding || family == Family::kPosition;
        l0 += count;
        l0_non_ln += weight_matrix || embedding ? count : 0;
        l0_non_embed += weight_matrix ? count : 0;
        fractions["empirical_L0_frac/" + parameter.name] =
            static_cast<double>(count) / static_cast<double>(parameter.size);
    }
    json["L0"] = l0;
    json["L0_non_LN"] = l0_non_ln;
    json["L0_non_embed"] = l0_non_embed;
    json["weight_sparsity"] = 1.0 - static_cast<double>(l0) / static_cast<double>(count_parameters(model));
    json["param_norm"] =
        at::linalg_vector_norm(model.values().narrow(0, 0, model.table().trainable_size())).item<double>();

    const auto A = model.config().attention_width();
    const auto& weights = model.context().weights;
    for (std::size_t i = 0; i < weights.layers.size(); ++i) {
        const auto& layer = weights.layers[i];
        json["num_alive_neurons/c_fc/layer_" + std::to_string(i)] = live_rows(layer.c_fc).sum().item<std::int64_t>();
        const auto live = live_rows(layer.c_attn).logical_or(layer.c_attn_bias.ne(0));  // [3A]
        const auto matched = live.narrow(0, 0, A).logical_and(live.narrow(0, A, A));    // [A]
        json["dead_qk/layer_" + std::to_string(i)] = A - matched.sum().item<std::int64_t>();
    }
    json.update(fractions);
    return json.dump();
}

}  // namespace filigree
