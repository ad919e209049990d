// SPDX-License-Identifier: Apache-2.0
#include "train/distillation.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/log_softmax.h>
#include <c10/core/GradMode.h>

#include "ops/cross_entropy.hpp"

namespace filigree {
namespace {

/// @return [B * (T-1), V].
at::Tensor logits(const ForwardContext& context, const at::Tensor& tokens) {
    const auto T = tokens.size(1);
    const auto x = forward(context, tokens, nullptr).narrow(1, 0, T - 1);
    return unembed(context, x.reshape({-1, x.size(-1)}), tokens.narrow(1, 0, T - 1).reshape({-1}));
}

}  // namespace

Objective distilled_loss(const ForwardContext& student, const Model& teacher, const at::Tensor& tokens,
                         const Distillation& settings) {
    const auto temperature = settings.temperature;
    at::Tensor wanted;  // log-probabilities, [B * (T-1), V]
    {
        const at::NoGradGuard no_grad;
        wanted = at::log_softmax(logits(teacher.context(), tokens) / temperature, -1);
    }
    const auto own = logits(student, tokens);
    const auto T = tokens.size(1);
    const auto cross_entropy = ops::cross_entropy(own, tokens.narrow(1, 1, T - 1).reshape({-1}));
    const auto divergence = (at::exp(wanted) * (wanted - at::log_softmax(own / temperature, -1))).sum(-1).mean();
    const auto w = settings.weight;
    return {cross_entropy * (1.0 - w) + divergence * (w * temperature * temperature), cross_entropy.detach()};
}

std::uint64_t fingerprint(const Model& model) {
    constexpr std::uint64_t kBasis = 14695981039346656037ULL;  // of FNV-1a
    constexpr std::uint64_t kPrime = 1099511628211ULL;
    const auto host = model.values().to(at::kCPU);
    const auto* bytes = reinterpret_cast<const unsigned char*>(host.const_data_ptr<float>());
    auto hash = kBasis;
    for (std::int64_t i = 0; i < host.numel() * static_cast<std::int64_t>(sizeof(float)); ++i) {
        hash = (hash ^ bytes[i]) * kPrime;
    }
    return hash;
}

}  // namespace filigree
