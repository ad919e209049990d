// SPDX-License-Identifier: Apache-2.0
// A node site backward: one pass over memory. A block has a row at a time, in registers; the sums over rows stay there
// too, until each block hands in its own.
#include <type_traits>
#include <utility>

#include "site.cuh"
#include "sums.cuh"

namespace filigree::cuda {
namespace {

/// Rows of partial sums, one per group of threads.
struct PartialSums {
    float* bias;  // [groups, n], or null
    float* gain;
    float* gate;
};

/// @tparam kColumnSums, kGateSums which sums there is room for in registers; those wanted are in `partial`.
template <int kThreads, int kChunks, typename X, typename Y, bool kColumnSums, bool kGateSums>
__global__ void __launch_bounds__(kThreads)
    site_backward(fgk_site_gradients site, PartialSums partial, bool x_whole, bool dx_whole, bool y_whole,
                  bool vectors_whole, bool also_whole) {
    constexpr int kItems = kSide * kChunks;
    Group<kThreads> group(shared_memory<typename Group<kThreads>::Scratch>());
    const auto n = site.n;
    const auto index = [](int chunk) { return (chunk * kThreads + Group<kThreads>::thread()) * kSide; };
    const bool norm = site.source == FGK_RMS_NORM;
    const bool needs_x = site.source != FGK_IDENTITY || (kGateSums && partial.gate != nullptr);
    const bool adds = std::is_same_v<X, float> && site.also != nullptr;
    float column_sums[kColumnSums ? kItems : 1] = {};  // of the gain, else of the bias
    float gate_sums[kGateSums ? kItems : 1] = {};

    for (std::int64_t row = blockIdx.x; row < site.rows; row += gridDim.x) {
        const auto* x_row = needs_x ? static_cast<const X*>(site.x) + row * site.x_stride : nullptr;
        const auto* dy_row = static_cast<const Y*>(site.dy) + row * n;
        auto* dx_row = static_cast<X*>(site.dx) + row * site.dx_stride;
        const auto* kept_of_row = reinterpret_cast<const std::uint8_t*>(site.kept) + row * kept_bytes(n);
        const auto inverse_rms = norm ? site.inverse_rms[row] : 1.0F;

        float du[kChunks][kSide];
        float b[kChunks][kSide] = {};  // argument of the source, of a norm already times 1 / rms
        unsigned kept[kChunks];
#pragma unroll
        for (int c = 0; c < kChunks; ++c) {
            load_side(dy_row, y_whole, index(c), n, du[c]);
            kept[c] = index(c) < n ? kept_of_row[index(c) / 8] : 0U;
            if (needs_x) load_side(x_row, x_whole, index(c), n, b[c]);
        }
        float dot = 0.0F;  // of dx before the norm with x / rms
#pragma unroll
        for (int c = 0; c < kChunks; ++c) {
            if (needs_x && site.bias != nullptr) {
                float bias[kSide];
                load_side(site.bias, vectors_whole, index(c), n, bias);
#pragma unroll
                for (int i = 0; i < kSide; ++i) b[c][i] += bias[i];
            }
            float gain[kSide] = {};
            if (norm) {
                load_side(site.gain, vectors_whole, index(c), n, gain);
#pragma unroll
                for (int i = 0; i < kSide; ++i) b[c][i] *= inverse_rms;
            }
            if (kGateSums && partial.gate != nullptr) {
                float mean[kSide];
                load_side(site.mean, vectors_whole, index(c), n, mean);
#pragma unroll
                for (int i = 0; i < kSide; ++i) {
                    const auto u = norm                      ? b[c][i] * gain[i]
                                   : site.source == FGK_GELU ? b[c][i] * normal_at(b[c][i]).cumulative
                                                             : b[c][i];
                    gate_sums[kSide * c + i] += du[c][i] * (((kept[c] >> i & 1U) != 0 ? u : 0.0F) - mean[i]);
                }
            }
            if (site.gate != nullptr) {
                float gate[kSide];
                load_side(site.gate, vectors_whole, index(c), n, gate);
#pragma unroll
                for (int i = 0; i < kSide; ++i) du[c][i] *= gate[i];
            }
#pragma unroll
            for (int i = 0; i < kSide; ++i) {
                du[c][i] = (kept[c] >> i & 1U) != 0 ? du[c][i] : 0.0F;
                if (!norm) continue;
                if constexpr (kColumnSums) column_sums[kSide * c + i] += du[c][i] * b[c][i];
                du[c][i] *= gain[i];
                dot += du[c][i] * b[c][i];
            }
        }
        if (norm) dot = group.sum(dot) / static_cast<float>(n);
#pragma unroll
        for (int c = 0; c < kChunks; ++c) {
            float dx[kSide];
#pragma unroll
            for (int i = 0; i < kSide; ++i) {
                if (norm) {
                    dx[i] = inverse_rms * (du[c][i] - b[c][i] * dot);
                    continue;
                }
                dx[i] = du[c][i];
                if (site.source == FGK_GELU) {
                    const auto normal = normal_at(b[c][i]);
                    dx[i] *= normal.cumulative + b[c][i] * normal.density;
                }
                if constexpr (kColumnSums) column_sums[kSide * c + i] += dx[i];
            }
            if (adds) {
                float also[kSide];
                load_side(site.also + row * n, also_whole, index(c), n, also);
#pragma unroll
                for (int i = 0; i < kSide; ++i) dx[i] += also[i];
            }
            store_side(dx_row, dx_whole, index(c), n, dx);
        }
    }
    auto* columns = norm ? partial.gain : partial.bias;
    const auto place = static_cast<std::int64_t>(blockIdx.x) * n;
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
        const auto j = index(i / kSide) + i % kSide;
        if constexpr (kColumnSums) {
            if (j < n && columns != nullptr) columns[place + j] = column_sums[i];
        }
        if constexpr (kGateSums) {
            if (j < n && partial.gate != nullptr) partial.gate[place + j] = gate_sums[i];
        }
    }
}

/// Blocks of the backward: enough for a large device, few enough that their partial sums are little beside the rows.
std::int64_t backward_groups(std::int64_t rows) {
    constexpr std::int64_t kMost = 1056;
    constexpr std::int64_t kFewestRows = 8;
    return least(kMost, divide_up(rows, kFewestRows));
}

template <int kThreads, int kChunks, typename X, typename Y, bool kColumnSums, bool kGateSums>
std::int32_t backward(const fgk_site_gradients& site, const PartialSums& partial, void* stream) {
    FGK_LAUNCH(static_cast<unsigned>(backward_groups(site.rows)), kThreads, sizeof(typename Group<kThreads>::Scratch),
               stream, (site_backward<kThreads, kChunks, X, Y, kColumnSums, kGateSums>), site, partial,
               in_sides<X>(site.x, site.x_stride, site.n), in_sides<X>(site.dx, site.dx_stride, site.n),
               in_sides<Y>(site.dy, site.n, site.n), vectors_in_sides(site),
               in_sides<float>(site.also, site.n, site.n));
    return 0;
}

template <typename X, typename Y, bool kColumnSums, bool kGateSums>
std::int32_t backward_by_length(const fgk_site_gradients& site, const PartialSums& partial, void* stream) {
    const auto n = site.n;
    return n <= 256    ? backward<32, 1, X, Y, kColumnSums, kGateSums>(site, partial, stream)
           : n <= 1024 ? backward<128, 1, X, Y, kColumnSums, kGateSums>(site, partial, stream)
           : n <= 2048 ? backward<256, 1, X, Y, kColumnSums, kGateSums>(site, partial, stream)
           : n <= 4096 ? backward<512, 1, X, Y, kColumnSums, kGateSums>(site, partial, stream)
           : n <= 8192 ? backward<1024, 1, X, Y, kColumnSums, kGateSums>(site, partial, stream)
                       : backward<512, 4, X, Y, kColumnSums, kGateSums>(site, partial, stream);
}

template <typename X, typename Y>
struct Backward {
    /// Sums that nobody wants take no registers.
    static std::int32_t run(const fgk_site_gradients& site, const PartialSums& partial, void* stream) {
        if (partial.gate != nullptr) return backward_by_length<X, Y, true, true>(site, partial, stream);
        return partial.bias != nullptr || partial.gain != nullptr
                   ? backward_by_length<X, Y, true, false>(site, partial, stream)
                   : backward_by_length<X, Y, false, false>(site, partial, stream);
    }
};

}  // namespace
}  // namespace filigree::cuda

std::int64_t fgk_site_backward_workspace(std::int64_t rows, std::int64_t n) {
    return 2 * filigree::cuda::backward_groups(rows) * n * static_cast<std::int64_t>(sizeof(float));
}

std::int32_t fgk_site_backward(const fgk_site_gradients* site, void* workspace, void* stream) {
    using namespace filigree::cuda;
    const auto n = site->n;
    if (site->rows == 0) return 0;
    FGK_EXPECTS(n >= 1 && n <= FGK_LONGEST_ROW, "fgk_site_backward: rows of 1 to 16384 entries");
    FGK_EXPECTS(is_source(site->source) && is_type(site->x_type) && is_type(site->y_type),
                "fgk_site_backward: unknown source or type");
    FGK_EXPECTS((site->gate == nullptr) == (site->mean == nullptr), "fgk_site_backward: gate and mean go together");
    FGK_EXPECTS(site->dgate == nullptr || site->gate != nullptr, "fgk_site_backward: dgate needs a gate");
    FGK_EXPECTS(
        site->source != FGK_RMS_NORM || (site->gain != nullptr && site->bias == nullptr && site->dbias == nullptr),
        "fgk_site_backward: RMSNorm needs a gain and takes no bias");
    FGK_EXPECTS(site->x != nullptr || (site->source == FGK_IDENTITY && site->dgate == nullptr),
                "fgk_site_backward: x is needed, and missing");
    FGK_EXPECTS(site->also == nullptr || site->x_type == FGK_F32,
                "fgk_site_backward: dx of bf16 takes no other gradient");
    FGK_EXPECTS(site->source == FGK_RMS_NORM || site->dgain == nullptr, "fgk_site_backward: only RMSNorm has a gain");
    const auto groups = backward_groups(site->rows);
    auto* first = static_cast<float*>(workspace);
    PartialSums partial{};
    partial.bias = site->dbias == nullptr ? nullptr : first;
    partial.gain = site->dgain == nullptr ? nullptr : first;
    partial.gate = site->dgate == nullptr ? nullptr : first + groups * n;
    const auto status = for_types<Backward>(*site, partial, stream);
    if (status != 0) return status;
    for (const auto& [from, to] : {std::pair(partial.bias, site->dbias), std::pair(partial.gain, site->dgain),
                                   std::pair(partial.gate, site->dgate)}) {
        if (from == nullptr) continue;
        const auto added = launch_add_partial_sums(from, groups, n, to, stream);
        if (added != 0) return added;
    }
    return 0;
}
