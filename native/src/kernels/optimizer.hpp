// SPDX-License-Identifier: Apache-2.0
// Passes over the flat weights of a training step (method 2.1.5 to 2.1.8). Magnitudes are compared as the bits of |w|,
// which order like the values.
#pragma once

#include <cstdint>

namespace filigree::kernels {

/// Sum of x^2 over n elements: fp32 lanes, a fixed order. Infinite when a square is, NaN when an element is.
using SumOfSquares = double(const float* x, std::int64_t n);

/// One step of Adam on n elements, which also clears the gradient:
///   g <- g * scale; m <- b1 m + (1 - b1) g; v <- b2 v + (1 - b2) g^2; w <- (w - step m / (sqrt(v) * root + eps)) *
///   decay
struct AdamPass {
    float scale = 1.0F;
    float beta1 = 0.0F, one_minus_beta1 = 1.0F;
    float beta2 = 0.0F, one_minus_beta2 = 1.0F;
    float step = 0.0F;  ///< learning rate over the first bias correction
    float root = 1.0F;  ///< 1 over the root of the second
    float eps = 0.0F;
    float decay = 1.0F;
};
using AdamStep = void(const AdamPass& pass, std::int64_t n, float* w, float* m, float* v, float* g);

/// List the elements with low <= |w| bits < high, in order.
/// @param found room for n + 16. @param out_listed how many were listed. @return how many have |w| bits >= high.
using ScanMagnitudes = std::int64_t(const float* w, std::int64_t n, std::int32_t low, std::int32_t high,
                                    std::int32_t* found, std::int64_t* out_listed);

/// counts[j] += |w[i, j]| bits >= high, over `rows` rows of n columns.
using CountColumns = void(const float* w, std::int64_t stride, std::int64_t rows, std::int64_t n, std::int32_t high,
                          std::int32_t* counts);

/// List the elements of one row whose |w| bits exceed cutoff[j], in order. @param found room for n + 16. @return how
/// many.
using ExceedCutoffs = std::int64_t(const float* w, std::int64_t n, const std::int32_t* cutoff, std::int32_t* found);

/// w <- |w| bits >= high ? w * decay : 0.
using KeepLarge = void(float* w, std::int64_t n, std::int32_t high, float decay);

}  // namespace filigree::kernels
