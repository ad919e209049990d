// SPDX-License-Identifier: Apache-2.0
#include "ops/gate.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/addcmul.h>
#include <ATen/ops/sigmoid.h>

namespace filigree::ops {

at::Tensor heaviside_gate(const at::Tensor& tau, double temperature) {
    const auto soft = at::sigmoid(tau / temperature);
    // The bracket is exactly 0 and carries the surrogate's gradient.
    return tau.detach().ge(0).to(at::kFloat) + (soft - soft.detach());
}

at::Tensor mask_to_mean(const at::Tensor& x, const at::Tensor& gate, const at::Tensor& mean) {
    if (gate.dim() == 1) {
        return x * gate + mean * (1 - gate);
    }
    const auto R = gate.size(0);
    const auto groups = [&](const at::Tensor& t) { return t.view({R, t.size(0) / R, t.size(1), t.size(2)}); };
    const auto g = gate.view({R, 1, 1, gate.size(1)});
    const auto instead = (mean.dim() == 1 ? mean : groups(mean)) * (1 - g);  // [R, 1 or B / R, 1 or T, w]
    return at::addcmul(instead, groups(x.contiguous()), g).view(x.sizes());
}

}  // namespace filigree::ops
