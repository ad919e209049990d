// SPDX-License-Identifier: Apache-2.0
// Causal softmax attention per head with a sink (method 1.4). Per head, with s_ij = q_i . k_j / sqrt(dh) for j <= i:
//   y_i = sum_j exp(s_ij) v_j / (exp(sink) + sum_j exp(s_ij))
// Without a sink the first term of the denominator is absent. Channel c belongs to head c / dh. The fast plan keeps the
// scores of one block of queries at a time (kernels/attention.hpp); the reference plan all of them. A head is the work
// of one thread from beginning to end, so results do not depend on the number of threads.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "ops/execution.hpp"

namespace filigree::ops {

/// @param q,k,v [B, T, H * dh]; the CUDA kernels take bf16 too. @param sink fp32 [H], or undefined for none.
/// @return [B, T, H * dh], of the type of q.
[[nodiscard]] at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, std::int64_t n_head,
                                   const at::Tensor& sink, Plan plan);

/// The weights alone, composed from LibTorch's operations: exp(s_ij) over the denominator above. Rows sum to 1.
/// @return [B, H, T, T], with a sink [B, H, T, T + 1], the sink last.
[[nodiscard]] at::Tensor attention_weights(const at::Tensor& q, const at::Tensor& k, std::int64_t n_head,
                                           const at::Tensor& sink);

/// The output of one query a sequence: row positions[b] of attention() for sequence b.
/// @param q [B, 1, H * dh], the queries at those positions. @param k,v [B, T, H * dh]. @param positions [B] int64.
/// @return [B, 1, H * dh].
[[nodiscard]] at::Tensor attention_at(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                      std::int64_t n_head, const at::Tensor& sink, const at::Tensor& positions);

}  // namespace filigree::ops
