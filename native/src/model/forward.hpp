// SPDX-License-Identifier: Apache-2.0
// The one forward (method 1.1). Training, masks, recording and tails are hooks or entry points of it, never copies.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "model/model_config.hpp"
#include "model/node_space.hpp"
#include "model/parameter_table.hpp"
#include "model/sparse_weights.hpp"
#include "ops/execution.hpp"

namespace filigree {

/// Views of the weights of one layer.
struct LayerWeights {
    at::Tensor ln_1, ln_2;           // [d]
    at::Tensor c_attn, c_attn_bias;  // [3A, d], [3A]
    at::Tensor o_proj, o_proj_bias;  // [d, A], [d]
    at::Tensor sink;                 // [H], undefined without sinks
    at::Tensor c_fc, c_fc_bias;      // [m, d], [m]
    at::Tensor c_proj, c_proj_bias;  // [d, m], [d]
};

/// Views of all weights, by role.
struct Weights {
    at::Tensor wte;  // [V, d]
    at::Tensor wpe;  // [block_size, d]
    std::vector<LayerWeights> layers;
    at::Tensor ln_f;               // [d]
    at::Tensor lm_head;            // [V, d]
    at::Tensor final_logits_bias;  // [V]
    at::Tensor bigram;             // [V, V], undefined without a bigram table
};

/// Assemble the weights of a layout from a function that gives the tensor of a parameter.
[[nodiscard]] Weights bind_weights(const ModelConfig& config, const ParameterTable& table,
                                   const std::function<at::Tensor(const Parameter&)>& tensor_of);

/// Watches or changes a forward while it runs.
class ForwardHook {
public:
    ForwardHook() = default;
    ForwardHook(const ForwardHook&) = delete;
    ForwardHook& operator=(const ForwardHook&) = delete;
    virtual ~ForwardHook() = default;

    /// Mean ablation at a node site, between its AbsTopK and at_site(): x * gate + mean * (1 - gate). Both are
    /// [site.width].
    struct Ablation {
        at::Tensor gate;
        at::Tensor mean;
    };
    virtual std::optional<Ablation> ablation_at(const Site& site) {
        static_cast<void>(site);
        return std::nullopt;
    }
    /// Called at every node site, after AbsTopK and ablation. @param x [B, T, site.width]. @return what the forward
    /// goes on with.
    virtual at::Tensor at_site(const Site& site, at::Tensor x) {
        static_cast<void>(site);
        return x;
    }
    /// Called with the output of the heads of a layer, before its output projection; not a node site. @param y [B, T,
    /// A].
    virtual at::Tensor at_heads(std::int64_t layer, at::Tensor y) {
        static_cast<void>(layer);
        return y;
    }
    /// Called with the residual before every half layer and at the end: index 2i before the attention of layer i,
    /// 2i+1 before its MLP, 2L the final residual. @param x [B, T, d].
    virtual at::Tensor at_residual(std::int64_t half_layer, at::Tensor x) {
        static_cast<void>(half_layer);
        return x;
    }
};

/// Everything a forward reads. Holds references: the parts must outlive it.
struct ForwardContext {
    const ModelConfig& config;
    const NodeSpace& nodes;
    const Weights& weights;
    Execution execution;
    const SparseWeights* sparse_weights = nullptr;  ///< of these weights, for the fast plan; null for none

    /// y = x w^T + b for a weight matrix of the model.
    [[nodiscard]] at::Tensor linear(const at::Tensor& x, const at::Tensor& w, const at::Tensor& b) const;
    /// Its nonzeros where they are to be used, or null.
    [[nodiscard]] std::shared_ptr<const ops::SparseMatrix> sparse_form(const at::Tensor& w) const;
};

/// First residual. @param tokens [B, T] int64. @return [B, T, d].
[[nodiscard]] at::Tensor embed(const ForwardContext& context, const at::Tensor& tokens);

/// Run the half layers from `first_half_layer` (0 = all) on a residual. @return final residual [B, T, d].
[[nodiscard]] at::Tensor run_layers(const ForwardContext& context, at::Tensor x, std::int64_t first_half_layer,
                                    ForwardHook* hook);

/// Logits of final residuals. @param x [N, d]. @param tokens [N] int64, the tokens at those positions. @return [N, V].
[[nodiscard]] at::Tensor unembed(const ForwardContext& context, const at::Tensor& x, const at::Tensor& tokens);

/// embed and run_layers in one. @return final residual [B, T, d].
[[nodiscard]] at::Tensor forward(const ForwardContext& context, const at::Tensor& tokens, ForwardHook* hook);

/// Mean next-token cross-entropy: positions 0..T-2 predict tokens 1..T-1. @param tokens [B, T] int64. @return scalar.
[[nodiscard]] at::Tensor next_token_loss(const ForwardContext& context, const at::Tensor& tokens, ForwardHook* hook);

}  // namespace filigree
