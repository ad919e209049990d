// SPDX-License-Identifier: Apache-2.0
// Matrix product with a (mostly zero) weight: y = x w^T + b, x and y fp32, the product in the given precision with
// fp32 accumulation. Both gradients are dense.
#pragma once

#include <ATen/core/Tensor.h>

#include "ops/execution.hpp"

namespace filigree::ops {

/// @param x [..., n]. @param w [m, n]. @param b [m], or undefined for none. @return [..., m].
[[nodiscard]] at::Tensor linear(const at::Tensor& x, const at::Tensor& w, const at::Tensor& b, Precision precision);

}  // namespace filigree::ops
