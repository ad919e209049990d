// SPDX-License-Identifier: Apache-2.0
// What happens to a row of activations at a node site (method 1.1, 1.3, 4.1), forward and backward in one pass each:
//   u = x, or x / rms(x) * gain, or gelu(x)      rms(x) = sqrt(mean(x^2) + eps), eps the machine epsilon of fp32
//   s = u where |u| is among the k largest of the row, else 0
//   y = s, or s * gate + mean * (1 - gate)
// The order of |u| is that of its bits, so a NaN counts as larger than anything, 0 and -0 as equal; among equals the
// lower index goes first. Exactly k entries are kept, zeros among them if need be; kept zeros pass gradient like any
// other.
#pragma once

#include <cstdint>

namespace filigree::kernels {

/// Words of the bit row that remembers which of n entries were kept: entry j is bit j % 64 of word j / 64.
[[nodiscard]] static constexpr std::int64_t kept_words(std::int64_t n) { return (n + 63) / 64; }

/// Floats of scratch that the kernels below need for rows of n.
[[nodiscard]] static constexpr std::int64_t site_scratch(std::int64_t n) { return 2 * ((n + 63) / 64 * 64); }

struct SiteRows {
    std::int64_t n = 0;             ///< width of a row
    std::int64_t k = 0;             ///< entries to keep, 1..n
    const float* x = nullptr;       ///< row r starts at x + r * x_stride
    std::int64_t x_stride = 0;      ///< >= n
    const float* gain = nullptr;    ///< [n], RMSNorm only
    const float* gate = nullptr;    ///< [n], or null for no gate
    const float* mean = nullptr;    ///< [n], with a gate
    float* y = nullptr;             ///< [rows, n]
    float* inverse_rms = nullptr;   ///< out, [rows], RMSNorm only; null when no gradient will be asked for
    std::uint64_t* kept = nullptr;  ///< out, [rows, kept_words(n)]; null when no gradient will be asked for
};
/// Rows [begin, end).
using SiteForward = void(const SiteRows& rows, std::int64_t begin, std::int64_t end, float* scratch);

struct SiteGradients {
    std::int64_t n = 0;
    const float* dy = nullptr;  ///< row r starts at dy + r * dy_stride
    std::int64_t dy_stride = 0;
    const float* x = nullptr;  ///< as in the forward
    std::int64_t x_stride = 0;
    const float* gain = nullptr;          ///< as in the forward
    const float* gate = nullptr;          ///< as in the forward
    const float* mean = nullptr;          ///< as in the forward
    const float* inverse_rms = nullptr;   ///< of the forward
    const std::uint64_t* kept = nullptr;  ///< of the forward
    float* dx = nullptr;                  ///< row r starts at dx + r * dx_stride; assigned
    std::int64_t dx_stride = 0;
    float* dgain = nullptr;  ///< [n], added to; RMSNorm only, null when not wanted
    float* dgate = nullptr;  ///< [n], added to; null when not wanted
};
/// Rows [begin, end), in order: the sums over rows depend on where a range ends, so give each range sums of its own.
using SiteBackward = void(const SiteGradients& rows, std::int64_t begin, std::int64_t end, float* scratch);

}  // namespace filigree::kernels
