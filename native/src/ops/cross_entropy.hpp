// SPDX-License-Identifier: Apache-2.0
// Logits with a bigram row, and their cross-entropy (method 1.1, 1.6, 2.1.3). fp32 throughout.
#pragma once

#include <ATen/core/Tensor.h>

#include "ops/execution.hpp"

namespace filigree::ops {

/// Add row tokens[n] of the table to logits[n].
/// @param logits [N, V]. @param table [V, V], or undefined for none. @param tokens [N] int64. @return [N, V].
[[nodiscard]] at::Tensor add_bigram(const at::Tensor& logits, const at::Tensor& table, const at::Tensor& tokens);

/// Mean of -log softmax(logits[n])[targets[n]] over n. @param logits [N, V]. @param targets [N] int64. @return scalar.
[[nodiscard]] at::Tensor cross_entropy(const at::Tensor& logits, const at::Tensor& targets);

/// cross_entropy(add_bigram(logits + bias, table, tokens), targets). The fast plan writes the gradient of the logits
/// over them when one will be asked for, so that there is never a second [N, V]: hand over a tensor that nothing else
/// reads. The gradients of leaves bias and table that have one already are added to it in place; all sums are in a
/// fixed order.
/// @param logits [N, V], contiguous. @param bias [V]. @param table [V, V], or undefined for none.
/// @param tokens,targets [N] int64. @return scalar.
[[nodiscard]] at::Tensor cross_entropy_with_bigram(at::Tensor logits, const at::Tensor& bias, const at::Tensor& table,
                                                   const at::Tensor& tokens, const at::Tensor& targets, Plan plan);

}  // namespace filigree::ops
