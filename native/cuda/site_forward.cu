// SPDX-License-Identifier: Apache-2.0
// A node site forward: one pass over memory. A row stays in the registers of a warp, or of a block where it is longer
// than 2,048. The k-th largest magnitude is searched for by counting, between bounds that close in by interpolation;
// nothing is sorted. Rows of a site are alike, so that a search begins where the one before ended.
#include <cmath>
#include <type_traits>

#include "site.cuh"

namespace filigree::cuda {
namespace {

constexpr float kEps = 0x1.0p-23F;  // machine epsilon of fp32
constexpr int kWarpsPerBlock = 4;   // where a warp has a row to itself
constexpr std::int32_t kInfinity = 0x7f800000;
constexpr std::int32_t kAnyNaN = kInfinity + 1;  // magnitude that stands for those of all NaN

/// Entries above `threshold` are kept, and the first `ties` of those equal to it; `all_ties` when there are no more.
struct Cut {
    std::int32_t threshold;
    std::int32_t ties;
    bool all_ties;
};
/// Magnitude as a cut knows it.
__device__ __forceinline__ std::int32_t magnitude_of(float x) { return least(magnitude(x), kAnyNaN); }

/// 1 where x is above a limit, or no number, else 0.
__device__ __forceinline__ float is_above(float x, float limit) {
#ifdef __CUDA_ARCH__
    float above;
    asm("set.gtu.f32.f32 %0, %1, %2;" : "=f"(above) : "f"(x), "f"(limit));
    return above;
#else
    return x <= limit ? 0.0F : 1.0F;
#endif
}

/// Where the search of the next row begins, all of it in bits from the lowest that is looked at.
struct Search {
    std::int32_t guess = -1;  // the last row's threshold
    float per_entry = 0.0F;   // how far the threshold moves for one more entry
};

/// @param u entries of the thread, 0 where there is none. @param k in [1, n).
/// @param shift bits that are zero in all of them, among which nothing is searched.
template <int kThreads, int kChunks>
__device__ Cut find_cut(Group<kThreads>& group, const float (&u)[kChunks][kSide], std::int32_t n, std::int32_t k,
                        int shift, Search& search) {
    const auto count_above = [&](std::int32_t bound) {
        const auto limit = float_of(bound << shift);
        float counts[4] = {};  // of which each may wait for itself alone
#pragma unroll
        for (int i = 0; i < kChunks * kSide; ++i) counts[i % 4] += is_above(fabsf(u[i / kSide][i % kSide]), limit);
        return group.sum(static_cast<std::int32_t>(counts[0] + counts[1] + counts[2] + counts[3]));
    };
    if (search.guess < 0) {
        float sum = 0.0F;
#pragma unroll
        for (int i = 0; i < kChunks * kSide; ++i) sum += fabsf(u[i / kSide][i % kSide]);
        search.guess = magnitude(group.sum(sum) / static_cast<float>(n)) >> shift;
        search.per_entry = static_cast<float>((1 << 24) >> shift) / static_cast<float>(n);  // half of them in an octave
    }
    // More than k lie above `low`, fewer than k above `high`; at first these are bounds that nobody has counted at.
    const auto top = (kInfinity >> shift) + 1;
    std::int32_t low = -1;
    std::int32_t high = top;
    std::int32_t above_low = n;
    std::int32_t above_high = 0;
    bool known_low = false;
    bool known_high = false;
    int slow = 0;
    auto guess = search.guess;
    for (int tries = 1; high - low > 1; ++tries) {
        guess = least(greatest(guess, low + 1), high - 1);
        const auto count = count_above(guess);
        const auto width = high - low;
        if (count == k) {
            search.guess = guess;
            return {guess << shift, 0, true};
        }
        if (count > k) {
            low = guess;
            above_low = count;
            known_low = true;
        } else {
            high = guess;
            above_high = count;
            known_high = true;
        }
        const auto middle = low + (high - low) / 2;
        if (known_low && known_high) {
            const auto entries = static_cast<float>(above_low - above_high);
            search.per_entry = static_cast<float>(high - low) * fast_reciprocal(entries);
            slow = high - low > width / 2 ? slow + 1 : 0;
            guess = low + static_cast<std::int32_t>(search.per_entry * static_cast<float>(above_low - k));
            if (slow == 2) {  // interpolation creeps
                guess = middle;
                slow = 0;
            }
        } else if (!known_low && (count == 0 || tries >= 3)) {
            guess = 0;  // there may be fewer nonzeros than k
        } else if (tries >= 5) {
            guess = middle;
        } else {
            const auto step = static_cast<float>(count - k) * search.per_entry * (tries == 1 ? 1.25F : 2.0F);
            const auto next = static_cast<float>(guess) + step;
            guess = next > static_cast<float>(low)
                        ? (next < static_cast<float>(high) ? static_cast<std::int32_t>(next) : high)
                        : low;
        }
    }
    search.guess = high;
    return {high == top ? kAnyNaN : high << shift, k - above_high, false};
}

/// Threads of a block, and blocks that its registers have to leave room for: twelve warps with 64 entries a thread,
/// sixteen with fewer.
template <int kThreads>
constexpr int kBlock = kThreads == kWarp ? kWarp* kWarpsPerBlock : kThreads;
template <int kThreads, int kChunks>
constexpr int kBlocks = greatest(1, (kChunks == 8 ? 384 : 512) / kBlock<kThreads>);

template <int kThreads, int kChunks, typename X, typename Y>
__global__ void __launch_bounds__(kBlock<kThreads>, kBlocks<kThreads, kChunks>)
    site_forward(fgk_site site, bool x_whole, bool y_whole, bool vectors_whole, bool residual_whole) {
    Group<kThreads> group(shared_memory<typename Group<kThreads>::Scratch>());
    const auto n = site.n;
    const auto index = [](int chunk) { return (chunk * kThreads + Group<kThreads>::thread()) * kSide; };
    const auto groups = static_cast<std::int64_t>(blockDim.x / kThreads);
    const bool plain = site.source == FGK_IDENTITY && site.bias == nullptr;
    Search search;
    for (auto row = blockIdx.x * groups + threadIdx.x / kThreads; row < site.rows; row += gridDim.x * groups) {
        float u[kChunks][kSide];
        const auto* x = static_cast<const X*>(site.x) + row * site.x_stride;
#pragma unroll
        for (int c = 0; c < kChunks; ++c) load_side(x, x_whole, index(c), n, u[c]);
        if (site.bias != nullptr) {
#pragma unroll
            for (int c = 0; c < kChunks; ++c) {
                float bias[kSide];
                load_side(site.bias, vectors_whole, index(c), n, bias);
#pragma unroll
                for (int i = 0; i < kSide; ++i) u[c][i] += bias[i];
            }
        }
        if (site.source == FGK_RMS_NORM) {
            float squares = 0.0F;
#pragma unroll
            for (int i = 0; i < kChunks * kSide; ++i) squares += u[i / kSide][i % kSide] * u[i / kSide][i % kSide];
            const auto inverse_rms = 1.0F / sqrtf(group.sum(squares) / static_cast<float>(n) + kEps);
            if (site.inverse_rms != nullptr && Group<kThreads>::thread() == 0) site.inverse_rms[row] = inverse_rms;
#pragma unroll
            for (int c = 0; c < kChunks; ++c) {
                float gain[kSide];
                load_side(site.gain, vectors_whole, index(c), n, gain);
#pragma unroll
                for (int i = 0; i < kSide; ++i) u[c][i] = u[c][i] * inverse_rms * gain[i];
            }
        } else if (site.source == FGK_GELU) {
#pragma unroll
            for (int i = 0; i < kChunks * kSide; ++i) {
                u[i / kSide][i % kSide] *= normal_at(u[i / kSide][i % kSide]).cumulative;
            }
        }

        Cut cut = {-1, 0, true};
        if (site.k < n) {
            const bool upper_half = std::is_same_v<X, std::uint16_t> && plain;
            cut = find_cut(group, u, static_cast<std::int32_t>(n), static_cast<std::int32_t>(site.k),
                           upper_half ? 16 : 0, search);
        }
        auto* y = static_cast<Y*>(site.y) + row * n;
        auto* kept_of_row = reinterpret_cast<std::uint8_t*>(site.kept) + row * kept_bytes(n);
        std::int32_t ties_before = 0;  // in the chunks already done
        float residual[kSide] = {};    // of the next chunk, asked for before the last one is written
        const bool adds = std::is_same_v<Y, float> && site.residual != nullptr;
        const auto* residual_of_row = site.residual + (adds ? row * n : 0);
        if (adds) load_side(residual_of_row, residual_whole, index(0), n, residual);
#pragma unroll
        for (int pair = 0; pair < kChunks; pair += 2) {
            // Ranks of the first ties of two chunks, by one sum over the threads of both counts.
            std::int32_t rank[2] = {0, 0};
            if (!cut.all_ties) {
                std::int32_t ties[2] = {0, 0};
#pragma unroll
                for (int i = 0; i < kSide; ++i) {
                    ties[0] += magnitude_of(u[pair][i]) == cut.threshold ? 1 : 0;
                    if (pair + 1 < kChunks) {
                        ties[1] += magnitude_of(u[least(pair + 1, kChunks - 1)][i]) == cut.threshold ? 1 : 0;
                    }
                }
                std::int32_t total = 0;
                const auto before = group.sum_before(ties[0] | ties[1] << 16, total);
                rank[0] = ties_before + (before & 0xffff);
                rank[1] = ties_before + (total & 0xffff) + (before >> 16);
                ties_before += (total & 0xffff) + (total >> 16);
            }
#pragma unroll
            for (int second = 0; second < 2; ++second) {
                const auto c = pair + second;
                if (c >= kChunks) break;
                unsigned kept = 0;
                float s[kSide];
#pragma unroll
                for (int i = 0; i < kSide; ++i) {
                    const auto value = u[least(c, kChunks - 1)][i];
                    const auto m = magnitude_of(value);
                    bool keep = m > cut.threshold;
                    if (!cut.all_ties && m == cut.threshold) keep = rank[second]++ < cut.ties;
                    kept |= keep ? 1U << i : 0U;
                    s[i] = keep ? value : 0.0F;
                }
                if (site.gate != nullptr) {
                    float gate[kSide];
                    float mean[kSide];
                    load_side(site.gate, vectors_whole, index(c), n, gate);
                    load_side(site.mean, vectors_whole, index(c), n, mean);
#pragma unroll
                    for (int i = 0; i < kSide; ++i) s[i] = s[i] * gate[i] + mean[i] * (1.0F - gate[i]);
                }
                if (adds) {
#pragma unroll
                    for (int i = 0; i < kSide; ++i) s[i] += residual[i];
                    if (c + 1 < kChunks) load_side(residual_of_row, residual_whole, index(c + 1), n, residual);
                }
                store_side(y, y_whole, index(c), n, s);
                if (site.kept != nullptr && index(c) < kept_bytes(n) * 8) {
                    const auto real = least<std::int64_t>(greatest<std::int64_t>(n - index(c), 0), kSide);
                    kept_of_row[index(c) / 8] = static_cast<std::uint8_t>(kept & ((1U << real) - 1U));
                }
            }
        }
    }
}

template <int kThreads, int kChunks, typename X, typename Y>
std::int32_t forward(const fgk_site& site, void* stream) {
    constexpr int kGroups = kThreads == kWarp ? kWarpsPerBlock : 1;
    constexpr unsigned kThreadsOfBlock = kBlock<kThreads>;
    constexpr auto kShared = kThreads == kWarp ? 0 : sizeof(typename Group<kThreads>::Scratch);
    const auto kernel = site_forward<kThreads, kChunks, X, Y>;
    std::int64_t resident = 0;
    static ResidentBlocks resident_blocks;
    const auto status = resident_blocks.get(kernel, kThreadsOfBlock, kShared, resident);
    if (status != 0) return status;
    const auto blocks = least(resident, divide_up<std::int64_t>(site.rows, kGroups));
    FGK_LAUNCH(static_cast<unsigned>(blocks), kThreadsOfBlock, kShared, stream, kernel, site,
               in_sides<X>(site.x, site.x_stride, site.n), in_sides<Y>(site.y, site.n, site.n), vectors_in_sides(site),
               in_sides<float>(site.residual, site.n, site.n));
    return 0;
}

template <typename X, typename Y>
struct Forward {
    static std::int32_t run(const fgk_site& site, void* stream) {
        const auto n = site.n;
        return n <= 256    ? forward<32, 1, X, Y>(site, stream)
               : n <= 1024 ? forward<32, 4, X, Y>(site, stream)
               : n <= 2048 ? forward<32, 8, X, Y>(site, stream)
               : n <= 4096 ? forward<64, 8, X, Y>(site, stream)
               : n <= 8192 ? forward<128, 8, X, Y>(site, stream)
                           : forward<512, 4, X, Y>(site, stream);
    }
};

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
    FGK_EXPECTS(site->residual == nullptr || site->y_type == FGK_F32, "fgk_site_forward: a residual makes y fp32");
    FGK_EXPECTS(site->source != FGK_RMS_NORM || (site->gain != nullptr && site->bias == nullptr),
                "fgk_site_forward: RMSNorm needs a gain and takes no bias");
    return for_types<Forward>(*site, stream);
}
