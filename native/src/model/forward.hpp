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
    // Of compacted and edge-masked models only (circuit/edge_circuit.hpp); undefined elsewhere. What attention adds
    // to its output for closed value channels: per unit of attention that the heads give to tokens, and by position.
    at::Tensor o_share;     // [d, H]
    at::Tensor o_position;  // [block_size, d]
};

/// Views of all weights, by role. A block matrix and its bias may have one more dimension in front, R: the batch is
/// then R groups of equally many sequences, each with weights of its own.
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

/// Weights of a model with some matrices of its layers changed, and the nonzeros of those.
struct EditedWeights {
    Weights weights;
    SparseWeights sparse;
};

struct ForwardContext;

/// Watches or changes a forward while it runs.
class ForwardHook {
public:
    ForwardHook() = default;
    ForwardHook(const ForwardHook&) = delete;
    ForwardHook& operator=(const ForwardHook&) = delete;
    virtual ~ForwardHook() = default;

    /// Called by forward() before anything else. Arguments as there.
    virtual void before_forward(const ForwardContext& context, const at::Tensor& tokens, const at::Tensor& read_at) {
        static_cast<void>(context);
        static_cast<void>(tokens);
        static_cast<void>(read_at);
    }
    /// Weights of the layers to compute with in place of the context's; null for those.
    [[nodiscard]] virtual const EditedWeights* weights() const { return nullptr; }

    /// Ablation at a node site, between its AbsTopK and at_site(): x * gate + mean * (1 - gate), as
    /// ops::mask_to_mean() takes them: a gate of R rows cuts the batch into R groups.
    struct Ablation {
        at::Tensor gate;  // [site.width] or [R, site.width]
        at::Tensor mean;  // [site.width], or [B, T, site.width] for values of its own at every position
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
    /// Called with the embedded tokens before positions are added. @param tokens [B, T]. @param x [B, T, d].
    virtual at::Tensor at_embedding(const at::Tensor& tokens, at::Tensor x) {
        static_cast<void>(tokens);
        return x;
    }
    /// 1 / RMS to use in the norm before a half layer (2L: before the unembedding) in place of the residual's own,
    /// [B, T, 1]; undefined for its own.
    virtual at::Tensor inverse_rms_at(std::int64_t half_layer) {
        static_cast<void>(half_layer);
        return {};
    }
    /// Called with the residual before every half layer and at the end: index 2i before the attention of layer i,
    /// 2i+1 before its MLP, 2L the final residual. @param x [B, T, d].
    virtual at::Tensor at_residual(std::int64_t half_layer, at::Tensor x) {
        static_cast<void>(half_layer);
        return x;
    }
};

/// What a compacted model does at a site beside AbsTopK (prune/compact_model.hpp). Undefined members change nothing.
struct SiteRouting {
    std::int64_t computed = 0;  ///< channels that AbsTopK chooses among
    at::Tensor taken;           ///< int64 [width], the nodes among them
    at::Tensor places;          ///< int64 [width], where the nodes stand in `around`
    at::Tensor around;          ///< [W], what stands in all other places
};

/// Everything a forward reads. Holds references: the parts must outlive it.
struct ForwardContext {
    const ModelConfig& config;
    const NodeSpace& nodes;
    const Weights& weights;
    Execution execution;
    const SparseWeights* sparse_weights = nullptr;      ///< of these weights, for the fast plan; null for none
    const std::vector<SiteRouting>* routing = nullptr;  ///< one per site of a compacted model; null for a whole one

    /// y = x w^T + b for a weight matrix of the model.
    [[nodiscard]] at::Tensor linear(const at::Tensor& x, const at::Tensor& w, const at::Tensor& b) const;
    /// Its nonzeros where they are to be used, or null.
    [[nodiscard]] std::shared_ptr<const ops::SparseMatrix> sparse_form(const at::Tensor& w) const;
};

/// First residual. @param tokens [B, T] int64. @return [B, T, d].
[[nodiscard]] at::Tensor embed(const ForwardContext& context, const at::Tensor& tokens, ForwardHook* hook = nullptr);

/// Run the half layers from `first_half_layer` (0 = all) on a residual.
/// @param read_at int64 [B], the one position of every sequence whose final residual is wanted: the last layer then
/// computes keys and values everywhere and the rest of it there alone. Undefined for all.
/// @return final residual [B, T, d], or [B, 1, d] with read_at.
[[nodiscard]] at::Tensor run_layers(const ForwardContext& context, at::Tensor x, std::int64_t first_half_layer,
                                    ForwardHook* hook, const at::Tensor& read_at = {});

/// Logits of final residuals. @param x [N, d]. @param tokens [N] int64, the tokens at those positions. @return [N, V].
[[nodiscard]] at::Tensor unembed(const ForwardContext& context, const at::Tensor& x, const at::Tensor& tokens,
                                 ForwardHook* hook = nullptr);

/// The logits of two tokens only. @param answers [N, 2] int64. @return [N, 2].
[[nodiscard]] at::Tensor unembed_pair(const ForwardContext& context, const at::Tensor& x, const at::Tensor& tokens,
                                      const at::Tensor& answers, ForwardHook* hook = nullptr);

/// embed and run_layers in one. @return final residual [B, T, d], or [B, 1, d] with read_at.
[[nodiscard]] at::Tensor forward(const ForwardContext& context, const at::Tensor& tokens, ForwardHook* hook,
                                 const at::Tensor& read_at = {});

/// Mean next-token cross-entropy: positions 0..T-2 predict tokens 1..T-1. @param tokens [B, T] int64. @return scalar.
[[nodiscard]] at::Tensor next_token_loss(const ForwardContext& context, const at::Tensor& tokens, ForwardHook* hook);

}  // namespace filigree
