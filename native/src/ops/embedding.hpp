// SPDX-License-Identifier: Apache-2.0
// Rows of a table by token: x[i] = table[tokens[i]]. The gradient of a row is the sum over its tokens in their order.
#pragma once

#include <ATen/core/Tensor.h>

#include "ops/execution.hpp"

namespace filigree::ops {

/// @param table [V, d] fp32. @param tokens [...] int64, contiguous. @return [..., d].
/// The gradient of a leaf that has one already is added to it in place.
[[nodiscard]] at::Tensor embedding(const at::Tensor& table, const at::Tensor& tokens, const Execution& execution);

}  // namespace filigree::ops
