// SPDX-License-Identifier: Apache-2.0
// A node site (kernel_library.h has the formulas): one pass over memory each way. A row stays in the registers of a
// warp, or of a block where it is longer than 2,048. The k-th largest magnitude is searched for between bounds that
// close in by interpolation and halving, one count of the row each time; nothing is sorted.
#include <cmath>

#include "group.cuh"
#include "sums.cuh"

namespace filigree::cuda {
namespace {

constexpr float kEps = 0x1.0p-23F;  // machine epsilon of fp32
constexpr int kWarpsPerBlock = 4;   // where a warp has a row to itself

/// Words of 32 bits that remember which of n entries were kept.
__host__ __device__ constexpr std::int64_t kept_words(std::int64_t n) { return 2 * divide_up<std::int64_t>(n, 64); }

/// The standard normal distribution at x.
__device__ __forceinline__ float normal_cumulative(float x) { return 0.5F * erfcf(x * -0.707106781186547524F); }
__device__ __forceinline__ float normal_density(float x) { return 0.398942280401432678F * expf(-0.5F * x * x); }

/// Entries above `threshold` are kept, and the first `ties` of those equal to it; `all_ties` when there are no more.
struct Cut {
    std::int32_t threshold;
    std::int32_t ties;
    bool all_ties;
};

/// @param m magnitudes of the thread's entries, -1 where there is none. @param k in [1, entries of the row).
/// @param shift bits that are zero in all of them, among which nothing is searched.
template <int kThreads, int kItems>
__device__ Cut find_cut(Group<kThreads>& group, const std::int32_t (&m)[kItems], std::int32_t k, int shift) {
    const auto count_above = [&](std::int32_t bound) {
        std::int32_t count = 0;
#pragma unroll
        for (int i = 0; i < kItems; ++i) count += m[i] > bound << shift ? 1 : 0;
        return group.sum(count);
    };
    std::int32_t most = 0;
#pragma unroll
    for (int i = 0; i < kItems; ++i) most = greatest(most, m[i]);
    most = group.most(most);
    const auto nonzeros = count_above(0);
    if (nonzeros <= k) return {0, k - nonzeros, nonzeros == k};
    // More than k lie above `low`, fewer than k above `high`.
    std::int32_t low = 0;
    std::int32_t high = most >> shift;
    std::int32_t above_low = nonzeros;
    std::int32_t above_high = 0;
    const std::int32_t two_octaves = (1 << 24) >> shift;
    for (int tries = 0; high - low > 1; ++tries) {
        auto guess = low + (high - low) / 2;
        if (tries == 0) {
            guess = greatest(guess, high - two_octaves);
        } else if (tries % 3 != 0) {  // every third time halve, where interpolation creeps
            const auto part = static_cast<float>(above_low - k) / static_cast<float>(above_low - above_high);
            guess = low + static_cast<std::int32_t>(static_cast<float>(high - low) * part);
            guess = least(greatest(guess, low + 1), high - 1);
        }
        const auto count = count_above(guess);
        if (count == k) return {guess << shift, 0, true};
        if (count > k) {
            low = guess;
            above_low = count;
        } else {
            high = guess;
            above_high = count;
        }
    }
    return {high << shift, k - above_high, above_low == k};
}

template <int kThreads, int kChunks>
__global__ void __launch_bounds__(kThreads == kWarp ? kWarp * kWarpsPerBlock : kThreads)
    site_forward(fgk_site site, bool x_whole, bool y_whole) {
    constexpr int kItems = 4 * kChunks;
    Group<kThreads> group(shared_memory<typename Group<kThreads>::Scratch>());
    const auto row = static_cast<std::int64_t>(blockIdx.x) * (blockDim.x / kThreads) + threadIdx.x / kThreads;
    if (row >= site.rows) return;
    const auto n = site.n;
    const auto index = [](int chunk) { return (chunk * kThreads + Group<kThreads>::thread()) * 4; };

    float u[kItems];
    const auto* x = row_of(site.x, site.x_type, row, site.x_stride);
#pragma unroll
    for (int c = 0; c < kChunks; ++c) {
        float part[4];
        load4(x, site.x_type, x_whole, index(c), n, part);
#pragma unroll
        for (int i = 0; i < 4; ++i) u[4 * c + i] = part[i];
    }
    if (site.bias != nullptr) {
#pragma unroll
        for (int c = 0; c < kChunks; ++c) {
            float bias[4];
            load4(site.bias, FGK_F32, false, index(c), n, bias);
#pragma unroll
            for (int i = 0; i < 4; ++i) u[4 * c + i] += bias[i];
        }
    }
    if (site.source == FGK_RMS_NORM) {
        float squares = 0.0F;
#pragma unroll
        for (int i = 0; i < kItems; ++i) squares += u[i] * u[i];
        const auto inverse_rms = 1.0F / sqrtf(group.sum(squares) / static_cast<float>(n) + kEps);
        if (site.inverse_rms != nullptr && Group<kThreads>::thread() == 0) site.inverse_rms[row] = inverse_rms;
#pragma unroll
        for (int c = 0; c < kChunks; ++c) {
            float gain[4];
            load4(site.gain, FGK_F32, false, index(c), n, gain);
#pragma unroll
            for (int i = 0; i < 4; ++i) u[4 * c + i] = u[4 * c + i] * inverse_rms * gain[i];
        }
    } else if (site.source == FGK_GELU) {
#pragma unroll
        for (int i = 0; i < kItems; ++i) u[i] *= normal_cumulative(u[i]);
    }

    Cut cut = {-1, 0, true};
    if (site.k < n) {
        std::int32_t m[kItems];
#pragma unroll
        for (int i = 0; i < kItems; ++i) m[i] = index(i / 4) + i % 4 < n ? magnitude(u[i]) : -1;
        const bool plain_bf16 = site.x_type == FGK_BF16 && site.source == FGK_IDENTITY && site.bias == nullptr;
        cut = find_cut(group, m, static_cast<std::int32_t>(site.k), plain_bf16 ? 16 : 0);
    }
    auto* y = row_of(site.y, site.y_type, row, n);
    std::int32_t ties_before = 0;  // in the chunks already done
#pragma unroll
    for (int c = 0; c < kChunks; ++c) {
        unsigned kept = 0;
        std::int32_t rank = 0;
        if (!cut.all_ties) {
            std::int32_t ties = 0;
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                ties += index(c) + i < n && magnitude(u[4 * c + i]) == cut.threshold ? 1 : 0;
            }
            std::int32_t total = 0;
            rank = ties_before + group.sum_before(ties, total);
            ties_before += total;
        }
        float s[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const auto m = index(c) + i < n ? magnitude(u[4 * c + i]) : -1;
            bool keep = m > cut.threshold;
            if (!cut.all_ties && m == cut.threshold) keep = rank++ < cut.ties;
            kept |= keep ? 1U << i : 0U;
            s[i] = keep ? u[4 * c + i] : 0.0F;
        }
        if (site.gate != nullptr) {
            float gate[4];
            float mean[4];
            load4(site.gate, FGK_F32, false, index(c), n, gate);
            load4(site.mean, FGK_F32, false, index(c), n, mean);
#pragma unroll
            for (int i = 0; i < 4; ++i) s[i] = s[i] * gate[i] + mean[i] * (1.0F - gate[i]);
        }
        store4(y, site.y_type, y_whole, index(c), n, s);
        if (site.kept != nullptr) {
            // Eight threads have the bits of one word.
            unsigned word = kept << (4 * (threadIdx.x % 8));
#pragma unroll
            for (int distance = 1; distance < 8; distance *= 2) word |= __shfl_xor_sync(kWholeWarp, word, distance);
            const auto place = index(c) / 32;
            if (threadIdx.x % 8 == 0 && place < kept_words(n)) site.kept[row * kept_words(n) + place] = word;
        }
    }
}

/// Rows of partial sums, one per group of threads.
struct PartialSums {
    float* bias;  // [groups, n], or null
    float* gain;
    float* gate;
};

/// @tparam kColumnSums, kGateSums which sums there is room for in registers; those wanted are in `partial`.
template <int kThreads, int kChunks, bool kColumnSums, bool kGateSums>
__global__ void __launch_bounds__(kThreads)
    site_backward(fgk_site_gradients site, PartialSums partial, bool x_whole, bool dx_whole, bool y_whole) {
    constexpr int kItems = 4 * kChunks;
    Group<kThreads> group(shared_memory<typename Group<kThreads>::Scratch>());
    const auto n = site.n;
    const auto index = [](int chunk) { return (chunk * kThreads + Group<kThreads>::thread()) * 4; };
    const bool norm = site.source == FGK_RMS_NORM;
    const bool needs_x = site.source != FGK_IDENTITY || partial.gate != nullptr;
    float column_sums[kColumnSums ? kItems : 1] = {};  // of the gain, else of the bias
    float gate_sums[kGateSums ? kItems : 1] = {};

    for (std::int64_t row = blockIdx.x; row < site.rows; row += gridDim.x) {
        const auto* x_row = row_of(site.x, site.x_type, row, site.x_stride);
        const auto* dy_row = row_of(site.dy, site.y_type, row, n);
        auto* dx_row = row_of(site.dx, site.x_type, row, site.dx_stride);
        const auto inverse_rms = norm ? site.inverse_rms[row] : 1.0F;

        // du and the argument of the source, of one chunk.
        const auto read = [&](int c, float(&du)[4], float(&b)[4], unsigned& kept) {
            const auto word = index(c) / 32;
            kept = word < kept_words(n) ? site.kept[row * kept_words(n) + word] >> (index(c) % 32) & 15U : 0U;
            load4(dy_row, site.y_type, y_whole, index(c), n, du);
            if (needs_x) {
                load4(x_row, site.x_type, x_whole, index(c), n, b);
                if (site.bias != nullptr) {
                    float bias[4];
                    load4(site.bias, FGK_F32, false, index(c), n, bias);
#pragma unroll
                    for (int i = 0; i < 4; ++i) b[i] += bias[i];
                }
            }
        };
        const auto pass_gate = [&](int c, unsigned kept, float(&du)[4]) {
            if (site.gate != nullptr) {
                float gate[4];
                load4(site.gate, FGK_F32, false, index(c), n, gate);
#pragma unroll
                for (int i = 0; i < 4; ++i) du[i] *= gate[i];
            }
#pragma unroll
            for (int i = 0; i < 4; ++i) du[i] = (kept >> i & 1U) != 0 ? du[i] : 0.0F;
        };

        float dot = 0.0F;  // of dx before the norm with x / rms
        if (norm) {
#pragma unroll
            for (int c = 0; c < kChunks; ++c) {
                float du[4];
                float b[4];
                float gain[4];
                unsigned kept = 0;
                read(c, du, b, kept);
                pass_gate(c, kept, du);
                load4(site.gain, FGK_F32, false, index(c), n, gain);
#pragma unroll
                for (int i = 0; i < 4; ++i) dot += du[i] * gain[i] * (b[i] * inverse_rms);
            }
            dot = group.sum(dot) / static_cast<float>(n);
        }
#pragma unroll
        for (int c = 0; c < kChunks; ++c) {
            float du[4];
            float b[4] = {};
            float gain[4] = {};
            unsigned kept = 0;
            read(c, du, b, kept);
            if (norm) load4(site.gain, FGK_F32, false, index(c), n, gain);
            if (kGateSums && partial.gate != nullptr) {
                float mean[4];
                load4(site.mean, FGK_F32, false, index(c), n, mean);
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    const auto u = norm                      ? b[i] * inverse_rms * gain[i]
                                   : site.source == FGK_GELU ? b[i] * normal_cumulative(b[i])
                                                             : b[i];
                    gate_sums[4 * c + i] += du[i] * (((kept >> i & 1U) != 0 ? u : 0.0F) - mean[i]);
                }
            }
            pass_gate(c, kept, du);
            float dx[4];
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                if (norm) {
                    const auto normed = b[i] * inverse_rms;
                    dx[i] = inverse_rms * (du[i] * gain[i] - normed * dot);
                    if constexpr (kColumnSums) column_sums[4 * c + i] += du[i] * normed;
                } else {
                    const auto slope =
                        site.source == FGK_GELU ? normal_cumulative(b[i]) + b[i] * normal_density(b[i]) : 1.0F;
                    dx[i] = du[i] * slope;
                    if constexpr (kColumnSums) column_sums[4 * c + i] += dx[i];
                }
            }
            store4(dx_row, site.x_type, dx_whole, index(c), n, dx);
        }
    }
    auto* columns = norm ? partial.gain : partial.bias;
    const auto place = static_cast<std::int64_t>(blockIdx.x) * n;
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
        const auto j = index(i / 4) + i % 4;
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

template <int kThreads, int kChunks>
std::int32_t forward(const fgk_site& site, void* stream) {
    constexpr int kGroups = kThreads == kWarp ? kWarpsPerBlock : 1;
    FGK_LAUNCH(static_cast<unsigned>(divide_up<std::int64_t>(site.rows, kGroups)), kThreads * kGroups,
               kThreads == kWarp ? 0 : sizeof(typename Group<kThreads>::Scratch), stream,
               (site_forward<kThreads, kChunks>), site, in_fours(site.x, site.x_type, site.x_stride) && site.n % 4 == 0,
               in_fours(site.y, site.y_type, site.n));
    return 0;
}

template <int kThreads, int kChunks, bool kColumnSums = true, bool kGateSums = true>
std::int32_t backward(const fgk_site_gradients& site, const PartialSums& partial, void* stream) {
    FGK_LAUNCH(static_cast<unsigned>(backward_groups(site.rows)), kThreads, sizeof(typename Group<kThreads>::Scratch),
               stream, (site_backward<kThreads, kChunks, kColumnSums, kGateSums>), site, partial,
               in_fours(site.x, site.x_type, site.x_stride) && site.n % 4 == 0,
               in_fours(site.dx, site.x_type, site.dx_stride) && site.n % 4 == 0,
               in_fours(site.dy, site.y_type, site.n));
    return 0;
}

/// Of the longest rows, the sums of eight chunks fit into registers, but not of both kinds: weights and gates are
/// seldom learnt at once.
std::int32_t backward_of_longest(const fgk_site_gradients& site, const PartialSums& partial, void* stream) {
    if (partial.gate == nullptr) return backward<512, 8, true, false>(site, partial, stream);
    if (partial.bias == nullptr && partial.gain == nullptr) return backward<512, 8, false, true>(site, partial, stream);
    return backward<512, 8>(site, partial, stream);
}

bool is_source(std::int32_t source) { return source >= FGK_IDENTITY && source <= FGK_GELU; }

}  // namespace
}  // namespace filigree::cuda

std::int32_t fgk_site_forward(const fgk_site* site, void* stream) {
    using namespace filigree::cuda;
    const auto n = site->n;
    if (site->rows == 0) return 0;
    FGK_EXPECTS(n >= 1 && n <= FGK_LONGEST_ROW, "fgk_site_forward: rows of 1 to 16384 entries");
    FGK_EXPECTS(site->k >= 1 && site->k <= n, "fgk_site_forward: k is in 1..n");
    FGK_EXPECTS(is_source(site->source) && is_type(site->x_type) && is_type(site->y_type),
                "fgk_site_forward: unknown source or type");
    FGK_EXPECTS((site->gate == nullptr) == (site->mean == nullptr), "fgk_site_forward: gate and mean go together");
    FGK_EXPECTS(site->source != FGK_RMS_NORM || (site->gain != nullptr && site->bias == nullptr),
                "fgk_site_forward: RMSNorm needs a gain and takes no bias");
    if (n <= 128) return forward<32, 1>(*site, stream);
    if (n <= 256) return forward<32, 2>(*site, stream);
    if (n <= 512) return forward<32, 4>(*site, stream);
    if (n <= 1024) return forward<32, 8>(*site, stream);
    if (n <= 2048) return forward<64, 8>(*site, stream);
    if (n <= 4096) return forward<128, 8>(*site, stream);
    if (n <= 8192) return forward<256, 8>(*site, stream);
    return forward<512, 8>(*site, stream);
}

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
    FGK_EXPECTS(site->source == FGK_RMS_NORM || site->dgain == nullptr, "fgk_site_backward: only RMSNorm has a gain");
    const auto groups = backward_groups(site->rows);
    auto* first = static_cast<float*>(workspace);
    PartialSums partial{};
    partial.bias = site->dbias == nullptr ? nullptr : first;
    partial.gain = site->dgain == nullptr ? nullptr : first;
    partial.gate = site->dgate == nullptr ? nullptr : first + groups * n;
    const auto status = n <= 128    ? backward<32, 1>(*site, partial, stream)
                        : n <= 512  ? backward<32, 4>(*site, partial, stream)
                        : n <= 2048 ? backward<128, 4>(*site, partial, stream)
                        : n <= 4096 ? backward<256, 4>(*site, partial, stream)
                        : n <= 8192 ? backward<512, 4>(*site, partial, stream)
                                    : backward_of_longest(*site, partial, stream);
    if (status != 0) return status;
    for (const auto& [from, to] : {std::pair(partial.bias, site->dbias), std::pair(partial.gain, site->dgain),
                                   std::pair(partial.gate, site->dgate)}) {
        if (from == nullptr) continue;
        const auto added = launch_add_partial_sums(from, groups, n, to, stream);
        if (added != 0) return added;
    }
    return 0;
}
