// SPDX-License-Identifier: Apache-2.0
// Products with a matrix A of which many entries are zero, held as a list of entries per line:
//   C[r, 0:n] = start + sum over the entries e of line r, in their order, of value[e] * B[index[e], 0:n]
// Every element of C is one chain of multiply-adds in ascending index. A zero left out changes no bit of such a chain,
// so which factor is held as lines, how the index is cut into blocks and how rows are spread over threads changes
// nothing.
#pragma once

#include <cstdint>

namespace filigree::kernels {

/// Entries of a matrix by line: those of line r are [begin[r], begin[r] + count[r]), ascending in index.
struct Lines {
    const std::int32_t* begin = nullptr;
    const std::int32_t* count = nullptr;
    const std::int32_t* index = nullptr;
    const float* value = nullptr;
};

/// What a sum starts from.
enum class Start : std::uint8_t {
    kZero,
    kC,           ///< what C holds
    kLineBias,    ///< bias[r]
    kColumnBias,  ///< bias[0:n]
};

/// Rows of B may be read up to n rounded up to kLinePadding.
inline constexpr std::int64_t kLinePadding = 16;

struct LineProduct {
    Lines a;
    const float* b = nullptr;
    std::int64_t b_stride = 0;
    std::int64_t n = 0;
    float* c = nullptr;  ///< row `begin` of the call starts here
    std::int64_t c_stride = 0;
    Start start = Start::kZero;
    const float* bias = nullptr;
};
/// Lines [begin, end) of A.
using MultiplyLines = void(const LineProduct& product, std::int64_t begin, std::int64_t end);

/// The entries of one line that are not zero (a NaN is not).
/// @param index,value room for `length` + kLinePadding. @return how many there are.
using CompressLine = std::int32_t(const float* line, std::int64_t length, std::int32_t* index, float* value);

/// to[j, i] = from[i, j] for `rows` x `columns` of `from`.
/// @param far_source whether rows of `from` lie farther apart than those of `to`: each side is then gone through in the
///                   order that its cache sets bear.
using Transpose = void(const float* from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns, float* to,
                       std::int64_t to_stride, bool far_source);

}  // namespace filigree::kernels
