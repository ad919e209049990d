// SPDX-License-Identifier: Apache-2.0
// AbsTopK (method 1.3): y_j = x_j where |x_j| is among the k largest of its row, else 0. Exactly k entries are kept.
// Backward: dx = dy at kept entries, else 0; kept zeros receive gradient. The order is that of the bits of |x|: among
// equals the lower index goes first, a NaN before everything. This is the composition from LibTorch's operations; the
// fast plan has it in ops/site.hpp.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace filigree::ops {

/// @param x [..., n]. @param k in [1, n). @return a new tensor of the same shape.
[[nodiscard]] at::Tensor abs_topk(const at::Tensor& x, std::int64_t k);

}  // namespace filigree::ops
