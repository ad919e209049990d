// SPDX-License-Identifier: Apache-2.0
// Node gates (method 4.1): a hard 0/1 gate with a surrogate slope, and mean ablation by it.
#pragma once

#include <ATen/core/Tensor.h>

namespace filigree::ops {

/// g = 1 where tau >= 0, else 0. Backward: dg/dtau = s (1 - s) / temperature with s = sigmoid(tau / temperature).
/// @param tau [n]. @return fp32 [n], exactly 0 or 1.
[[nodiscard]] at::Tensor heaviside_gate(const at::Tensor& tau, double temperature);

/// x * g + mean * (1 - g). @param x [B, T, w]. @param gate [w], or [R, w] for R groups of B / R sequences each.
/// @param mean [w], or [B, T, w]. @return [B, T, w].
[[nodiscard]] at::Tensor mask_to_mean(const at::Tensor& x, const at::Tensor& gate, const at::Tensor& mean);

}  // namespace filigree::ops
