// SPDX-License-Identifier: Apache-2.0
#include "kernels/lines.hpp"

#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace filigree::kernels::FILIGREE_ISA {
namespace {

inline Floats add_product(Floats sum, float a, const float* b) { return multiply_add(broadcast(a), load(b), sum); }

inline Ints load_pairs(const Pair* p) {
    Ints v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}
inline void store_pairs(Pair* p, Ints v) { __builtin_memcpy(p, &v, sizeof v); }

inline Floats add_product(Floats sum, Pair a, const Pair* b) {
    const auto pair = broadcast(static_cast<std::int32_t>(a));
#if defined(__AVX512BF16__)
    return reinterpret_cast<Floats>(_mm512_dpbf16_ps(reinterpret_cast<__m512>(sum), reinterpret_cast<__m512bh>(pair),
                                                     reinterpret_cast<__m512bh>(load_pairs(b))));
#else
    // A bf16 number is the upper half of the fp32 number of the same value.
    constexpr std::int32_t kUpper = -65536;
    const auto other = load_pairs(b);
    sum = multiply_add(floats_of(pair << 16), floats_of(other << 16), sum);
    return multiply_add(floats_of(pair & kUpper), floats_of(other & kUpper), sum);
#endif
}

/// Columns [0, V * kLanes) of all lines; of the last vector only the first `last_lanes`.
template <int V, typename Entry>
void multiply_tile(const LineProductOf<Entry>& p, std::int64_t column, std::int64_t last_lanes, std::int64_t begin,
                   std::int64_t end) {
    for (auto r = begin; r < end; ++r) {
        auto* c = p.c + (r - begin) * p.c_stride + column;
        Floats sum[V] = {};
        for (int v = 0; v < V; ++v) {
            const auto lanes = v + 1 < V ? kLanes : last_lanes;
            switch (p.start) {
                case Start::kZero:
                    break;
                case Start::kC:
                    sum[v] = load_first(c + v * kLanes, lanes);
                    break;
                case Start::kLineBias:
                    sum[v] = broadcast(p.bias[r]);
                    break;
                case Start::kColumnBias:
                    sum[v] = load_first(p.bias + column + v * kLanes, lanes);
                    break;
            }
        }
        const auto* index = p.a.index + p.a.begin[r];
        const auto* value = p.a.value + p.a.begin[r];
        const auto count = p.a.count[r];
        for (std::int32_t e = 0; e < count; ++e) {
            const auto* b = p.b + index[e] * p.b_stride + column;
            const auto x = value[e];
            for (int v = 0; v < V; ++v) {
                sum[v] = add_product(sum[v], x, b + v * kLanes);
            }
        }
        for (int v = 0; v < V; ++v) {
            store_first(c + v * kLanes, sum[v], v + 1 < V ? kLanes : last_lanes);
        }
    }
}

template <typename Entry>
void multiply(const LineProductOf<Entry>& p, std::int64_t begin, std::int64_t end) {
    std::int64_t column = 0;
    for (; column + kTileVectors * kLanes <= p.n; column += kTileVectors * kLanes) {
        multiply_tile<kTileVectors>(p, column, kLanes, begin, end);
    }
    for (; column + 4 * kLanes <= p.n; column += 4 * kLanes) {
        multiply_tile<4>(p, column, kLanes, begin, end);
    }
    for (; column < p.n; column += kLanes) {
        multiply_tile<1>(p, column, p.n - column < kLanes ? p.n - column : kLanes, begin, end);
    }
}

/// One number rounded to bf16, in the low half.
inline std::uint32_t rounded(float x) {
    std::uint32_t bits = 0;
    __builtin_memcpy(&bits, &x, sizeof bits);
    if (x != x) {
        return (bits >> 16) | 0x40U;  // quiet, so that no NaN becomes infinite
    }
    return (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
}
inline Pair pair_of(float first, float second) { return Pair{rounded(first) | (rounded(second) << 16)}; }

using Four = std::int32_t __attribute__((vector_size(16)));

inline Four load_four(const std::int32_t* p) {
    Four v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}
inline void store_four(std::int32_t* p, Four v) { __builtin_memcpy(p, &v, sizeof v); }

inline void transpose_4x4(const std::int32_t* from, std::int64_t from_stride, std::int32_t* to,
                          std::int64_t to_stride) {
    const auto a = load_four(from);
    const auto b = load_four(from + from_stride);
    const auto c = load_four(from + 2 * from_stride);
    const auto d = load_four(from + 3 * from_stride);
    const auto ab_low = __builtin_shuffle(a, b, Four{0, 4, 1, 5});
    const auto ab_high = __builtin_shuffle(a, b, Four{2, 6, 3, 7});
    const auto cd_low = __builtin_shuffle(c, d, Four{0, 4, 1, 5});
    const auto cd_high = __builtin_shuffle(c, d, Four{2, 6, 3, 7});
    store_four(to, __builtin_shuffle(ab_low, cd_low, Four{0, 1, 4, 5}));
    store_four(to + to_stride, __builtin_shuffle(ab_low, cd_low, Four{2, 3, 6, 7}));
    store_four(to + 2 * to_stride, __builtin_shuffle(ab_high, cd_high, Four{0, 1, 4, 5}));
    store_four(to + 3 * to_stride, __builtin_shuffle(ab_high, cd_high, Four{2, 3, 6, 7}));
}

constexpr std::int64_t kSquare = kLanes;
constexpr std::int64_t kCacheLine = 16;  // numbers

#if defined(__AVX2__)
#if defined(__AVX512F__)
// Of two vectors, within each quarter: lower and upper elements, then lower and upper pairs, alternating.
constexpr Ints kLowElements = {0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29};
constexpr Ints kHighElements = {2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31};
constexpr Ints kLowPairs = {0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29};
constexpr Ints kHighPairs = {2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31};
// The even and the odd quarters of two vectors.
constexpr Ints kEvenQuarters = {0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27};
constexpr Ints kOddQuarters = {4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31};
#else
// The same of vectors of two quarters.
constexpr Ints kLowElements = {0, 8, 1, 9, 4, 12, 5, 13};
constexpr Ints kHighElements = {2, 10, 3, 11, 6, 14, 7, 15};
constexpr Ints kLowPairs = {0, 1, 8, 9, 4, 5, 12, 13};
constexpr Ints kHighPairs = {2, 3, 10, 11, 6, 7, 14, 15};
constexpr Ints kEvenQuarters = {0, 1, 2, 3, 8, 9, 10, 11};
constexpr Ints kOddQuarters = {4, 5, 6, 7, 12, 13, 14, 15};
#endif

inline void transpose_square(const std::int32_t* from, std::int64_t from_stride, std::int32_t* to,
                             std::int64_t to_stride) {
    Ints row[kSquare];
    Ints mixed[kSquare];
    for (std::int64_t i = 0; i < kSquare; ++i) {
        row[i] = load(from + i * from_stride);
    }
    for (std::int64_t i = 0; i < kSquare; i += 2) {
        mixed[i] = __builtin_shuffle(row[i], row[i + 1], kLowElements);
        mixed[i + 1] = __builtin_shuffle(row[i], row[i + 1], kHighElements);
    }
    for (std::int64_t i = 0; i < kSquare; i += 4) {
        row[i] = __builtin_shuffle(mixed[i], mixed[i + 2], kLowPairs);
        row[i + 1] = __builtin_shuffle(mixed[i], mixed[i + 2], kHighPairs);
        row[i + 2] = __builtin_shuffle(mixed[i + 1], mixed[i + 3], kLowPairs);
        row[i + 3] = __builtin_shuffle(mixed[i + 1], mixed[i + 3], kHighPairs);
    }
    // Quarter q of row[4 g + j] has column 4 q + j of the rows 4 g to 4 g + 3.
    for (std::int64_t j = 0; j < 4; ++j) {
        const auto even_top = __builtin_shuffle(row[j], row[4 + j], kEvenQuarters);
        const auto odd_top = __builtin_shuffle(row[j], row[4 + j], kOddQuarters);
#if defined(__AVX512F__)
        const auto even_bottom = __builtin_shuffle(row[8 + j], row[12 + j], kEvenQuarters);
        const auto odd_bottom = __builtin_shuffle(row[8 + j], row[12 + j], kOddQuarters);
        store(to + j * to_stride, __builtin_shuffle(even_top, even_bottom, kEvenQuarters));
        store(to + (4 + j) * to_stride, __builtin_shuffle(odd_top, odd_bottom, kEvenQuarters));
        store(to + (8 + j) * to_stride, __builtin_shuffle(even_top, even_bottom, kOddQuarters));
        store(to + (12 + j) * to_stride, __builtin_shuffle(odd_top, odd_bottom, kOddQuarters));
#else
        store(to + j * to_stride, even_top);
        store(to + (4 + j) * to_stride, odd_top);
#endif
    }
}
#else
inline void transpose_square(const std::int32_t* from, std::int64_t from_stride, std::int32_t* to,
                             std::int64_t to_stride) {
    transpose_4x4(from, from_stride, to, to_stride);
}
#endif

#if defined(__AVX512F__)
inline __mmask16 nonzero_lanes(Floats x) {
    return _mm512_cmp_ps_mask(reinterpret_cast<__m512>(x), _mm512_setzero_ps(), _CMP_NEQ_UQ);
}
inline __mmask16 nonzero_lanes(Ints x) {
    return _mm512_test_epi32_mask(reinterpret_cast<__m512i>(x), reinterpret_cast<__m512i>(x));
}

/// The lanes of `x` and `at` that a mask names, close together. Writes whole vectors. @return how many there are.
inline std::int32_t store_compressed(__mmask16 mask, Ints x, Ints at, void* values, std::int32_t* index) {
    store(index, reinterpret_cast<Ints>(_mm512_maskz_compress_epi32(mask, reinterpret_cast<__m512i>(at))));
    store(static_cast<std::int32_t*>(values),
          reinterpret_cast<Ints>(_mm512_maskz_compress_epi32(mask, reinterpret_cast<__m512i>(x))));
    return __builtin_popcount(mask);
}
#elif defined(__AVX2__)
inline std::uint64_t nonzero_lanes(Floats x) { return bits_of_mask(x != Floats{}); }
inline std::uint64_t nonzero_lanes(Ints x) { return bits_of_mask(x != Ints{}); }

/// Of every mask of eight lanes, the numbers of those that it names, a byte each, the first lowest.
struct LanesOfMask {
    std::uint64_t packed[256] = {};
    constexpr LanesOfMask() {
        for (std::uint32_t mask = 0; mask < 256; ++mask) {
            int count = 0;
            for (std::uint64_t lane = 0; lane < 8; ++lane) {
                if ((mask >> lane & 1U) != 0) {
                    packed[mask] |= lane << (8 * count++);
                }
            }
        }
    }
};
constexpr LanesOfMask kLanesOfMask;

/// The lanes of `x` and `at` that a mask names, close together. Writes whole vectors. @return how many there are.
inline std::int32_t store_compressed(std::uint64_t mask, Ints x, Ints at, void* values, std::int32_t* index) {
    const auto lanes = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<long long>(kLanesOfMask.packed[mask])));
    store(index, reinterpret_cast<Ints>(_mm256_permutevar8x32_epi32(reinterpret_cast<__m256i>(at), lanes)));
    store(static_cast<std::int32_t*>(values),
          reinterpret_cast<Ints>(_mm256_permutevar8x32_epi32(reinterpret_cast<__m256i>(x), lanes)));
    return __builtin_popcountll(mask);
}
#endif

/// A block of at most kSquare x kSquare.
inline void transpose_block(const std::int32_t* from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns,
                            std::int32_t* to, std::int64_t to_stride) {
    if (rows >= kSquare && columns >= kSquare) {
        transpose_square(from, from_stride, to, to_stride);
        return;
    }
    for (std::int64_t i = 0; i < rows && i < kSquare; i += 4) {
        for (std::int64_t j = 0; j < columns && j < kSquare; j += 4) {
            const auto* corner = from + i * from_stride + j;
            auto* target = to + j * to_stride + i;
            if (rows - i >= 4 && columns - j >= 4) {
                transpose_4x4(corner, from_stride, target, to_stride);
                continue;
            }
            for (std::int64_t u = 0; u < 4 && i + u < rows; ++u) {
                for (std::int64_t v = 0; v < 4 && j + v < columns; ++v) {
                    __builtin_memcpy(target + v * to_stride + u, corner + u * from_stride + v, sizeof(std::int32_t));
                }
            }
        }
    }
}

}  // namespace

void multiply_lines(const LineProduct& p, std::int64_t begin, std::int64_t end) { multiply(p, begin, end); }
void multiply_pairs(const PairProduct& p, std::int64_t begin, std::int64_t end) { multiply(p, begin, end); }

std::int32_t compress_line(const float* line, std::int64_t length, std::int32_t* index, float* value) {
    std::int32_t count = 0;
    std::int64_t i = 0;
#if defined(__AVX2__)
    auto at = lane_numbers();
    for (; i + kLanes <= length; i += kLanes) {
        const auto x = load(line + i);
        count += store_compressed(nonzero_lanes(x), bits_of(x), at, value + count, index + count);
        at += broadcast(static_cast<std::int32_t>(kLanes));
    }
#endif
    for (; i < length; ++i) {
        index[count] = static_cast<std::int32_t>(i);
        value[count] = line[i];
        count += line[i] != 0.0F ? 1 : 0;
    }
    return count;
}

std::int32_t compress_pairs(const Pair* line, std::int64_t length, std::int32_t* index, Pair* value) {
    std::int32_t count = 0;
    std::int64_t i = 0;
#if defined(__AVX2__)
    auto at = lane_numbers();
    for (; i + kLanes <= length; i += kLanes) {
        const auto x = load_pairs(line + i);
        count += store_compressed(nonzero_lanes(x), x, at, value + count, index + count);
        at += broadcast(static_cast<std::int32_t>(kLanes));
    }
#endif
    for (; i < length; ++i) {
        index[count] = static_cast<std::int32_t>(i);
        value[count] = line[i];
        count += line[i] != Pair{0} ? 1 : 0;
    }
    return count;
}

void pair_rows(const float* first, const float* second, std::int64_t count, Pair* pairs) {
    std::int64_t i = 0;
#if defined(__AVX512BF16__)
    using Halves = std::uint16_t __attribute__((vector_size(kLanes * sizeof(Pair))));
    constexpr Halves kInterleaved = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                     8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    for (; i + kLanes <= count; i += kLanes) {
        const auto later = second == nullptr ? Floats{} : load(second + i);
        const auto both =
            _mm512_cvtne2ps_pbh(reinterpret_cast<__m512>(later), reinterpret_cast<__m512>(load(first + i)));
        store_pairs(pairs + i, reinterpret_cast<Ints>(__builtin_shuffle(reinterpret_cast<Halves>(both), kInterleaved)));
    }
#endif
    for (; i < count; ++i) {
        pairs[i] = pair_of(first[i], second == nullptr ? 0.0F : second[i]);
    }
}

void pair_neighbours(const float* line, std::int64_t length, Pair* pairs) {
    std::int64_t i = 0;
#if defined(__AVX512BF16__)
    for (; i + 2 * kLanes <= length; i += 2 * kLanes) {
        const auto both = _mm512_cvtne2ps_pbh(reinterpret_cast<__m512>(load(line + i + kLanes)),
                                              reinterpret_cast<__m512>(load(line + i)));
        store_pairs(pairs + i / 2, reinterpret_cast<Ints>(both));
    }
#endif
    for (; i < length; i += 2) {
        pairs[i / 2] = pair_of(line[i], i + 1 < length ? line[i + 1] : 0.0F);
    }
}

void transpose(const void* from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns, void* to,
               std::int64_t to_stride, bool far_source) {
    const auto* source = static_cast<const std::int32_t*>(from);
    auto* target = static_cast<std::int32_t*>(to);
    const auto block = [&](std::int64_t i, std::int64_t j) {
        transpose_block(source + i * from_stride + j, from_stride, rows - i, columns - j, target + j * to_stride + i,
                        to_stride);
    };
    if (far_source) {
        // Squares above each other fill a line of the cache together.
        for (std::int64_t line = 0; line < rows; line += kCacheLine) {
            for (std::int64_t j = 0; j < columns; j += kSquare) {
                for (auto i = line; i < rows && i < line + kCacheLine; i += kSquare) {
                    block(i, j);
                }
            }
        }
    } else {
        for (std::int64_t j = 0; j < columns; j += kSquare) {
            for (std::int64_t i = 0; i < rows; i += kSquare) {
                block(i, j);
            }
        }
    }
}

}  // namespace filigree::kernels::FILIGREE_ISA
