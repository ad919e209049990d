// SPDX-License-Identifier: Apache-2.0
// Vectors of the instruction set that a kernel source is being compiled for, and the few functions on them that the
// language does not have. All of it is inline in the namespace of the set, so no two sets share a function.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace filigree::kernels::FILIGREE_ISA {

#if defined(__AVX512F__)
inline constexpr std::int64_t kLanes = 16;
#elif defined(__AVX2__)
inline constexpr std::int64_t kLanes = 8;
#else
inline constexpr std::int64_t kLanes = 4;
#endif

using Floats = float __attribute__((vector_size(kLanes * sizeof(float))));
using Ints = std::int32_t __attribute__((vector_size(kLanes * sizeof(float))));
using Words = std::uint32_t __attribute__((vector_size(kLanes * sizeof(float))));

inline constexpr std::int64_t padded(std::int64_t n) { return (n + kLanes - 1) / kLanes * kLanes; }

inline Floats broadcast(float value) { return value - Floats{}; }  // minus, which leaves -0 alone
inline Ints broadcast(std::int32_t value) { return Ints{} + value; }
inline Ints bits_of(Floats v) { return reinterpret_cast<Ints>(v); }
inline Floats floats_of(Ints v) { return reinterpret_cast<Floats>(v); }

inline Floats load(const float* p) {
    Floats v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}
inline Ints load(const std::int32_t* p) {
    Ints v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}
inline void store(float* p, Floats v) { __builtin_memcpy(p, &v, sizeof v); }
inline void store(std::int32_t* p, Ints v) { __builtin_memcpy(p, &v, sizeof v); }

/// The first `count` lanes from memory, zero in the others; all lanes when count >= kLanes, none when it is negative.
inline Floats load_first(const float* p, std::int64_t count) {
    if (count >= kLanes) {
        return load(p);
    }
    Floats v{};
    if (count > 0) {
        __builtin_memcpy(&v, p, static_cast<std::size_t>(count) * sizeof(float));
    }
    return v;
}
inline void store_first(float* p, Floats v, std::int64_t count) {
    if (count >= kLanes) {
        store(p, v);
    } else if (count > 0) {
        __builtin_memcpy(p, &v, static_cast<std::size_t>(count) * sizeof(float));
    }
}

/// a b + c, rounded once on AVX2 and AVX-512. Said there, not left to a compiler that may fuse one loop and not
/// another: two ways to the same sum have to give the same bits.
inline Floats multiply_add(Floats a, Floats b, Floats c) {
#if defined(__AVX512F__)
    return reinterpret_cast<Floats>(
        _mm512_fmadd_ps(reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b), reinterpret_cast<__m512>(c)));
#elif defined(__AVX2__) && defined(__FMA__)
    return reinterpret_cast<Floats>(
        _mm256_fmadd_ps(reinterpret_cast<__m256>(a), reinterpret_cast<__m256>(b), reinterpret_cast<__m256>(c)));
#else
    return a * b + c;
#endif
}

/// 0, 1, 2, ...
inline Ints lane_numbers() {
    Ints v;
    for (std::int32_t lane = 0; lane < kLanes; ++lane) {
        v[lane] = lane;
    }
    return v;
}

/// One bit per lane of a comparison, lane 0 lowest.
inline std::uint64_t bits_of_mask(Ints mask) {
#if defined(__AVX512DQ__)
    return _mm512_movepi32_mask(reinterpret_cast<__m512i>(mask));
#elif defined(__AVX2__)
    return static_cast<std::uint32_t>(_mm256_movemask_ps(reinterpret_cast<__m256>(mask)));
#elif defined(__SSE2__)
    return static_cast<std::uint32_t>(_mm_movemask_ps(reinterpret_cast<__m128>(mask)));
#else
    std::uint64_t bits = 0;
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
        bits |= static_cast<std::uint64_t>(mask[lane] != 0) << lane;
    }
    return bits;
#endif
}

/// The other way: all ones in the lanes whose bit is set.
inline Ints mask_of_bits(std::uint64_t bits) {
#if defined(__AVX512DQ__)
    return reinterpret_cast<Ints>(_mm512_movm_epi32(static_cast<__mmask16>(bits)));
#else
    const auto lane_bits = broadcast(std::int32_t{1}) << lane_numbers();
    return (broadcast(static_cast<std::int32_t>(bits)) & lane_bits) != 0;
#endif
}

/// v where the mask is set, else 0.
inline Floats only(Ints mask, Floats v) { return floats_of(bits_of(v) & mask); }

/// Sums of all lanes, pairwise.
inline float sum(Floats v) {
    for (std::int64_t half = kLanes / 2; half > 0; half /= 2) {
        for (std::int64_t lane = 0; lane < half; ++lane) {
            v[lane] += v[lane + half];
        }
    }
    return v[0];
}
inline std::int32_t sum(Ints v) {
    std::int32_t total = 0;
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
        total += v[lane];
    }
    return total;
}
inline std::int32_t largest(Ints v) {
    auto found = v[0];
    for (std::int64_t lane = 1; lane < kLanes; ++lane) {
        found = v[lane] > found ? v[lane] : found;
    }
    return found;
}
inline float largest(Floats v) {
    auto found = v[0];
    for (std::int64_t lane = 1; lane < kLanes; ++lane) {
        found = v[lane] > found ? v[lane] : found;
    }
    return found;
}

/// exp(high + low) for |low| well below 1. Relative error below 2 units in the last place; 0 below -87, infinity above
/// 88.7, NaN for NaN.
inline Floats exp_of_sum(Floats high, Floats low) {
    constexpr float kSmallest = -87.0F;
    constexpr float kLargest = 88.72F;
    // Adding and subtracting 1.5 * 2^23 rounds to an integer, which is left in the low bits of the sum.
    constexpr float kRounder = 12582912.0F;
    const auto shifted = high * 1.44269504F + kRounder;
    const auto n = shifted - kRounder;
    // ln 2 in two parts, the first with few enough bits for its product with n to be exact.
    const auto r = (high - n * 0.693359375F) + n * 2.12194440e-4F + low;
    auto p = broadcast(1.9875691500e-4F);
    p = p * r + 1.3981999507e-3F;
    p = p * r + 8.3334519073e-3F;
    p = p * r + 4.1665795894e-2F;
    p = p * r + 1.6666665459e-1F;
    p = p * r + 5.0000001201e-1F;
    p = p * (r * r) + r + 1.0F;
    // p * 2^n; unsigned, because n is any number where the result is cut off below.
    const auto power = reinterpret_cast<Floats>((reinterpret_cast<Words>(shifted) << 23) + reinterpret_cast<Words>(p));
    const auto nan = high != high;
    const auto bounded = floats_of(nan ? bits_of(high) : bits_of(power));
    const auto low_cut = high < kSmallest ? broadcast(0.0F) : bounded;
    return high > kLargest ? broadcast(__builtin_inff()) : low_cut;
}
inline Floats exp(Floats x) { return exp_of_sum(x, Floats{}); }

}  // namespace filigree::kernels::FILIGREE_ISA
