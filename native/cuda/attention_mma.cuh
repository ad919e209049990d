// SPDX-License-Identifier: Apache-2.0
// Attention in bf16 for heads of 16 on tensor cores: one m16n8k16 instruction multiplies 16 queries with 8 keys over
// the whole head. A warp has 16 queries, or 16 keys, and passes over tiles of 64 of the others.
#pragma once

#include <cmath>

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

__device__ __forceinline__ void multiply_add(float (&d)[4], const FragmentA& a, const FragmentB& b) {
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
        double sum = d[i];
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
        "{%0, %1, %2, %3};\n"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a.r[0]), "r"(a.r[1]), "r"(a.r[2]), "r"(a.r[3]), "r"(b.r[0]), "r"(b.r[1]));
#endif
}

inline constexpr int kMmaWarps = 4;
inline constexpr int kMmaThreads = kMmaWarps * kWarp;
inline constexpr int kMmaTile = 64;  // lines that pass by together, and lines of a block
static_assert(kMmaTile == 16 * kMmaWarps);

/// 64 lines of one head, as rows and as columns; the strides keep the lanes of a fragment on different banks.
struct MmaRows {
    static constexpr int kStride = 24;
    alignas(16) std::uint16_t data[kMmaTile * kStride];

    /// Eight lines from `line` on as B of a product over channels.
    __device__ __forceinline__ FragmentB over_channels(int line) const {
        const auto lane = static_cast<int>(threadIdx.x) % kWarp;
        const auto* from = data + (line + lane / 4) * kStride + 2 * (lane % 4);
        return {{*reinterpret_cast<const std::uint32_t*>(from), *reinterpret_cast<const std::uint32_t*>(from + 8)}};
    }
};
struct MmaColumns {
    static constexpr int kStride = 72;
    alignas(16) std::uint16_t data[kMmaHead * kStride];

    /// Channels `channel` to `channel` + 7 of 16 lines from `line` on as B of a product over lines.
    __device__ __forceinline__ FragmentB over_lines(int line, int channel) const {
        const auto lane = static_cast<int>(threadIdx.x) % kWarp;
        const auto* from = data + (channel + lane / 4) * kStride + line + 2 * (lane % 4);
        return {{*reinterpret_cast<const std::uint32_t*>(from), *reinterpret_cast<const std::uint32_t*>(from + 8)}};
    }
};

/// Copy lines t0 to t0 + 63, zero beyond the end. @param rows,columns either may be null.
__device__ __forceinline__ void load_lines(const fgk_attention& a, const fgk_heads& from, const HeadIndex& head,
                                           std::int64_t t0, MmaRows* rows, MmaColumns* columns) {
    const auto* data = static_cast<const std::uint16_t*>(from.data) + head.b * from.batch_stride + head.h * kMmaHead;
    const bool in_fours = from.time_stride % 4 == 0 && reinterpret_cast<std::uintptr_t>(data) % 8 == 0;
    for (int i = static_cast<int>(threadIdx.x); i < kMmaTile * kMmaHead / 4; i += kMmaThreads) {
        const auto line = i / (kMmaHead / 4);
        const auto channel = i % (kMmaHead / 4) * 4;
        uint2 bits{0, 0};
        if (t0 + line < a.T) {
            const auto* place = data + (t0 + line) * from.time_stride + channel;
            if (in_fours) {
                bits = *reinterpret_cast<const uint2*>(place);
            } else {
                bits.x = place[0] | static_cast<unsigned>(place[1]) << 16;
                bits.y = place[2] | static_cast<unsigned>(place[3]) << 16;
            }
        }
        if (rows != nullptr) *reinterpret_cast<uint2*>(rows->data + line * MmaRows::kStride + channel) = bits;
        if (columns != nullptr) {
            auto* to = columns->data + channel * MmaColumns::kStride + line;
            to[0 * MmaColumns::kStride] = static_cast<std::uint16_t>(bits.x);
            to[1 * MmaColumns::kStride] = static_cast<std::uint16_t>(bits.x >> 16);
            to[2 * MmaColumns::kStride] = static_cast<std::uint16_t>(bits.y);
            to[3 * MmaColumns::kStride] = static_cast<std::uint16_t>(bits.y >> 16);
        }
    }
}

/// The 16 lines of this warp, from t on, as A of a product over channels.
__device__ __forceinline__ FragmentA load_own_lines(const fgk_attention& a, const fgk_heads& from,
                                                    const HeadIndex& head, std::int64_t t) {
    const auto* data = static_cast<const std::uint16_t*>(from.data) + head.b * from.batch_stride + head.h * kMmaHead;
    const auto lane = static_cast<int>(threadIdx.x) % kWarp;
    FragmentA fragment;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        const auto line = t + lane / 4 + (i % 2) * 8;
        const auto channel = 2 * (lane % 4) + (i / 2) * 8;
        const auto* place = data + line * from.time_stride + channel;
        fragment.r[i] = line < a.T ? place[0] | static_cast<std::uint32_t>(place[1]) << 16 : 0U;
    }
    return fragment;
}
/// Store sums [16, 16] as two D fragments, times `factor` of their row.
__device__ __forceinline__ void store_own_lines(const fgk_attention& a, const fgk_heads& to, const HeadIndex& head,
                                                std::int64_t t, const float (&sums)[2][4], float low, float high) {
    auto* data = static_cast<std::uint16_t*>(to.data) + head.b * to.batch_stride + head.h * kMmaHead;
    const auto lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const auto line = t + lane / 4 + half * 8;
        const auto factor = half == 0 ? low : high;
        if (line >= a.T) continue;
#pragma unroll
        for (int part = 0; part < 2; ++part) {
            auto* place = data + line * to.time_stride + part * 8 + 2 * (lane % 4);
            place[0] = static_cast<std::uint16_t>(to_bf16(sums[part][2 * half] * factor));
            place[1] = static_cast<std::uint16_t>(to_bf16(sums[part][2 * half + 1] * factor));
        }
    }
}
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

struct MmaForwardTile {
    MmaRows k;
    MmaColumns v;
};

static __global__ void __launch_bounds__(kMmaThreads) mma_attention_forward(fgk_attention a) {
    auto& tile = *shared_memory<MmaForwardTile>();
    const auto head = head_of_block(a);
    const auto lane = static_cast<int>(threadIdx.x) % kWarp;
    const auto first = static_cast<std::int64_t>(blockIdx.x) * kMmaTile;
    const auto own = first + threadIdx.x / kWarp * 16;  // first query of the warp
    const auto q = load_own_lines(a, a.q, head, own);
    const auto scale = score_scale(kMmaHead);
    float sums[2][4] = {};
    float most[2];  // of rows g and g + 8
    float denominator[2];
    for (int half = 0; half < 2; ++half) {
        most[half] = a.sink != nullptr ? a.sink[head.h] * kLog2E : -INFINITY;
        denominator[half] = a.sink != nullptr && lane % 4 == 0 ? 1.0F : 0.0F;  // the row's lanes are added at the end
    }
    for (std::int64_t j0 = 0; j0 <= first; j0 += kMmaTile) {
        __syncthreads();
        load_lines(a, a.k, head, j0, &tile.k, nullptr);
        load_lines(a, a.v, head, j0, nullptr, &tile.v);
        __syncthreads();
        constexpr int kParts = kMmaTile / 8;
        float score[kParts][4];
        float new_most[2] = {most[0], most[1]};
#pragma unroll
        for (int part = 0; part < kParts; ++part) {
#pragma unroll
            for (int i = 0; i < 4; ++i) score[part][i] = 0.0F;
            multiply_add(score[part], q, tile.k.over_channels(part * 8));
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const auto key = j0 + part * 8 + 2 * (lane % 4) + i % 2;
                const auto query = own + lane / 4 + (i / 2) * 8;
                score[part][i] = key <= query ? score[part][i] * scale : -INFINITY;
                new_most[i / 2] = score[part][i] > new_most[i / 2] ? score[part][i] : new_most[i / 2];
            }
        }
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            new_most[half] = most_of_row(new_most[half]);
            const auto shrink = new_most[half] > most[half] ? exp2f(most[half] - new_most[half]) : 1.0F;
            most[half] = new_most[half];
            denominator[half] *= shrink;
#pragma unroll
            for (int part = 0; part < 2; ++part) {
                sums[part][2 * half] *= shrink;
                sums[part][2 * half + 1] *= shrink;
            }
        }
#pragma unroll
        for (int part = 0; part < kParts; ++part) {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                score[part][i] = exp2f(score[part][i] - most[i / 2]);
                denominator[i / 2] += score[part][i];
            }
        }
#pragma unroll
        for (int part = 0; part < kParts; part += 2) {
            const auto weights = as_factor(score[part], score[part + 1]);
            multiply_add(sums[0], weights, tile.v.over_lines(part * 8, 0));
            multiply_add(sums[1], weights, tile.v.over_lines(part * 8, 8));
        }
    }
    for (int half = 0; half < 2; ++half) denominator[half] = sum_of_row(denominator[half]);
    store_own_lines(a, a.y, head, own, sums, 1.0F / denominator[0], 1.0F / denominator[1]);
    if (a.log_sum != nullptr && lane % 4 == 0) {
        for (int half = 0; half < 2; ++half) {
            const auto query = own + lane / 4 + half * 8;
            if (query < a.T) a.log_sum[head.index * a.T + query] = (most[half] + log2f(denominator[half])) / kLog2E;
        }
    }
}

/// dy . y of every query, a thread each.
static __global__ void mma_attention_dots(fgk_attention_gradients g, float* dots) {
    const auto& a = g.forward;
    const auto head = head_of_block(a);
    const auto i = static_cast<std::int64_t>(blockIdx.x) * kMmaThreads + threadIdx.x;
    if (i >= a.T) return;
    const auto place = [&](const fgk_heads& x) {
        return head.b * x.batch_stride + i * x.time_stride + head.h * kMmaHead;
    };
    float sum = 0.0F;
#pragma unroll
    for (int c = 0; c < kMmaHead; ++c) {
        sum += load(g.dy.data, FGK_BF16, place(g.dy) + c) * load(a.y.data, FGK_BF16, place(a.y) + c);
    }
    dots[head.index * a.T + i] = sum;
}

struct MmaBackwardQTile {
    MmaRows k, v;
    MmaColumns k_columns;
};

static __global__ void __launch_bounds__(kMmaThreads)
    mma_attention_backward_q(fgk_attention_gradients g, const float* dots) {
    auto& tile = *shared_memory<MmaBackwardQTile>();
    const auto& a = g.forward;
    const auto head = head_of_block(a);
    const auto lane = static_cast<int>(threadIdx.x) % kWarp;
    const auto first = static_cast<std::int64_t>(blockIdx.x) * kMmaTile;
    const auto own = first + threadIdx.x / kWarp * 16;
    const auto q = load_own_lines(a, a.q, head, own);
    const auto dy = load_own_lines(a, g.dy, head, own);
    const auto scale = score_scale(kMmaHead);
    float log_sum[2];
    float dot[2];
    for (int half = 0; half < 2; ++half) {
        const auto query = own + lane / 4 + half * 8;
        log_sum[half] = query < a.T ? a.log_sum[head.index * a.T + query] * kLog2E : 0.0F;
        dot[half] = query < a.T ? dots[head.index * a.T + query] : 0.0F;
    }
    float dq[2][4] = {};
    for (std::int64_t j0 = 0; j0 <= first; j0 += kMmaTile) {
        __syncthreads();
        load_lines(a, a.k, head, j0, &tile.k, &tile.k_columns);
        load_lines(a, a.v, head, j0, &tile.v, nullptr);
        __syncthreads();
#pragma unroll
        for (int part = 0; part < kMmaTile / 8; part += 2) {
            float ds[2][4];
#pragma unroll
            for (int side = 0; side < 2; ++side) {
                float score[4] = {};
                float dweight[4] = {};
                multiply_add(score, q, tile.k.over_channels((part + side) * 8));
                multiply_add(dweight, dy, tile.v.over_channels((part + side) * 8));
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    const auto key = j0 + (part + side) * 8 + 2 * (lane % 4) + i % 2;
                    const auto query = own + lane / 4 + (i / 2) * 8;
                    const auto weight = key <= query && query < a.T ? exp2f(score[i] * scale - log_sum[i / 2]) : 0.0F;
                    ds[side][i] = weight * (dweight[i] - dot[i / 2]);
                }
            }
            const auto factor = as_factor(ds[0], ds[1]);
            multiply_add(dq[0], factor, tile.k_columns.over_lines(part * 8, 0));
            multiply_add(dq[1], factor, tile.k_columns.over_lines(part * 8, 8));
        }
    }
    store_own_lines(a, g.dq, head, own, dq, scale / kLog2E, scale / kLog2E);
}

struct MmaBackwardKvTile {
    MmaRows q, dy;
    MmaColumns q_columns, dy_columns;
    float log_sum[kMmaTile];
    float dot[kMmaTile];
};

static __global__ void __launch_bounds__(kMmaThreads)
    mma_attention_backward_kv(fgk_attention_gradients g, const float* dots) {
    auto& tile = *shared_memory<MmaBackwardKvTile>();
    const auto& a = g.forward;
    const auto head = head_of_block(a);
    const auto lane = static_cast<int>(threadIdx.x) % kWarp;
    const auto first = static_cast<std::int64_t>(blockIdx.x) * kMmaTile;
    const auto own = first + threadIdx.x / kWarp * 16;  // first key of the warp
    const auto k = load_own_lines(a, a.k, head, own);
    const auto v = load_own_lines(a, a.v, head, own);
    const auto scale = score_scale(kMmaHead);
    float dk[2][4] = {};
    float dv[2][4] = {};
    for (auto i0 = first; i0 < a.T; i0 += kMmaTile) {
        __syncthreads();
        load_lines(a, a.q, head, i0, &tile.q, &tile.q_columns);
        load_lines(a, g.dy, head, i0, &tile.dy, &tile.dy_columns);
        if (threadIdx.x < kMmaTile) {
            const auto query = i0 + threadIdx.x;
            tile.log_sum[threadIdx.x] = query < a.T ? a.log_sum[head.index * a.T + query] * kLog2E : 0.0F;
            tile.dot[threadIdx.x] = query < a.T ? dots[head.index * a.T + query] : 0.0F;
        }
        __syncthreads();
#pragma unroll
        for (int part = 0; part < kMmaTile / 8; part += 2) {
            float weight[2][4];
            float ds[2][4];
#pragma unroll
            for (int side = 0; side < 2; ++side) {
                float score[4] = {};
                float dweight[4] = {};
                multiply_add(score, k, tile.q.over_channels((part + side) * 8));
                multiply_add(dweight, v, tile.dy.over_channels((part + side) * 8));
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    const auto column = (part + side) * 8 + 2 * (lane % 4) + i % 2;
                    const auto query = i0 + column;
                    const auto key = own + lane / 4 + (i / 2) * 8;
                    weight[side][i] =
                        key <= query && query < a.T ? exp2f(score[i] * scale - tile.log_sum[column]) : 0.0F;
                    ds[side][i] = weight[side][i] * (dweight[i] - tile.dot[column]);
                }
            }
            const auto weights = as_factor(weight[0], weight[1]);
            multiply_add(dv[0], weights, tile.dy_columns.over_lines(part * 8, 0));
            multiply_add(dv[1], weights, tile.dy_columns.over_lines(part * 8, 8));
            const auto factor = as_factor(ds[0], ds[1]);
            multiply_add(dk[0], factor, tile.q_columns.over_lines(part * 8, 0));
            multiply_add(dk[1], factor, tile.q_columns.over_lines(part * 8, 8));
        }
    }
    store_own_lines(a, g.dk, head, own, dk, scale / kLog2E, scale / kLog2E);
    store_own_lines(a, g.dv, head, own, dv, 1.0F, 1.0F);
}

inline std::int32_t mma_forward(const fgk_attention& a, void* stream) {
    FGK_LAUNCH(grid_of(a, kMmaTile), kMmaThreads, sizeof(MmaForwardTile), stream, mma_attention_forward, a);
    return 0;
}
inline std::int32_t mma_backward(const fgk_attention_gradients& g, float* dots, void* stream) {
    const auto grid = grid_of(g.forward, kMmaTile);
    const auto* known = static_cast<const float*>(dots);
    FGK_LAUNCH(grid_of(g.forward, kMmaThreads), kMmaThreads, 0, stream, mma_attention_dots, g, dots);
    FGK_LAUNCH(grid, kMmaThreads, sizeof(MmaBackwardQTile), stream, mma_attention_backward_q, g, known);
    FGK_LAUNCH(grid, kMmaThreads, sizeof(MmaBackwardKvTile), stream, mma_attention_backward_kv, g, known);
    return 0;
}

}  // namespace filigree::cuda
