// SPDX-License-Identifier: Apache-2.0
#include "kernels/optimizer.hpp"

#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace filigree::kernels::FILIGREE_ISA {
namespace {

constexpr std::int32_t kMagnitude = 0x7FFFFFFF;

inline std::int32_t magnitude_bits(float x) {
    std::int32_t bits = 0;
    __builtin_memcpy(&bits, &x, sizeof bits);
    return bits & kMagnitude;
}

inline Floats square_root(Floats v) {
#if defined(__AVX512F__)
    return reinterpret_cast<Floats>(_mm512_maskz_sqrt_ps(0xFFFF, reinterpret_cast<__m512>(v)));
#elif defined(__AVX2__)
    return reinterpret_cast<Floats>(_mm256_sqrt_ps(reinterpret_cast<__m256>(v)));
#elif defined(__SSE2__)
    return reinterpret_cast<Floats>(_mm_sqrt_ps(reinterpret_cast<__m128>(v)));
#else
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
        v[lane] = __builtin_sqrtf(v[lane]);
    }
    return v;
#endif
}

/// Append the numbers of the lanes whose bit is set.
inline std::int64_t append_lanes(std::uint64_t bits, std::int64_t first, std::int32_t* found) {
    std::int64_t count = 0;
    for (; bits != 0; bits &= bits - 1) {
        found[count++] = static_cast<std::int32_t>(first + __builtin_ctzll(bits));
    }
    return count;
}

}  // namespace

double sum_of_squares(const float* x, std::int64_t n) {
    constexpr int kSums = 4;
    constexpr std::int64_t kBlock = kSums * kLanes;
    Floats sums[kSums] = {};
    std::int64_t i = 0;
    for (; i + kBlock <= n; i += kBlock) {
        for (int s = 0; s < kSums; ++s) {
            const auto v = load(x + i + s * kLanes);
            sums[s] += v * v;
        }
    }
    for (; i < n; i += kLanes) {
        const auto v = load_first(x + i, n - i);
        sums[0] += v * v;
    }
    return sum((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

void adam_step(const AdamPass& p, std::int64_t n, float* w, float* m, float* v, float* g) {
    for (std::int64_t i = 0; i < n; i += kLanes) {
        const auto lanes = n - i;
        const auto gradient = load_first(g + i, lanes) * p.scale;
        const auto first = load_first(m + i, lanes) * p.beta1 + gradient * p.one_minus_beta1;
        const auto second = load_first(v + i, lanes) * p.beta2 + gradient * gradient * p.one_minus_beta2;
        const auto moved = load_first(w + i, lanes) - p.step * first / (square_root(second) * p.root + p.eps);
        store_first(m + i, first, lanes);
        store_first(v + i, second, lanes);
        store_first(w + i, moved * p.decay, lanes);
        store_first(g + i, Floats{}, lanes);
    }
}

std::int64_t scan_magnitudes(const float* w, std::int64_t n, std::int32_t low, std::int32_t high, std::int32_t* found,
                             std::int64_t* out_listed) {
    std::int64_t listed = 0;
    auto above = Ints{};
    std::int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
        const auto bits = bits_of(load(w + i)) & kMagnitude;
        const auto large = bits >= high;
        above -= large;
        const auto between = (bits >= low) & ~large;
        listed += append_lanes(bits_of_mask(between), i, found + listed);
    }
    std::int64_t count = sum(above);
    for (; i < n; ++i) {
        const auto bits = magnitude_bits(w[i]);
        found[listed] = static_cast<std::int32_t>(i);
        listed += bits >= low && bits < high ? 1 : 0;
        count += bits >= high ? 1 : 0;
    }
    *out_listed = listed;
    return count;
}

void count_columns(const float* w, std::int64_t stride, std::int64_t rows, std::int64_t n, std::int32_t high,
                   std::int32_t* counts) {
    for (std::int64_t row = 0; row < rows; ++row) {
        const auto* line = w + row * stride;
        std::int64_t j = 0;
        for (; j + kLanes <= n; j += kLanes) {
            store(counts + j, load(counts + j) - ((bits_of(load(line + j)) & kMagnitude) >= high));
        }
        for (; j < n; ++j) {
            counts[j] += magnitude_bits(line[j]) >= high ? 1 : 0;
        }
    }
}

std::int64_t exceed_cutoffs(const float* w, std::int64_t n, const std::int32_t* cutoff, std::int32_t* found) {
    std::int64_t count = 0;
    std::int64_t j = 0;
    for (; j + kLanes <= n; j += kLanes) {
        const auto exceeds = (bits_of(load(w + j)) & kMagnitude) > load(cutoff + j);
        count += append_lanes(bits_of_mask(exceeds), j, found + count);
    }
    for (; j < n; ++j) {
        found[count] = static_cast<std::int32_t>(j);
        count += magnitude_bits(w[j]) > cutoff[j] ? 1 : 0;
    }
    return count;
}

void keep_large(float* w, std::int64_t n, std::int32_t high, float decay) {
    for (std::int64_t i = 0; i < n; i += kLanes) {
        const auto x = load_first(w + i, n - i);
        const auto large = (bits_of(x) & kMagnitude) >= high;
        store_first(w + i, only(large, x * decay), n - i);
    }
}

}  // namespace filigree::kernels::FILIGREE_ISA
