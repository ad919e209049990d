// SPDX-License-Identifier: Apache-2.0
#include "ops/gate.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/sigmoid.h>

namespace filigree::ops {

at::Tensor heaviside_gate(const at::Tensor& tau, double temperature) {
    const auto soft = at::sigmoid(tau / temperature);
    // The bracket is exactly 0 and carries the surrogate's gradient.
    return tau.detach().ge(0).to(at::kFloat) + (soft - soft.detach());
}

at::Tensor mask_to_mean(const at::Tensor& x, const at::Tensor& gate, const at::Tensor& mean) {
    return x * gate + mean * (1 - gate);
}

}  // namespace filigree::ops
