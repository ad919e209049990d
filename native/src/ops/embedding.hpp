// SPDX-License-Identifier: Apache-2.0
// Rows of a table by token: x[i] = table[tokens[i]]. The gradient of a row is the sum over its tokens in their order.
#pragma once

#include <ATen/core/Tensor.h>

#include "ops/execution.hpp"

namespace filigree::ops {

/// gradient[tokens[i]] += rows[i], in the order of i for every row of the gradient.
/// @param rows [n, d] fp32, contiguous. @param tokens [n] int64, contiguous. @param gradient [V, d] fp32.
void add_rows(const at::Tensor& rows, const at::Tensor& tokens, const at::Tensor& gradient);

/// @param table [V, d] fp32. @param tokens [...] int64, contiguous. @return [..., d].
/// The gradient of a leaf that has one already is added to it in place.
[[nodiscard]] at::Tensor embedding(const at::Tensor& table, const at::Tensor& tokens, const Execution& execution);

}  // namespace filigree::ops
