// SPDX-License-Identifier: Apache-2.0
// Products with a matrix A of which many entries are zero, held as a list of entries per line:
//   C[r, 0:n] = start + sum over the entries e of line r, in their order, of value[e] * B[index[e], 0:n]
// Every element of C is one chain of multiply-adds in ascending index. A zero left out changes no bit of such a chain
// of finite numbers, up to the sign of a zero, so which factor is held as lines, how the index is cut into blocks and
// how rows are spread over threads changes nothing.
// With factors in bf16 an entry is a pair: two neighbours of a line of A at once, against two rows of B at once.
#pragma once

#include <cstdint>

namespace filigree::kernels {

/// Two bf16 numbers that are neighbours along the index of a product; the earlier one in the low half.
enum class Pair : std::uint32_t {};

/// Entries of a matrix by line: those of line r are [begin[r], begin[r] + count[r]), ascending in index.
template <typename Entry>
struct LinesOf {
    const std::int32_t* begin = nullptr;
    const std::int32_t* count = nullptr;
    const std::int32_t* index = nullptr;
    const Entry* value = nullptr;
};
using Lines = LinesOf<float>;
using PairLines = LinesOf<Pair>;

/// What a sum starts from.
enum class Start : std::uint8_t {
    kZero,
    kC,           ///< what C holds
    kLineBias,    ///< bias[r]
    kColumnBias,  ///< bias[0:n]
};

/// Rows of B may be read up to n rounded up to kLinePadding.
inline constexpr std::int64_t kLinePadding = 16;

/// Vectors of columns of C that are summed in registers at a time.
inline constexpr std::int64_t kTileVectors = 8;

template <typename Entry>
struct LineProductOf {
    LinesOf<Entry> a;
    const Entry* b = nullptr;
    std::int64_t b_stride = 0;
    std::int64_t n = 0;
    float* c = nullptr;  ///< row `begin` of the call starts here
    std::int64_t c_stride = 0;
    Start start = Start::kZero;
    const float* bias = nullptr;
};
using LineProduct = LineProductOf<float>;
using PairProduct = LineProductOf<Pair>;
/// Lines [begin, end) of A.
using MultiplyLines = void(const LineProduct& product, std::int64_t begin, std::int64_t end);
/// The same with fp32 sums of the products of pairs. Numbers below the normal ones may count as zero.
using MultiplyPairs = void(const PairProduct& product, std::int64_t begin, std::int64_t end);

/// The entries of one line that are not zero (a NaN is not).
/// @param index,value room for `length` + kLinePadding. @return how many there are.
using CompressLine = std::int32_t(const float* line, std::int64_t length, std::int32_t* index, float* value);
using CompressPairs = std::int32_t(const Pair* line, std::int64_t length, std::int32_t* index, Pair* value);

/// pairs[i] = (first[i], second[i]) rounded to bf16, ties to even. @param second null for zeros.
using PairRows = void(const float* first, const float* second, std::int64_t count, Pair* pairs);
/// pairs[i] = (line[2 i], line[2 i + 1]), with a zero behind the last one of an odd length.
using PairNeighbours = void(const float* line, std::int64_t length, Pair* pairs);

/// to[j, i] = from[i, j] for `rows` x `columns` elements of 32 bits of `from`; strides are in elements.
/// @param far_source whether rows of `from` lie farther apart than those of `to`: each side is then gone through in the
///                   order that its cache sets bear.
using Transpose = void(const void* from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns, void* to,
                       std::int64_t to_stride, bool far_source);

}  // namespace filigree::kernels
