// SPDX-License-Identifier: Apache-2.0
#include "kernels/lines.hpp"

#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace filigree::kernels::FILIGREE_ISA {
namespace {

/// Columns [0, V * kLanes) of all lines; of the last vector only the first `last_lanes`.
template <int V>
void multiply_tile(const LineProduct& p, std::int64_t column, std::int64_t last_lanes, std::int64_t begin,
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
                sum[v] += x * load(b + v * kLanes);
            }
        }
        for (int v = 0; v < V; ++v) {
            store_first(c + v * kLanes, sum[v], v + 1 < V ? kLanes : last_lanes);
        }
    }
}

using Four = float __attribute__((vector_size(16)));
using FourInts = std::int32_t __attribute__((vector_size(16)));

inline Four load_four(const float* p) {
    Four v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}
inline void store_four(float* p, Four v) { __builtin_memcpy(p, &v, sizeof v); }

inline void transpose_4x4(const float* from, std::int64_t from_stride, float* to, std::int64_t to_stride) {
    const auto a = load_four(from);
    const auto b = load_four(from + from_stride);
    const auto c = load_four(from + 2 * from_stride);
    const auto d = load_four(from + 3 * from_stride);
    const auto ab_low = __builtin_shuffle(a, b, FourInts{0, 4, 1, 5});
    const auto ab_high = __builtin_shuffle(a, b, FourInts{2, 6, 3, 7});
    const auto cd_low = __builtin_shuffle(c, d, FourInts{0, 4, 1, 5});
    const auto cd_high = __builtin_shuffle(c, d, FourInts{2, 6, 3, 7});
    store_four(to, __builtin_shuffle(ab_low, cd_low, FourInts{0, 1, 4, 5}));
    store_four(to + to_stride, __builtin_shuffle(ab_low, cd_low, FourInts{2, 3, 6, 7}));
    store_four(to + 2 * to_stride, __builtin_shuffle(ab_high, cd_high, FourInts{0, 1, 4, 5}));
    store_four(to + 3 * to_stride, __builtin_shuffle(ab_high, cd_high, FourInts{2, 3, 6, 7}));
}

/// A block of at most 8 x 8.
inline void transpose_block(const float* from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns,
                            float* to, std::int64_t to_stride) {
    if (rows >= 8 && columns >= 8) {
        transpose_4x4(from, from_stride, to, to_stride);
        transpose_4x4(from + 4, from_stride, to + 4 * to_stride, to_stride);
        transpose_4x4(from + 4 * from_stride, from_stride, to + 4, to_stride);
        transpose_4x4(from + 4 * from_stride + 4, from_stride, to + 4 * to_stride + 4, to_stride);
        return;
    }
    for (std::int64_t i = 0; i < rows && i < 8; ++i) {
        for (std::int64_t j = 0; j < columns && j < 8; ++j) {
            to[j * to_stride + i] = from[i * from_stride + j];
        }
    }
}

}  // namespace

void multiply_lines(const LineProduct& p, std::int64_t begin, std::int64_t end) {
    std::int64_t column = 0;
    for (; column + 8 * kLanes <= p.n; column += 8 * kLanes) {
        multiply_tile<8>(p, column, kLanes, begin, end);
    }
    for (; column + 4 * kLanes <= p.n; column += 4 * kLanes) {
        multiply_tile<4>(p, column, kLanes, begin, end);
    }
    for (; column < p.n; column += kLanes) {
        multiply_tile<1>(p, column, p.n - column < kLanes ? p.n - column : kLanes, begin, end);
    }
}

std::int32_t compress_line(const float* line, std::int64_t length, std::int32_t* index, float* value) {
    std::int32_t count = 0;
    std::int64_t i = 0;
#if defined(__AVX512F__)
    auto at = lane_numbers();
    for (; i + kLanes <= length; i += kLanes) {
        const auto x = reinterpret_cast<__m512>(load(line + i));
        const auto mask = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_NEQ_UQ);
        store(index + count, reinterpret_cast<Ints>(_mm512_maskz_compress_epi32(mask, reinterpret_cast<__m512i>(at))));
        store(value + count, reinterpret_cast<Floats>(_mm512_maskz_compress_ps(mask, x)));
        count += __builtin_popcount(mask);
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

void transpose(const float* from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns, float* to,
               std::int64_t to_stride, bool far_source) {
    const auto block = [&](std::int64_t i, std::int64_t j) {
        transpose_block(from + i * from_stride + j, from_stride, rows - i, columns - j, to + j * to_stride + i,
                        to_stride);
    };
    if (far_source) {
        for (std::int64_t i = 0; i < rows; i += 8) {
            for (std::int64_t j = 0; j < columns; j += 8) {
                block(i, j);
            }
        }
    } else {
        for (std::int64_t j = 0; j < columns; j += 8) {
            for (std::int64_t i = 0; i < rows; i += 8) {
                block(i, j);
            }
        }
    }
}

}  // namespace filigree::kernels::FILIGREE_ISA
