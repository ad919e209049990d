// SPDX-License-Identifier: Apache-2.0
// Logits with a bigram row, and their cross-entropy (method 1.1, 1.6, 2.1.3). fp32 throughout.
#pragma once

#include <ATen/core/Tensor.h>

namespace filigree::ops {

/// Add row tokens[n] of the table to logits[n].
/// @param logits [N, V]. @param table [V, V], or undefined for none. @param tokens [N] int64. @return [N, V].
[[nodiscard]] at::Tensor add_bigram(const at::Tensor& logits, const at::Tensor& table, const at::Tensor& tokens);

/// Mean of -log softmax(logits[n])[targets[n]] over n. @param logits [N, V]. @param targets [N] int64. @return scalar.
[[nodiscard]] at::Tensor cross_entropy(const at::Tensor& logits, const at::Tensor& targets);

}  // namespace filigree::ops
