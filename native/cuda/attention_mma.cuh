// SPDX-License-Identifier: Apache-2.0
// Attention in bf16 for heads of 16 on tensor cores: one m16n8k16 instruction multiplies 16 queries with 8 keys over
// the whole head. A warp has 16 queries, or 16 keys, and passes over tiles of 64 of the others.
#pragma once

#include <cmath>
#include <type_traits>

#include "group.cuh"

namespace filigree::cuda {

inline constexpr float kLog2E = 1.44269504088896341F;
inline constexpr int kMmaHead = 16;

struct HeadIndex {
    std::int64_t b, h, index;
};
__device__ __forceinline__ HeadIndex head_of_block(const fgk_attention& a) {
    const std::int64_t h = blockIdx.y;
    const std::int64_t b = blockIdx.z;
    return {b, h, b * a.H + h};
}
inline dim3 grid_of(const fgk_attention& a, std::int64_t lines_per_block) {
    return {static_cast<unsigned>(divide_up(a.T, lines_per_block)), static_cast<unsigned>(a.H),
            static_cast<unsigned>(a.B)};
}
/// Scores are kept in powers of two.
__device__ __forceinline__ float score_scale(std::int64_t dh) { return kLog2E / sqrtf(static_cast<float>(dh)); }

// ---- m16n8k16: D[16, 8] = A[16, 16] B[16, 8] + D. With g = lane / 4 and p = 2 (lane % 4), a lane has
//   a[0], a[1]: rows g and g + 8, columns p and p + 1;  a[2], a[3]: the same rows, columns p + 8 and p + 9
//   b[0]: rows p and p + 1 of column g;  b[1]: rows p + 8 and p + 9
//   d[0], d[1]: row g, columns p and p + 1;  d[2], d[3]: row g + 8
// where two bf16 share a register, the lower index in the lower half.
struct FragmentA {
    std::uint32_t r[4];
};
struct FragmentB {
    std::uint32_t r[2];
};

/// d = a b + c. @param c may be d.
__device__ __forceinline__ void multiply_add(float (&d)[4], const FragmentA& a, const FragmentB& b,
                                             const float (&c)[4]) {
#ifdef FILIGREE_CUDA_EMULATION
    struct Registers {
        FragmentA a;
        FragmentB b;
    };
    const auto lanes = emulation::exchange(kWholeWarp, Registers{a, b});
    const auto half = [](std::uint32_t pair, unsigned which) { return from_bf16(pair >> (16 * which) & 0xffffU); };
    const auto lane = emulation::lane();
    for (unsigned i = 0; i < 4; ++i) {
        const auto row = lane / 4 + (i / 2) * 8;
        const auto column = 2 * (lane % 4) + i % 2;
        double sum = c[i];
        for (unsigned k = 0; k < 16; ++k) {
            const auto of_a = lanes[row % 8 * 4 + k % 8 / 2].a.r[row / 8 + k / 8 * 2];
            const auto of_b = lanes[column * 4 + k % 8 / 2].b.r[k / 8];
            sum += static_cast<double>(half(of_a, k % 2)) * static_cast<double>(half(of_b, k % 2));
        }
        d[i] = static_cast<float>(sum);
    }
#else
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%10, %11, %12, %13};\n"
        : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
        : "r"(a.r[0]), "r"(a.r[1]), "r"(a.r[2]), "r"(a.r[3]), "r"(b.r[0]), "r"(b.r[1]), "f"(c[0]), "f"(c[1]), "f"(c[2]),
          "f"(c[3]));
#endif
}
__device__ __forceinline__ void multiply_add(float (&d)[4], const FragmentA& a, const FragmentB& b) {
    multiply_add(d, a, b, d);
}

inline constexpr int kMmaWarps = 4;
inline constexpr int kMmaThreads = kMmaWarps * kWarp;
inline constexpr int kMmaTile = 64;  // lines that pass by together, and lines of a block
static_assert(kMmaTile == 16 * kMmaWarps);

/// 64 lines of one head; the stride keeps the eight rows of a small matrix on different banks.
struct MmaLines {
    static constexpr int kStride = 24;
    alignas(16) std::uint16_t data[kMmaTile * kStride];

    /// 16 lines from `line` on as B of a product over channels, eight lines each.
    __device__ __forceinline__ void over_channels(int line, FragmentB (&b)[2]) const { load<false>(line, b); }
    /// 16 lines from `line` on as B of a product over these lines, eight channels each.
    __device__ __forceinline__ void over_lines(int line, FragmentB (&b)[2]) const { load<true>(line, b); }

private:
    /// Four matrices of 8 by 8, whose rows are 16 bytes: lane l has row l % 8 of number l / 8. Each register gets the
    /// two elements at 2 (l % 4) of row l / 4, of a matrix that is transposed for the second product.
    template <bool kTransposed>
    __device__ __forceinline__ void load(int line, FragmentB (&b)[2]) const {
        const auto lane = static_cast<int>(threadIdx.x) % kWarp;
        // Over channels: lines 0 to 7 of the channels 0 to 7, then 8 to 15, then lines 8 to 15. Over lines: the lines
        // change first.
        const auto lines = kTransposed ? lane / 8 % 2 : lane / 16;
        const auto channels = kTransposed ? lane / 16 : lane / 8 % 2;
        const auto* row = data + (line + lines * 8 + lane % 8) * kStride + channels * 8;
#ifdef FILIGREE_CUDA_EMULATION
        const auto rows = emulation::exchange(kWholeWarp, row);
        const auto g = static_cast<unsigned>(lane) / 4;
        const auto p = static_cast<unsigned>(lane) % 4 * 2;
        for (unsigned i = 0; i < 4; ++i) {
            const auto low = kTransposed ? rows[8 * i + p][g] : rows[8 * i + g][p];
            const auto high = kTransposed ? rows[8 * i + p + 1][g] : rows[8 * i + g][p + 1];
            b[i / 2].r[i % 2] = low | static_cast<std::uint32_t>(high) << 16;
        }
#else
        const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
        if constexpr (kTransposed) {
            asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                         : "=r"(b[0].r[0]), "=r"(b[0].r[1]), "=r"(b[1].r[0]), "=r"(b[1].r[1])
                         : "r"(address));
        } else {
            asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                         : "=r"(b[0].r[0]), "=r"(b[0].r[1]), "=r"(b[1].r[0]), "=r"(b[1].r[1])
                         : "r"(address));
        }
#endif
    }
};

/// The lines of one head of an array of the call. All sizes fit into 32 bits but those of the whole array.
struct MmaHead {
    std::uint16_t* data;
    std::int64_t stride;
    int lines;
    bool in_eights;  // whether 16 bytes can be read and written at once

    __device__ __forceinline__ MmaHead(const fgk_attention& a, const fgk_heads& x, const HeadIndex& head)
        : data(static_cast<std::uint16_t*>(x.data) + head.b * x.batch_stride + head.h * kMmaHead),
          stride(x.time_stride),
          lines(static_cast<int>(a.T)),
          in_eights(x.time_stride % 8 == 0 && reinterpret_cast<std::uintptr_t>(data) % 16 == 0) {}

    /// Lines t0 to t0 + 63, zero beyond the end; two threads have a line.
    __device__ __forceinline__ void load(int t0, MmaLines& to) const {
        static_assert(kMmaThreads == 2 * kMmaTile);
        const auto line = static_cast<int>(threadIdx.x) / 2;
        const auto channel = static_cast<int>(threadIdx.x) % 2 * 8;
        uint4 bits{0, 0, 0, 0};
        if (t0 + line < lines) {
            const auto* place = data + (t0 + line) * stride + channel;
            if (in_eights) {
                bits = *reinterpret_cast<const uint4*>(place);
            } else {
                const auto pair = [&](int i) { return place[i] | static_cast<unsigned>(place[i + 1]) << 16; };
                bits = uint4{pair(0), pair(2), pair(4), pair(6)};
            }
        }
        *reinterpret_cast<uint4*>(to.data + line * MmaLines::kStride + channel) = bits;
    }

    /// 16 lines from t on, zero beyond the end, as A of a product over channels.
    __device__ __forceinline__ FragmentA load_own(int t) const {
        const auto lane = static_cast<int>(threadIdx.x) % kWarp;
        FragmentA fragment;
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const auto line = t + lane / 4 + (i % 2) * 8;
            const auto* place = data + line * stride + 2 * (lane % 4) + (i / 2) * 8;
            fragment.r[i] = line >= lines ? 0U
                            : in_eights   ? *reinterpret_cast<const std::uint32_t*>(place)
                                          : place[0] | static_cast<std::uint32_t>(place[1]) << 16;
        }
        return fragment;
    }

    /// Sums [16, 16] as two D fragments to the lines from t on, times `factor` of their row.
    __device__ __forceinline__ void store_own(int t, const float (&sums)[2][4], float low, float high) const {
        const auto lane = static_cast<int>(threadIdx.x) % kWarp;
        const bool odd = lane % 2 != 0;
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const auto line = t + lane / 4 + half * 8;
            const auto factor = half == 0 ? low : high;
            const auto left = pack_bf16(sums[0][2 * half] * factor, sums[0][2 * half + 1] * factor);
            const auto right = pack_bf16(sums[1][2 * half] * factor, sums[1][2 * half + 1] * factor);
            // Neighbouring lanes have the channels p to p + 3 and p + 8 to p + 11 together: one takes the left four,
            // the other the right four.
            const auto other = __shfl_xor_sync(kWholeWarp, odd ? left : right, 1);
            const uint2 bits{odd ? other : left, odd ? right : other};
            if (line >= lines) continue;
            auto* place = data + line * stride + lane % 4 / 2 * 4 + (odd ? 8 : 0);
            if (in_eights) {
                write_at_once(place, bits);
            } else {
                place[0] = static_cast<std::uint16_t>(bits.x), place[1] = static_cast<std::uint16_t>(bits.x >> 16);
                place[2] = static_cast<std::uint16_t>(bits.y), place[3] = static_cast<std::uint16_t>(bits.y >> 16);
            }
        }
    }
};

/// Two neighbouring D fragments [16, 8] as one A fragment [16, 16].
__device__ __forceinline__ FragmentA as_factor(const float (&left)[4], const float (&right)[4]) {
    return {{pack_bf16(left[0], left[1]), pack_bf16(left[2], left[3]), pack_bf16(right[0], right[1]),
             pack_bf16(right[2], right[3])}};
}
/// Over the four lanes that share a row of a D fragment.
__device__ __forceinline__ float sum_of_row(float x) {
    x += __shfl_xor_sync(kWholeWarp, x, 1);
    return x + __shfl_xor_sync(kWholeWarp, x, 2);
}
__device__ __forceinline__ float most_of_row(float x) {
    const float one = __shfl_xor_sync(kWholeWarp, x, 1);
    x = one > x ? one : x;
    const float two = __shfl_xor_sync(kWholeWarp, x, 2);
    return two > x ? two : x;
}

/// Sums over the channels of the products of two A fragments, of rows g and g + 8.
__device__ __forceinline__ void dot_rows(const FragmentA& x, const FragmentA& y, float (&dots)[2]) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        float sum = 0.0F;
#pragma unroll
        for (int i = half; i < 4; i += 2) {
            sum += from_bf16(x.r[i] & 0xffffU) * from_bf16(y.r[i] & 0xffffU);
            sum += from_bf16(x.r[i] >> 16) * from_bf16(y.r[i] >> 16);
        }
        dots[half] = sum_of_row(sum);
    }
}

/// Where a warp is: the lines that it has to itself, and where its lane is among them.
struct MmaPlace {
    HeadIndex head;
    int first;   // line of the block
    int own;     // line of the warp
    int row;     // of the lane in D: g
    int column;  // p

    __device__ __forceinline__ explicit MmaPlace(const fgk_attention& a)
        : head(head_of_block(a)),
          first(static_cast<int>(blockIdx.x) * kMmaTile),
          own(first + static_cast<int>(threadIdx.x) / kWarp * 16),
          row(static_cast<int>(threadIdx.x) % kWarp / 4),
          column(static_cast<int>(threadIdx.x) % 4 * 2) {}
};

struct MmaKeysAndValues {
    MmaLines k, v;
};

/// use(std::bool_constant) for every tile of keys and values that the block's queries see, the diagonal's last, when it
/// is true. All threads of the block call.
template <typename Use>
__device__ __forceinline__ void for_key_tiles(const MmaHead& keys, const MmaHead& values, const MmaPlace& at,
                                              MmaKeysAndValues& tile, const Use& use) {
    for (int j0 = 0; j0 <= at.first; j0 += kMmaTile) {
        __syncthreads();
        keys.load(j0, tile.k);
        values.load(j0, tile.v);
        __syncthreads();
        if (j0 < at.first) {
            use(std::false_type{});
        } else {
            use(std::true_type{});
        }
    }
}

/// One tile of keys and values of the forward. Scores stay as they are; `scale` is in the powers alone.
/// @param most largest scores so far. @param shift the same times the scale, rounded once.
/// @tparam kDiagonal whether some of the keys are in the future of some of the queries.
template <bool kDiagonal>
__device__ __forceinline__ void attend(const MmaKeysAndValues& tile, const FragmentA& q, const MmaPlace& at,
                                       float scale, float (&most)[2], float (&shift)[2], float (&denominator)[2],
                                       float (&sums)[2][4]) {
    constexpr int kParts = kMmaTile / 8;
    const auto own = at.own - at.first;  // of the tile that is on the diagonal, lines behind own + 15 are all future
    float score[kParts][4];
    float new_most[2] = {most[0], most[1]};
#pragma unroll
    for (int part = 0; part < kParts; part += 2) {
        if (kDiagonal && part * 8 > own) break;
        FragmentB keys[2];
        tile.k.over_channels(part * 8, keys);
#pragma unroll
        for (int side = 0; side < 2; ++side) {
            auto& s = score[part + side];
            const float none[4] = {};
            multiply_add(s, q, keys[side], none);
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                if (kDiagonal && (part + side) * 8 + at.column + i % 2 > own + at.row + i / 2 * 8) s[i] = -INFINITY;
                new_most[i / 2] = fmaxf(new_most[i / 2], s[i]);
            }
        }
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        most[half] = most_of_row(new_most[half]);
        const auto new_shift = rounded_product(most[half], scale);
        const auto shrink = fast_exp2(shift[half] - new_shift);  // 0 of the first tile without a sink
        shift[half] = new_shift;
        denominator[half] *= shrink;
#pragma unroll
        for (int part = 0; part < 2; ++part) {
            sums[part][2 * half] *= shrink;
            sums[part][2 * half + 1] *= shrink;
        }
    }
#pragma unroll
    for (int part = 0; part < kParts; part += 2) {
        if (kDiagonal && part * 8 > own) break;
#pragma unroll
        for (int side = 0; side < 2; ++side) {
            auto& s = score[part + side];
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                s[i] = fast_exp2(s[i] * scale - shift[i / 2]);
                denominator[i / 2] += s[i];
            }
        }
        const auto weights = as_factor(score[part], score[part + 1]);
        FragmentB values[2];
        tile.v.over_lines(part * 8, values);
        multiply_add(sums[0], weights, values[0]);
        multiply_add(sums[1], weights, values[1]);
    }
}

static __global__ void __launch_bounds__(kMmaThreads) mma_attention_forward(fgk_attention a) {
    auto& tile = *shared_memory<MmaKeysAndValues>();
    const MmaPlace at(a);
    const MmaHead keys(a, a.k, at.head);
    const MmaHead values(a, a.v, at.head);
    const auto q = MmaHead(a, a.q, at.head).load_own(at.own);
    const auto scale = score_scale(kMmaHead);
    float sums[2][4] = {};
    float most[2];  // of rows g and g + 8
    float shift[2];
    float denominator[2];
    for (int half = 0; half < 2; ++half) {
        most[half] = a.sink != nullptr ? a.sink[at.head.h] * kLog2E / scale : -INFINITY;
        shift[half] = a.sink != nullptr ? a.sink[at.head.h] * kLog2E : -INFINITY;
        denominator[half] = a.sink != nullptr && at.column == 0 ? 1.0F : 0.0F;  // the row's lanes are added at the end
    }
    for_key_tiles(keys, values, at, tile, [&](auto diagonal) {
        attend<decltype(diagonal)::value>(tile, q, at, scale, most, shift, denominator, sums);
    });
    for (int half = 0; half < 2; ++half) denominator[half] = sum_of_row(denominator[half]);
    MmaHead(a, a.y, at.head).store_own(at.own, sums, 1.0F / denominator[0], 1.0F / denominator[1]);
    if (a.log_sum != nullptr && at.column == 0) {
        for (int half = 0; half < 2; ++half) {
            const auto query = at.own + at.row + half * 8;
            if (query < keys.lines) {
                a.log_sum[at.head.index * a.T + query] = (shift[half] + log2f(denominator[half])) / kLog2E;
            }
        }
    }
}

/// One tile of keys and values for dq. @param log_sum in powers of two. @param dot dy . y.
template <bool kDiagonal>
__device__ __forceinline__ void add_dq(const MmaKeysAndValues& tile, const FragmentA& q, const FragmentA& dy,
                                       const MmaPlace& at, float scale, const float (&log_sum)[2],
                                       const float (&dot)[2], float (&dq)[2][4]) {
    const auto own = at.own - at.first;
    const float less_dot[4] = {-dot[0], -dot[0], -dot[1], -dot[1]};
#pragma unroll
    for (int part = 0; part < kMmaTile / 8; part += 2) {
        if (kDiagonal && part * 8 > own) break;
        float ds[2][4];
        FragmentB keys[2];
        FragmentB values[2];
        tile.k.over_channels(part * 8, keys);
        tile.v.over_channels(part * 8, values);
#pragma unroll
        for (int side = 0; side < 2; ++side) {
            float score[4];
            const float none[4] = {};
            multiply_add(score, q, keys[side], none);
            multiply_add(ds[side], dy, values[side], less_dot);
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const bool future = kDiagonal && (part + side) * 8 + at.column + i % 2 > own + at.row + i / 2 * 8;
                ds[side][i] *= future ? 0.0F : fast_exp2(score[i] * scale - log_sum[i / 2]);
            }
        }
        const auto factor = as_factor(ds[0], ds[1]);
        tile.k.over_lines(part * 8, keys);
        multiply_add(dq[0], factor, keys[0]);
        multiply_add(dq[1], factor, keys[1]);
    }
}

/// dq, and what dk, dv and dsink need of every query: dots = dy . y.
static __global__ void __launch_bounds__(kMmaThreads) mma_attention_backward_q(fgk_attention_gradients g, float* dots) {
    auto& tile = *shared_memory<MmaKeysAndValues>();
    const auto& a = g.forward;
    const MmaPlace at(a);
    const MmaHead keys(a, a.k, at.head);
    const MmaHead values(a, a.v, at.head);
    const auto q = MmaHead(a, a.q, at.head).load_own(at.own);
    const auto dy = MmaHead(a, g.dy, at.head).load_own(at.own);
    const auto scale = score_scale(kMmaHead);
    float dot[2];
    dot_rows(dy, MmaHead(a, a.y, at.head).load_own(at.own), dot);
    float log_sum[2];
    for (int half = 0; half < 2; ++half) {
        const auto query = at.own + at.row + half * 8;
        const auto place = at.head.index * a.T + query;
        log_sum[half] = query < keys.lines ? a.log_sum[place] * kLog2E : INFINITY;  // no query has no weight
        if (query < keys.lines && at.column == 0) dots[place] = dot[half];
    }
    float dq[2][4] = {};
    for_key_tiles(keys, values, at, tile,
                  [&](auto diagonal) { add_dq<decltype(diagonal)::value>(tile, q, dy, at, scale, log_sum, dot, dq); });
    MmaHead(a, g.dq, at.head).store_own(at.own, dq, scale / kLog2E, scale / kLog2E);
}

struct MmaBackwardKvTile {
    MmaLines q, dy;
    alignas(8) float log_sum[kMmaTile];   // in powers of two; infinite beyond the end, where nothing has a weight
    alignas(8) float less_dot[kMmaTile];  // -dy . y
};

/// One tile of queries for dk and dv.
template <bool kDiagonal>
__device__ __forceinline__ void add_dk_dv(const MmaBackwardKvTile& tile, const FragmentA& k, const FragmentA& v,
                                          const MmaPlace& at, float scale, float (&dk)[2][4], float (&dv)[2][4]) {
    const auto own = at.own - at.first;
#pragma unroll
    for (int part = 0; part < kMmaTile / 8; part += 2) {
        if (kDiagonal && part * 8 + 15 < own) continue;  // all queries of the part are in the past of the warp's keys
        float weight[2][4];
        float ds[2][4];
        FragmentB queries[2];
        FragmentB gradients[2];
        tile.q.over_channels(part * 8, queries);
        tile.dy.over_channels(part * 8, gradients);
#pragma unroll
        for (int side = 0; side < 2; ++side) {
            const auto column = (part + side) * 8 + at.column;
            const float none[4] = {};
            float score[4];
            multiply_add(score, k, queries[side], none);
            const float less_dot[4] = {tile.less_dot[column], tile.less_dot[column + 1], tile.less_dot[column],
                                       tile.less_dot[column + 1]};
            multiply_add(ds[side], v, gradients[side], less_dot);
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const bool past = kDiagonal && column + i % 2 < own + at.row + i / 2 * 8;
                weight[side][i] = past ? 0.0F : fast_exp2(score[i] * scale - tile.log_sum[column + i % 2]);
                ds[side][i] *= weight[side][i];
            }
        }
        const auto weights = as_factor(weight[0], weight[1]);
        tile.dy.over_lines(part * 8, gradients);
        multiply_add(dv[0], weights, gradients[0]);
        multiply_add(dv[1], weights, gradients[1]);
        const auto factor = as_factor(ds[0], ds[1]);
        tile.q.over_lines(part * 8, queries);
        multiply_add(dk[0], factor, queries[0]);
        multiply_add(dk[1], factor, queries[1]);
    }
}

static __global__ void __launch_bounds__(kMmaThreads)
    mma_attention_backward_kv(fgk_attention_gradients g, const float* dots) {
    auto& tile = *shared_memory<MmaBackwardKvTile>();
    const auto& a = g.forward;
    const MmaPlace at(a);
    const MmaHead queries(a, a.q, at.head);
    const MmaHead gradients(a, g.dy, at.head);
    const auto k = MmaHead(a, a.k, at.head).load_own(at.own);
    const auto v = MmaHead(a, a.v, at.head).load_own(at.own);
    const auto scale = score_scale(kMmaHead);
    float dk[2][4] = {};
    float dv[2][4] = {};
    for (int i0 = at.first; i0 < queries.lines; i0 += kMmaTile) {
        __syncthreads();
        queries.load(i0, tile.q);
        gradients.load(i0, tile.dy);
        if (threadIdx.x < kMmaTile) {
            const auto query = i0 + static_cast<int>(threadIdx.x);
            const auto place = at.head.index * a.T + query;
            tile.log_sum[threadIdx.x] = query < queries.lines ? a.log_sum[place] * kLog2E : INFINITY;
            tile.less_dot[threadIdx.x] = query < queries.lines ? -dots[place] : 0.0F;
        }
        __syncthreads();
        if (i0 > at.first) {
            add_dk_dv<false>(tile, k, v, at, scale, dk, dv);
        } else {
            add_dk_dv<true>(tile, k, v, at, scale, dk, dv);
        }
    }
    MmaHead(a, g.dk, at.head).store_own(at.own, dk, scale / kLog2E, scale / kLog2E);
    MmaHead(a, g.dv, at.head).store_own(at.own, dv, 1.0F, 1.0F);
}

inline std::int32_t mma_forward(const fgk_attention& a, void* stream) {
    FGK_LAUNCH(grid_of(a, kMmaTile), kMmaThreads, sizeof(MmaKeysAndValues), stream, mma_attention_forward, a);
    return 0;
}
inline std::int32_t mma_backward(const fgk_attention_gradients& g, float* dots, void* stream) {
    const auto grid = grid_of(g.forward, kMmaTile);
    const auto* known = static_cast<const float*>(dots);
    FGK_LAUNCH(grid, kMmaThreads, sizeof(MmaKeysAndValues), stream, mma_attention_backward_q, g, dots);
    FGK_LAUNCH(grid, kMmaThreads, sizeof(MmaBackwardKvTile), stream, mma_attention_backward_kv, g, known);
    return 0;
}

}  // namespace filigree::cuda
