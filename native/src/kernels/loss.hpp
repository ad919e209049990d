// SPDX-License-Identifier: Apache-2.0
// Cross-entropy of rows of logits, with a bias and a row of the bigram table added on the fly:
//   z = logits + bias + table[token], loss = log sum exp(z) - z[target], dz = (softmax(z) - onehot(target)) * scale
#pragma once

#include <cstdint>

namespace filigree::kernels {

struct LossRows {
    std::int64_t V = 0;
    float* logits = nullptr;                ///< [rows, V]; becomes dz when `scale` is not 0
    const float* bias = nullptr;            ///< [V]
    const float* table = nullptr;           ///< [V, V], or null for none
    const std::int64_t* tokens = nullptr;   ///< [rows], with a table
    const std::int64_t* targets = nullptr;  ///< [rows]
    float scale = 0.0F;                     ///< 0 when no gradient will be asked for
    double* losses = nullptr;               ///< out, [rows]
    float* dbias = nullptr;                 ///< [V], dz is added to it; null when not wanted
};
/// Rows [begin, end), in order. @param scratch [V + 64] floats.
using CrossEntropy = void(const LossRows& rows, std::int64_t begin, std::int64_t end, float* scratch);

}  // namespace filigree::kernels
