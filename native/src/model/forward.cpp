// SPDX-License-Identifier: Apache-2.0
#include "model/forward.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/relu.h>

#include <algorithm>
#include <array>
#include <utility>

#include "ops/attention.hpp"
#include "ops/backend.hpp"
#include "ops/cross_entropy.hpp"
#include "ops/embedding.hpp"
#include "ops/gate.hpp"
#include "ops/linear.hpp"
#include "ops/site.hpp"

namespace filigree {
namespace {

/// The sites of one layer: what each does to its activations, and the hook after it.
class Sites {
public:
    /// @param type of what the norms give, which all that follows is of.
    Sites(const ForwardContext& context, std::int64_t layer, ForwardHook* hook, at::ScalarType type)
        : context_(context), layer_(layer), hook_(hook), type_(type) {}

    /// The norm before a half layer and the site after it. @param x residual [B, T, d].
    /// @return what the half layer reads, and the residual to add to.
    [[nodiscard]] ops::Branch read(SiteKind kind, const at::Tensor& x, const at::Tensor& gain) const {
        const auto plan = context_.execution.plan;
        if (is_plain()) {
            return ops::rms_norm_branch(x, gain, rule(kind), plan, type_);
        }
        const auto half_layer = 2 * layer_ + (kind == SiteKind::kAttnIn ? 0 : 1);
        const auto inverse_rms = hook_ == nullptr ? at::Tensor() : hook_->inverse_rms_at(half_layer);
        return {pass(kind, inverse_rms.defined() ? ops::site(x * inverse_rms * gain, rule(kind), plan)
                                                 : ops::rms_norm_site(x, gain, rule(kind), plan)),
                x};
    }
    /// A product that a site reads. @param kind the site, or one of those of a width that read it side by side.
    [[nodiscard]] ops::Biased linear(SiteKind kind, const at::Tensor& x, const at::Tensor& w,
                                     const at::Tensor& bias) const {
        const bool gelu = kind == SiteKind::kMlpNeuron && is_gelu();
        const bool site_reads_it = kind != SiteKind::kMlpNeuron || gelu;
        const bool by_site = is_plain() && site_reads_it && bias.requires_grad() &&
                             ops::sums_bias_gradient(x, context_.nodes.site(layer_, kind).width, rule(kind), gelu,
                                                     context_.execution.plan);
        return {context_.linear(x, w, by_site ? bias.detach() : bias), by_site ? bias : at::Tensor()};
    }
    /// The residual with an output of the attention or the MLP, after its site, added to it.
    [[nodiscard]] at::Tensor write(SiteKind kind, const at::Tensor& residual, const ops::Biased& x) const {
        const auto plan = context_.execution.plan;
        return is_plain() ? ops::add_site(residual, x, rule(kind), plan)
                          : residual + pass(kind, ops::site(x.alone(), rule(kind), plan));
    }
    [[nodiscard]] at::Tensor neurons(const ops::Biased& x) const {
        const auto plan = context_.execution.plan;
        const auto kind = SiteKind::kMlpNeuron;
        return pass(kind,
                    is_gelu() ? ops::gelu_site(x, rule(kind), plan) : ops::site(at::relu(x.alone()), rule(kind), plan));
    }
    /// @param x [B, T, all queries, keys, values].
    [[nodiscard]] std::array<at::Tensor, 3> split(const ops::Biased& x) const {
        constexpr std::array kKinds = {SiteKind::kAttnQ, SiteKind::kAttnK, SiteKind::kAttnV};
        std::array<at::Tensor, 3> parts;
        if (context_.routing == nullptr) {
            parts = ops::split_sites(x, {rule(kKinds[0]), rule(kKinds[1]), rule(kKinds[2])}, context_.execution.plan);
        }
        std::int64_t first = 0;
        for (std::size_t i = 0; i < kKinds.size(); ++i) {
            if (const auto* route = routing(kKinds.at(i))) {
                parts.at(i) = ops::site(x.alone().narrow(-1, first, route->computed), rule(kKinds.at(i)),
                                        context_.execution.plan);
                first += route->computed;
            }
            parts.at(i) = pass(kKinds.at(i), std::move(parts.at(i)));
        }
        return parts;
    }
    [[nodiscard]] at::Tensor heads(at::Tensor y) const {
        return hook_ == nullptr ? y : hook_->at_heads(layer_, std::move(y));
    }
    /// What a half layer adds to the residual when none of its outputs is a node, [d]; undefined when some is.
    [[nodiscard]] at::Tensor constant(SiteKind output) const {
        const auto* route = routing(output);
        return route != nullptr && context_.nodes.site(layer_, output).width == 0 ? route->around : at::Tensor();
    }

private:
    [[nodiscard]] bool is_gelu() const { return context_.config.activation == Activation::kGelu; }
    /// Whether nothing comes between the ops.
    [[nodiscard]] bool is_plain() const { return hook_ == nullptr && context_.routing == nullptr; }
    [[nodiscard]] const SiteRouting* routing(SiteKind kind) const {
        return context_.routing == nullptr ? nullptr
                                           : &context_.routing->at(static_cast<std::size_t>(layer_) * kSiteKinds +
                                                                   static_cast<std::size_t>(kind));
    }
    [[nodiscard]] std::optional<ForwardHook::Ablation> ablation(SiteKind kind) const {
        return hook_ == nullptr ? std::nullopt : hook_->ablation_at(context_.nodes.site(layer_, kind));
    }
    [[nodiscard]] ops::SiteRule rule(SiteKind kind) const {
        ops::SiteRule rule{context_.nodes.site(layer_, kind).kept, {}, {}};
        if (context_.routing == nullptr) {  // else nodes are told from the channels around them first
            if (auto ablation = this->ablation(kind)) {
                rule.gate = std::move(ablation->gate);
                rule.mean = std::move(ablation->mean);
            }
        }
        return rule;
    }
    /// What comes after AbsTopK.
    [[nodiscard]] at::Tensor pass(SiteKind kind, at::Tensor x) const {
        const auto* route = routing(kind);
        if (route != nullptr) {
            if (route->taken.defined()) {
                x = x.index_select(-1, route->taken);
            }
            if (const auto ablation = this->ablation(kind)) {
                x = ops::mask_to_mean(x, ablation->gate, ablation->mean);
            }
        }
        if (hook_ != nullptr) {
            x = hook_->at_site(context_.nodes.site(layer_, kind), std::move(x));
        }
        if (route != nullptr && route->places.defined()) {
            auto shape = x.sizes().vec();
            shape.back() = route->around.size(0);
            x = route->around.expand(shape).index_copy(-1, route->places, x);
        }
        return x;
    }

    const ForwardContext& context_;
    std::int64_t layer_;
    ForwardHook* hook_;
    at::ScalarType type_;
};

/// Type of what lies between the ops of a half layer; the residual is fp32 always. bf16 is half of what a device has to
/// move: where its kernels do everything, at all positions, and nobody looks on; dense products round to it anyway.
at::ScalarType type_between_ops(const ForwardContext& context, const at::Tensor& x, const ForwardHook* hook,
                                const at::Tensor& read_at) {
    const auto& config = context.config;
    const bool narrow = context.execution.precision == Precision::kBf16 && hook == nullptr && !read_at.defined() &&
                        context.routing == nullptr &&
                        ops::backend_of(x, context.execution.plan) == ops::Backend::kCuda &&
                        std::max({config.d_model, config.d_mlp, config.attention_width()}) <= FGK_LONGEST_ROW &&
                        config.d_head <= FGK_LARGEST_HEAD;
    return narrow ? at::kBFloat16 : at::kFloat;
}

/// Row positions[b] of every sequence. @param x [B, T, w]. @return [B, 1, w].
at::Tensor at_positions(const at::Tensor& x, const at::Tensor& positions) {
    return x.gather(1, positions.view({-1, 1, 1}).expand({-1, 1, x.size(-1)}));
}

/// @param x residual. @param read_at see run_layers(). @return the next residual, [B, T, d] or [B, 1, d].
at::Tensor attention_block(const ForwardContext& context, const LayerWeights& w, const Sites& sites,
                           const at::Tensor& x, const at::Tensor& read_at) {
    const auto wanted = [&](const at::Tensor& r) { return read_at.defined() ? at_positions(r, read_at) : r; };
    if (const auto constant = sites.constant(SiteKind::kAttnOut); constant.defined()) {
        return wanted(x) + constant;
    }
    const auto plan = context.execution.plan;
    const auto [a, residual] = sites.read(SiteKind::kAttnIn, x, w.ln_1);                       // [B, T, d] each
    auto [q, k, v] = sites.split(sites.linear(SiteKind::kAttnQ, a, w.c_attn, w.c_attn_bias));  // [B, T, A] each
    const auto H = q.size(-1) / context.config.d_head;
    const auto attend = [&](const at::Tensor& values) {
        return read_at.defined() ? ops::attention_at(q, k, values, H, w.sink, read_at)
                                 : ops::attention(q, k, values, H, w.sink, plan);
    };
    if (read_at.defined()) {
        q = at_positions(q, read_at);
    }
    const auto y = sites.heads(attend(v));                                  // [B, T, A]
    auto o = sites.linear(SiteKind::kAttnOut, y, w.o_proj, w.o_proj_bias);  // [B, T, d]
    if (w.o_share.defined()) {
        const auto given = attend(at::ones_like(v)).slice(-1, 0, at::nullopt, context.config.d_head);  // [B, T, H]
        o.x = o.x + ops::linear(given.contiguous(), w.o_share, {}, {Precision::kFp32, plan});
    }
    if (w.o_position.defined()) {
        o.x = o.x + (read_at.defined() ? w.o_position.index_select(0, read_at).unsqueeze(1)
                                       : w.o_position.narrow(0, 0, x.size(1)));
    }
    return sites.write(SiteKind::kAttnOut, wanted(residual), o);
}

/// @param x residual. @return the next residual.
at::Tensor mlp_block(const LayerWeights& w, const Sites& sites, const at::Tensor& x) {
    if (const auto constant = sites.constant(SiteKind::kMlpOut); constant.defined()) {
        return x + constant;
    }
    const auto [n, residual] = sites.read(SiteKind::kMlpIn, x, w.ln_2);                        // [B, T, d] each
    const auto h = sites.neurons(sites.linear(SiteKind::kMlpNeuron, n, w.c_fc, w.c_fc_bias));  // [B, T, m]
    return sites.write(SiteKind::kMlpOut, residual, sites.linear(SiteKind::kMlpOut, h, w.c_proj, w.c_proj_bias));
}

/// The norm before the unembedding. @param x [N, d]. @return [N, d].
at::Tensor final_norm(const ForwardContext& context, const at::Tensor& x, ForwardHook* hook) {
    const auto inverse_rms = hook == nullptr ? at::Tensor() : hook->inverse_rms_at(2 * context.config.n_layer);
    return inverse_rms.defined() ? x * inverse_rms.view({-1, 1}) * context.weights.ln_f
                                 : ops::rms_norm_site(x, context.weights.ln_f, {}, context.execution.plan);
}

/// Logits without bias and bigram row. @param x [N, d]. @return [N, V], read by nobody else.
at::Tensor product_with_head(const ForwardContext& context, const at::Tensor& x, ForwardHook* hook) {
    const auto& w = context.weights;
    return ops::logits(final_norm(context, x, hook), w.lm_head, context.execution, context.sparse_form(w.lm_head));
}

}  // namespace

at::Tensor ForwardContext::linear(const at::Tensor& x, const at::Tensor& w, const at::Tensor& b) const {
    return ops::linear(x, w, b, execution, sparse_form(w));
}

std::shared_ptr<const ops::SparseMatrix> ForwardContext::sparse_form(const at::Tensor& w) const {
    return sparse_weights == nullptr ? nullptr : sparse_weights->find(w);
}

Weights bind_weights(const ModelConfig& config, const ParameterTable& table,
                     const std::function<at::Tensor(const Parameter&)>& tensor_of) {
    const auto get = [&](const std::string& name) { return tensor_of(table.find(name)); };
    Weights w;
    w.wte = get("transformer.wte.weight");
    w.wpe = get("transformer.wpe.weight");
    for (std::int64_t i = 0; i < config.n_layer; ++i) {
        const auto h = "transformer.h." + std::to_string(i) + ".";
        LayerWeights layer;
        layer.ln_1 = get(h + "ln_1.weight");
        layer.c_attn = get(h + "attn.c_attn.weight");
        layer.c_attn_bias = get(h + "attn.c_attn.bias");
        layer.o_proj = get(h + "attn.c_proj.weight");
        layer.o_proj_bias = get(h + "attn.c_proj.bias");
        if (config.sink) {
            layer.sink = get(h + "attn.attn_imp.sink_logit");
        }
        layer.ln_2 = get(h + "ln_2.weight");
        layer.c_fc = get(h + "mlp.c_fc.weight");
        layer.c_fc_bias = get(h + "mlp.c_fc.bias");
        layer.c_proj = get(h + "mlp.c_proj.weight");
        layer.c_proj_bias = get(h + "mlp.c_proj.bias");
        w.layers.push_back(std::move(layer));
    }
    w.ln_f = get("transformer.ln_f.weight");
    w.lm_head = get("lm_head.weight");
    w.final_logits_bias = get("final_logits_bias");
    if (config.bigram_table) {
        w.bigram = get("bigram_table");
    }
    return w;
}

at::Tensor embed(const ForwardContext& context, const at::Tensor& tokens, ForwardHook* hook) {
    auto x = ops::embedding(context.weights.wte, tokens, context.execution);
    if (hook != nullptr) {
        x = hook->at_embedding(tokens, std::move(x));
    }
    return x + context.weights.wpe.narrow(0, 0, tokens.size(1));
}

at::Tensor run_layers(const ForwardContext& context, at::Tensor x, std::int64_t first_half_layer, ForwardHook* hook,
                      const at::Tensor& read_at) {
    const auto half_layers = 2 * context.config.n_layer;
    const auto* edited = hook == nullptr ? nullptr : hook->weights();
    const ForwardContext used = {
        context.config,
        context.nodes,
        edited == nullptr ? context.weights : edited->weights,
        context.execution,
        edited == nullptr || context.sparse_weights == nullptr ? context.sparse_weights : &edited->sparse,
        context.routing};
    const auto type = type_between_ops(used, x, hook, read_at);
    const auto residual = [&](std::int64_t half_layer, at::Tensor r) {
        return hook == nullptr ? r : hook->at_residual(half_layer, std::move(r));
    };
    for (auto half_layer = first_half_layer; half_layer < half_layers; ++half_layer) {
        const auto layer = half_layer / 2;
        const auto& weights = used.weights.layers[static_cast<std::size_t>(layer)];
        const Sites sites(used, layer, hook, type);
        x = residual(half_layer, std::move(x));
        const auto narrow = read_at.defined() && layer == context.config.n_layer - 1;
        x = half_layer % 2 == 0 ? attention_block(used, weights, sites, x, narrow ? read_at : at::Tensor())
                                : mlp_block(weights, sites, x);
    }
    return residual(half_layers, std::move(x));
}

at::Tensor unembed(const ForwardContext& context, const at::Tensor& x, const at::Tensor& tokens, ForwardHook* hook) {
    const auto& w = context.weights;
    return ops::add_bigram(product_with_head(context, x, hook) + w.final_logits_bias, w.bigram, tokens);
}

at::Tensor unembed_pair(const ForwardContext& context, const at::Tensor& x, const at::Tensor& tokens,
                        const at::Tensor& answers, ForwardHook* hook) {
    const auto& w = context.weights;
    const auto rows = w.lm_head.index_select(0, answers.reshape({-1})).view({-1, 2, x.size(-1)});  // [N, 2, d]
    auto pair = (rows * final_norm(context, x, hook).unsqueeze(1)).sum(-1) +
                w.final_logits_bias.index_select(0, answers.reshape({-1})).view({-1, 2});  // [N, 2]
    if (w.bigram.defined()) {
        pair = pair + w.bigram.view({-1}).take(tokens.view({-1, 1}) * w.bigram.size(1) + answers);
    }
    return pair;
}

at::Tensor forward(const ForwardContext& context, const at::Tensor& tokens, ForwardHook* hook,
                   const at::Tensor& read_at) {
    if (hook != nullptr) {
        hook->before_forward(context, tokens, read_at);
    }
    return run_layers(context, embed(context, tokens, hook), 0, hook, read_at);
}

at::Tensor next_token_loss(const ForwardContext& context, const at::Tensor& tokens, ForwardHook* hook) {
    const auto T = tokens.size(1);
    const auto x = forward(context, tokens, hook).narrow(1, 0, T - 1);  // [B, T-1, d]
    const auto current = tokens.narrow(1, 0, T - 1).reshape({-1});      // [B * (T-1)]
    const auto next = tokens.narrow(1, 1, T - 1).reshape({-1});         // [B * (T-1)]
    const auto& w = context.weights;
    return ops::cross_entropy_with_bigram(product_with_head(context, x.reshape({-1, x.size(-1)}), hook),
                                          w.final_logits_bias, w.bigram, current, next, context.execution.plan);
}

}  // namespace filigree
