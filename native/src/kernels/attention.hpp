// SPDX-License-Identifier: Apache-2.0
// Causal softmax attention with a sink (ops/attention.hpp has the formula), one head of one sequence at a time. Lanes
// of a vector are queries, so the softmax needs no sums across lanes. Of the T x T scores only those of one block of
// queries exist at a time.
#pragma once

#include <cstdint>

namespace filigree::kernels {

/// Where the heads of a batch lie: element (b, t, c) of an array is at b * batch_stride + t * time_stride + c, and head
/// h has channels h * dh to (h + 1) * dh.
struct HeadArray {
    const float* data = nullptr;
    std::int64_t batch_stride = 0;
    std::int64_t time_stride = 0;
};
struct MutableHeadArray {
    float* data = nullptr;
    std::int64_t batch_stride = 0;
    std::int64_t time_stride = 0;
};

struct AttentionHeads {
    std::int64_t T = 0;
    std::int64_t H = 0;
    std::int64_t dh = 0;
    HeadArray q, k, v;
    const float* sink = nullptr;  ///< [H], or null
    MutableHeadArray y;           ///< out
    /// Out, [B, H, T] each: the largest score of a query, sink included, and 1 / sum of exp(score - largest). Both null
    /// when no gradient will be asked for.
    float* largest = nullptr;
    float* inverse_sum = nullptr;
};
/// Heads [begin, end) of the B * H heads, b * H + h.
using AttentionForward = void(const AttentionHeads& heads, std::int64_t begin, std::int64_t end, float* scratch);

struct AttentionGradients {
    std::int64_t T = 0;
    std::int64_t H = 0;
    std::int64_t dh = 0;
    HeadArray q, k, v;                   ///< as in the forward
    const float* sink = nullptr;         ///< as in the forward
    const float* largest = nullptr;      ///< of the forward
    const float* inverse_sum = nullptr;  ///< of the forward
    HeadArray dy;
    MutableHeadArray dq, dk, dv;  ///< out, assigned
    float* dsink = nullptr;       ///< out, [B, H], assigned; null without a sink
};
/// Heads [begin, end).
using AttentionBackward = void(const AttentionGradients& heads, std::int64_t begin, std::int64_t end, float* scratch);

/// Floats of scratch that one call of either kernel needs.
[[nodiscard]] static constexpr std::int64_t attention_scratch(std::int64_t T, std::int64_t dh) {
    constexpr std::int64_t kMostLanes = 16;
    return kMostLanes * (2 * T + 5 * (dh + kMostLanes)) + 2 * T * (dh + kMostLanes);
}

}  // namespace filigree::kernels
