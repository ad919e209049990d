// SPDX-License-Identifier: Apache-2.0
#include "model/forward.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/relu.h>

#include <utility>

#include "ops/attention.hpp"
#include "ops/cross_entropy.hpp"
#include "ops/embedding.hpp"
#include "ops/linear.hpp"
#include "ops/site.hpp"

namespace filigree {
namespace {

/// The sites of one layer: what each does to its activations, and the hook after it.
class Sites {
public:
    Sites(const ForwardContext& context, std::int64_t layer, ForwardHook* hook)
        : context_(context), layer_(layer), hook_(hook) {}

    [[nodiscard]] ops::SiteRule rule(SiteKind kind) const {
        ops::SiteRule rule{context_.config.kept_at(kind), {}, {}};
        if (hook_ != nullptr) {
            if (auto ablation = hook_->ablation_at(context_.nodes.site(layer_, kind))) {
                rule.gate = std::move(ablation->gate);
                rule.mean = std::move(ablation->mean);
            }
        }
        return rule;
    }
    [[nodiscard]] at::Tensor visit(SiteKind kind, at::Tensor x) const {
        return hook_ == nullptr ? x : hook_->at_site(context_.nodes.site(layer_, kind), std::move(x));
    }
    [[nodiscard]] at::Tensor heads(at::Tensor y) const {
        return hook_ == nullptr ? y : hook_->at_heads(layer_, std::move(y));
    }

private:
    const ForwardContext& context_;
    std::int64_t layer_;
    ForwardHook* hook_;
};

at::Tensor attention_block(const ForwardContext& context, const LayerWeights& w, const Sites& sites,
                           const at::Tensor& x) {
    const auto plan = context.execution.plan;
    const auto a = sites.visit(SiteKind::kAttnIn,
                               ops::rms_norm_site(x, w.ln_1, sites.rule(SiteKind::kAttnIn), plan));  // [B, T, d]
    const auto qkv = context.linear(a, w.c_attn, w.c_attn_bias);                                     // [B, T, 3A]
    auto [q, k, v] = ops::split_sites(
        qkv, {sites.rule(SiteKind::kAttnQ), sites.rule(SiteKind::kAttnK), sites.rule(SiteKind::kAttnV)}, plan);
    q = sites.visit(SiteKind::kAttnQ, std::move(q));
    k = sites.visit(SiteKind::kAttnK, std::move(k));
    v = sites.visit(SiteKind::kAttnV, std::move(v));
    const auto y = sites.heads(ops::attention(q, k, v, context.config.n_head, w.sink, plan));  // [B, T, A]
    const auto o = context.linear(y, w.o_proj, w.o_proj_bias);                                 // [B, T, d]
    return sites.visit(SiteKind::kAttnOut, ops::site(o, sites.rule(SiteKind::kAttnOut), plan));
}

at::Tensor mlp_block(const ForwardContext& context, const LayerWeights& w, const Sites& sites, const at::Tensor& x) {
    const auto plan = context.execution.plan;
    const auto n =
        sites.visit(SiteKind::kMlpIn, ops::rms_norm_site(x, w.ln_2, sites.rule(SiteKind::kMlpIn), plan));  // [B, T, d]
    const auto f = context.linear(n, w.c_fc, w.c_fc_bias);                                                 // [B, T, m]
    const auto rule = sites.rule(SiteKind::kMlpNeuron);
    const auto h = sites.visit(SiteKind::kMlpNeuron, context.config.activation == Activation::kGelu
                                                         ? ops::gelu_site(f, rule, plan)
                                                         : ops::site(at::relu(f), rule, plan));  // [B, T, m]
    const auto u = context.linear(h, w.c_proj, w.c_proj_bias);                                   // [B, T, d]
    return sites.visit(SiteKind::kMlpOut, ops::site(u, sites.rule(SiteKind::kMlpOut), plan));
}

/// Logits without bias and bigram row. @param x [N, d]. @return [N, V], read by nobody else.
at::Tensor product_with_head(const ForwardContext& context, const at::Tensor& x) {
    const auto& w = context.weights;
    return ops::logits(ops::rms_norm_site(x, w.ln_f, {}, context.execution.plan), w.lm_head, context.execution,
                       context.sparse_form(w.lm_head));
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

at::Tensor embed(const ForwardContext& context, const at::Tensor& tokens) {
    return ops::embedding(context.weights.wte, tokens, context.execution) +
           context.weights.wpe.narrow(0, 0, tokens.size(1));
}

at::Tensor run_layers(const ForwardContext& context, at::Tensor x, std::int64_t first_half_layer, ForwardHook* hook) {
    const auto half_layers = 2 * context.config.n_layer;
    const auto residual = [&](std::int64_t half_layer, at::Tensor r) {
        return hook == nullptr ? r : hook->at_residual(half_layer, std::move(r));
    };
    for (auto half_layer = first_half_layer; half_layer < half_layers; ++half_layer) {
        const auto layer = half_layer / 2;
        const auto& weights = context.weights.layers[static_cast<std::size_t>(layer)];
        const Sites sites(context, layer, hook);
        x = residual(half_layer, std::move(x));
        x = x +
            (half_layer % 2 == 0 ? attention_block(context, weights, sites, x) : mlp_block(context, weights, sites, x));
    }
    return residual(half_layers, std::move(x));
}

at::Tensor unembed(const ForwardContext& context, const at::Tensor& x, const at::Tensor& tokens) {
    const auto& w = context.weights;
    return ops::add_bigram(product_with_head(context, x) + w.final_logits_bias, w.bigram, tokens);
}

at::Tensor forward(const ForwardContext& context, const at::Tensor& tokens, ForwardHook* hook) {
    return run_layers(context, embed(context, tokens), 0, hook);
}

at::Tensor next_token_loss(const ForwardContext& context, const at::Tensor& tokens, ForwardHook* hook) {
    const auto T = tokens.size(1);
    const auto x = forward(context, tokens, hook).narrow(1, 0, T - 1);  // [B, T-1, d]
    const auto current = tokens.narrow(1, 0, T - 1).reshape({-1});      // [B * (T-1)]
    const auto next = tokens.narrow(1, 1, T - 1).reshape({-1});         // [B * (T-1)]
    const auto& w = context.weights;
    return ops::cross_entropy_with_bigram(product_with_head(context, x.reshape({-1, x.size(-1)})), w.final_logits_bias,
                                          w.bigram, current, next, context.execution.plan);
}

}  // namespace filigree
