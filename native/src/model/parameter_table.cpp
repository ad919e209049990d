// SPDX-License-Identifier: Apache-2.0
#include "model/parameter_table.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <numeric>

#include "core/error.hpp"

namespace filigree {
namespace {

/// Every tensor of the published state dict, in its order (method 1.8).
std::vector<Parameter> published_order(const ModelConfig& c, bool positions) {
    const auto d = c.d_model;
    const auto a = c.attention_width();
    std::vector<Parameter> list;
    const auto add = [&](std::string name, Family family, std::vector<std::int64_t> shape, bool trainable = true,
                         AliveAxis axis = AliveAxis::kNone) {
        const auto size = std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
        // The projection and the nonzeros of a matrix number its entries in 32 bits.
        FG_EXPECTS(family == Family::kBigram || size <= std::numeric_limits<std::int32_t>::max(), FG_INVALID_CONFIG,
                   name, " would have ", size, " weights; a tensor has at most ",
                   std::numeric_limits<std::int32_t>::max());
        list.push_back({std::move(name), family, std::move(shape), 0, size, trainable, axis});
    };
    add("transformer.wte.weight", Family::kEmbedding, {c.vocab_size, d});
    add("transformer.wpe.weight", Family::kPosition, {c.block_size, d}, positions);
    for (std::int64_t i = 0; i < c.n_layer; ++i) {
        const auto h = "transformer.h." + std::to_string(i) + ".";
        add(h + "ln_1.weight", Family::kNorm, {d});
        add(h + "attn.c_attn.weight", Family::kMatrix, {3 * a, d}, true, AliveAxis::kRows);
        add(h + "attn.c_attn.bias", Family::kBias, {3 * a});
        add(h + "attn.c_proj.weight", Family::kMatrix, {d, a}, true, AliveAxis::kColumns);
        add(h + "attn.c_proj.bias", Family::kBias, {d});
        if (c.sink) {
            add(h + "attn.attn_imp.sink_logit", Family::kSink, {c.n_head});
        }
        add(h + "ln_2.weight", Family::kNorm, {d});
        add(h + "mlp.c_fc.weight", Family::kMatrix, {c.d_mlp, d}, true, AliveAxis::kRows);
        add(h + "mlp.c_fc.bias", Family::kBias, {c.d_mlp});
        add(h + "mlp.c_proj.weight", Family::kMatrix, {d, c.d_mlp}, true, AliveAxis::kColumns);
        add(h + "mlp.c_proj.bias", Family::kBias, {d});
    }
    add("transformer.ln_f.weight", Family::kNorm, {d});
    add("lm_head.weight", Family::kUnembedding, {c.vocab_size, d});
    add("final_logits_bias", Family::kLogitBias, {c.vocab_size}, false);
    if (c.bigram_table) {
        add("bigram_table", Family::kBigram, {c.vocab_size, c.vocab_size}, c.learnable_bigram_table);
    }
    return list;
}

}  // namespace

const char* family_name(Family family) {
    constexpr std::array<const char*, 9> kNames = {"matrix", "embedding", "unembedding", "position",  "bias",
                                                   "norm",   "sink",      "bigram",      "logit_bias"};
    return kNames.at(static_cast<std::size_t>(family));
}

ParameterTable::ParameterTable(const ModelConfig& config, bool positions)
    : parameters_(published_order(config, positions)) {
    std::stable_sort(parameters_.begin(), parameters_.end(), [](const Parameter& x, const Parameter& y) {
        return x.decayed() != y.decayed() ? x.decayed() : x.trainable && !y.trainable;
    });
    for (auto& parameter : parameters_) {
        parameter.offset = size_;
        size_ += parameter.size;
        trainable_size_ += parameter.trainable ? parameter.size : 0;
        decayed_size_ += parameter.decayed() ? parameter.size : 0;
    }
}

std::vector<Parameter>::const_iterator ParameterTable::position_of(const std::string& name) const {
    return std::find_if(parameters_.begin(), parameters_.end(),
                        [&](const Parameter& parameter) { return parameter.name == name; });
}

bool ParameterTable::contains(const std::string& name) const { return position_of(name) != parameters_.end(); }

const Parameter& ParameterTable::find(const std::string& name) const {
    const auto found = position_of(name);
    FG_EXPECTS(found != parameters_.end(), FG_NOT_FOUND, "the model has no tensor named \"", name, "\"");
    return *found;
}

at::Tensor ParameterTable::view(const at::Tensor& flat, const Parameter& parameter) {
    return flat.narrow(0, parameter.offset, parameter.size).view(parameter.shape);
}

}  // namespace filigree
