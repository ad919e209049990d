// SPDX-License-Identifier: Apache-2.0
// Causal attention with a sink (kernel_library.h has the formula). The softmax is online: scores of one tile of keys
// exist at a time, and what was summed so far is rescaled when a larger score comes. The backward computes the scores
// again from the log of the denominator, once by query for dq and once by key for dk and dv, so that nothing is added
// atomically. bf16 with heads of 16 goes to attention_mma.cuh; here a thread has a query, or a key, to itself.
#include "attention_mma.cuh"
#include "sums.cuh"

namespace filigree::cuda {
namespace {

constexpr int kLines = 128;  // queries, or keys, of a block: one a thread
constexpr int kTile = 16;    // keys, or queries, that pass by together

template <int kDh>
__device__ __forceinline__ void load_line(const fgk_attention& a, const fgk_heads& from, const HeadIndex& head,
                                          std::int64_t t, float (&line)[kDh]) {
    const auto place = head.b * from.batch_stride + t * from.time_stride + head.h * a.dh;
#pragma unroll
    for (int c = 0; c < kDh; ++c) line[c] = c < a.dh && t < a.T ? load(from.data, a.type, place + c) : 0.0F;
}
template <int kDh>
__device__ __forceinline__ void store_line(const fgk_attention& a, const fgk_heads& to, const HeadIndex& head,
                                           std::int64_t t, const float (&line)[kDh]) {
    const auto place = head.b * to.batch_stride + t * to.time_stride + head.h * a.dh;
#pragma unroll
    for (int c = 0; c < kDh; ++c) {
        if (c < a.dh) store(to.data, a.type, place + c, line[c]);
    }
}
/// kTile lines from t0 on, zero beyond the end. @param tile [kTile, kDh].
template <int kDh>
__device__ __forceinline__ void load_tile(const fgk_attention& a, const fgk_heads& from, const HeadIndex& head,
                                          std::int64_t t0, float* tile) {
    for (int i = static_cast<int>(threadIdx.x); i < kTile * kDh; i += kLines) {
        const auto t = t0 + i / kDh;
        const auto c = i % kDh;
        tile[i] = t < a.T && c < a.dh
                      ? load(from.data, a.type, head.b * from.batch_stride + t * from.time_stride + head.h * a.dh + c)
                      : 0.0F;
    }
}
template <int kDh>
__device__ __forceinline__ float dot(const float (&x)[kDh], const float* y) {
    float sum = 0.0F;
#pragma unroll
    for (int c = 0; c < kDh; ++c) sum += x[c] * y[c];
    return sum;
}
template <int kDh>
__device__ __forceinline__ void add_scaled(float (&sum)[kDh], float factor, const float* x) {
#pragma unroll
    for (int c = 0; c < kDh; ++c) sum[c] += factor * x[c];
}

template <int kDh>
struct KeysAndValues {
    float k[kTile * kDh];
    float v[kTile * kDh];
};

template <int kDh>
__global__ void __launch_bounds__(kLines) attention_forward(fgk_attention a) {
    auto& tile = *shared_memory<KeysAndValues<kDh>>();
    const auto head = head_of_block(a);
    const auto first = static_cast<std::int64_t>(blockIdx.x) * kLines;
    const auto i = first + threadIdx.x;
    float q[kDh];
    float sum[kDh] = {};
    load_line(a, a.q, head, i, q);
    const auto scale = score_scale(a.dh);
#pragma unroll
    for (int c = 0; c < kDh; ++c) q[c] *= scale;
    auto most = a.sink != nullptr ? a.sink[head.h] * kLog2E : -INFINITY;
    auto denominator = a.sink != nullptr ? 1.0F : 0.0F;
    const auto last = least(first + kLines, a.T);
    for (std::int64_t j0 = 0; j0 < last; j0 += kTile) {
        __syncthreads();
        load_tile<kDh>(a, a.k, head, j0, tile.k);
        load_tile<kDh>(a, a.v, head, j0, tile.v);
        __syncthreads();
        if (j0 > i) continue;  // no key of the tile is in this query's past
        float score[kTile];
        auto new_most = most;
#pragma unroll
        for (int j = 0; j < kTile; ++j) {
            score[j] = j0 + j <= i ? dot(q, tile.k + j * kDh) : -INFINITY;
            new_most = score[j] > new_most ? score[j] : new_most;
        }
        const auto shrink = new_most > most ? exp2f(most - new_most) : 1.0F;
        most = new_most;
        denominator *= shrink;
#pragma unroll
        for (int c = 0; c < kDh; ++c) sum[c] *= shrink;
#pragma unroll
        for (int j = 0; j < kTile; ++j) {
            const auto weight = j0 + j <= i ? exp2f(score[j] - most) : 0.0F;
            denominator += weight;
            add_scaled(sum, weight, tile.v + j * kDh);
        }
    }
    if (i >= a.T) return;
#pragma unroll
    for (int c = 0; c < kDh; ++c) sum[c] /= denominator;
    store_line(a, a.y, head, i, sum);
    if (a.log_sum != nullptr) a.log_sum[head.index * a.T + i] = (most + log2f(denominator)) / kLog2E;
}

/// dq, and what dk, dv and dsink need of every query: dy . y.
template <int kDh>
__global__ void __launch_bounds__(kLines) attention_backward_q(fgk_attention_gradients g, float* dots) {
    auto& tile = *shared_memory<KeysAndValues<kDh>>();
    const auto& a = g.forward;
    const auto head = head_of_block(a);
    const auto first = static_cast<std::int64_t>(blockIdx.x) * kLines;
    const auto i = first + threadIdx.x;
    float q[kDh];
    float dy[kDh];
    float dq[kDh];
    load_line(a, g.dy, head, i, dy);
    load_line(a, a.y, head, i, q);
    const auto dy_dot_y = dot(dy, q);
    load_line(a, a.q, head, i, q);
#pragma unroll
    for (int c = 0; c < kDh; ++c) dq[c] = 0.0F;
    const auto scale = score_scale(a.dh);
    const auto log_sum = i < a.T ? a.log_sum[head.index * a.T + i] * kLog2E : 0.0F;
    if (i < a.T) dots[head.index * a.T + i] = dy_dot_y;
    const auto last = least(first + kLines, a.T);
    for (std::int64_t j0 = 0; j0 < last; j0 += kTile) {
        __syncthreads();
        load_tile<kDh>(a, a.k, head, j0, tile.k);
        load_tile<kDh>(a, a.v, head, j0, tile.v);
        __syncthreads();
        for (int j = 0; j < kTile && j0 + j <= i; ++j) {
            const auto weight = exp2f(dot(q, tile.k + j * kDh) * scale - log_sum);
            add_scaled(dq, weight * (dot(dy, tile.v + j * kDh) - dy_dot_y), tile.k + j * kDh);
        }
    }
    if (i >= a.T) return;
#pragma unroll
    for (int c = 0; c < kDh; ++c) dq[c] *= scale / kLog2E;
    store_line(a, g.dq, head, i, dq);
}

template <int kDh>
struct Queries {
    float q[kTile * kDh];
    float dy[kTile * kDh];
    float log_sum[kTile];
    float dot[kTile];
};

template <int kDh>
__global__ void __launch_bounds__(kLines) attention_backward_kv(fgk_attention_gradients g, const float* dots) {
    auto& tile = *shared_memory<Queries<kDh>>();
    const auto& a = g.forward;
    const auto head = head_of_block(a);
    const auto first = static_cast<std::int64_t>(blockIdx.x) * kLines;
    const auto j = first + threadIdx.x;
    float k[kDh];
    float v[kDh];
    float dk[kDh] = {};
    float dv[kDh] = {};
    load_line(a, a.k, head, j, k);
    load_line(a, a.v, head, j, v);
    const auto scale = score_scale(a.dh);
    for (auto i0 = first; i0 < a.T; i0 += kTile) {
        __syncthreads();
        load_tile<kDh>(a, a.q, head, i0, tile.q);
        load_tile<kDh>(a, g.dy, head, i0, tile.dy);
        const auto t = i0 + threadIdx.x;
        if (threadIdx.x < kTile && t < a.T) {
            tile.log_sum[threadIdx.x] = a.log_sum[head.index * a.T + t] * kLog2E;
            tile.dot[threadIdx.x] = dots[head.index * a.T + t];
        }
        __syncthreads();
        for (int i = 0; i < kTile && i0 + i < a.T; ++i) {
            if (i0 + i < j) continue;
            const auto weight = exp2f(dot(k, tile.q + i * kDh) * scale - tile.log_sum[i]);
            add_scaled(dv, weight, tile.dy + i * kDh);
            add_scaled(dk, weight * (dot(v, tile.dy + i * kDh) - tile.dot[i]), tile.q + i * kDh);
        }
    }
    if (j >= a.T) return;
#pragma unroll
    for (int c = 0; c < kDh; ++c) dk[c] *= scale / kLog2E;
    store_line(a, g.dk, head, j, dk);
    store_line(a, g.dv, head, j, dv);
}

/// Of one head of one sequence: -sum over queries of the sink's weight times dy . y. A warp each.
__global__ void sink_gradients(fgk_attention a, const float* dots, float* partial) {
    const auto head = head_of_block(a);
    float sum = 0.0F;
    for (std::int64_t i = threadIdx.x; i < a.T; i += kWarp) {
        sum -= expf(a.sink[head.h] - a.log_sum[head.index * a.T + i]) * dots[head.index * a.T + i];
    }
    sum = sum_of_warp(sum);
    if (threadIdx.x == 0) partial[head.index] = sum;
}

template <int kDh>
std::int32_t forward(const fgk_attention& a, void* stream) {
    FGK_LAUNCH(grid_of(a, kLines), kLines, sizeof(KeysAndValues<kDh>), stream, attention_forward<kDh>, a);
    return 0;
}
template <int kDh>
std::int32_t backward(const fgk_attention_gradients& g, float* dots, void* stream) {
    const auto grid = grid_of(g.forward, kLines);
    FGK_LAUNCH(grid, kLines, sizeof(KeysAndValues<kDh>), stream, attention_backward_q<kDh>, g, dots);
    FGK_LAUNCH(grid, kLines, sizeof(Queries<kDh>), stream, attention_backward_kv<kDh>, g,
               static_cast<const float*>(dots));
    return 0;
}

std::int32_t check(const fgk_attention& a) {
    constexpr std::int64_t kMostOfGrid = 65535;
    FGK_EXPECTS(a.dh >= 1 && a.dh <= FGK_LARGEST_HEAD, "fgk_attention: head sizes of 1 to 32");
    FGK_EXPECTS(a.H <= kMostOfGrid && a.B <= kMostOfGrid, "fgk_attention: at most 65535 heads and sequences");
    FGK_EXPECTS(is_type(a.type), "fgk_attention: unknown type");
    return 0;
}
bool on_tensor_cores(const fgk_attention& a) { return a.type == FGK_BF16 && a.dh == kMmaHead; }

}  // namespace
}  // namespace filigree::cuda

std::int32_t fgk_attention_forward(const fgk_attention* attention, void* stream) {
    using namespace filigree::cuda;
    const auto& a = *attention;
    if (a.B == 0 || a.T == 0 || a.H == 0) return 0;
    const auto status = check(a);
    if (status != 0) return status;
    if (on_tensor_cores(a)) return mma_forward(a, stream);
    return a.dh <= 16 ? forward<16>(a, stream) : forward<32>(a, stream);
}

std::int64_t fgk_attention_backward_workspace(std::int64_t B, std::int64_t T, std::int64_t H) {
    return B * H * (T + 1) * static_cast<std::int64_t>(sizeof(float));
}

std::int32_t fgk_attention_backward(const fgk_attention_gradients* attention, void* workspace, void* stream) {
    using namespace filigree::cuda;
    const auto& a = attention->forward;
    if (a.B == 0 || a.T == 0 || a.H == 0) return 0;
    auto status = check(a);
    if (status != 0) return status;
    FGK_EXPECTS(a.log_sum != nullptr, "fgk_attention_backward: needs log_sum of the forward");
    auto* dots = static_cast<float*>(workspace);  // [B, H, T]
    status = on_tensor_cores(a) ? mma_backward(*attention, dots, stream)
             : a.dh <= 16       ? backward<16>(*attention, dots, stream)
                                : backward<32>(*attention, dots, stream);
    if (status != 0 || a.sink == nullptr || attention->dsink == nullptr) return status;
    auto* partial = dots + a.B * a.H * a.T;  // [B, H]
    FGK_LAUNCH(grid_of(a, a.T), kWarp, 0, stream, sink_gradients, a, static_cast<const float*>(dots), partial);
    return launch_add_partial_sums(partial, a.B, a.H, attention->dsink, stream);
}
