// SPDX-License-Identifier: Apache-2.0
// What both directions of a node site share (kernel_library.h has the formulas). A thread has eight elements of a row
// side by side.
#pragma once

#include "group.cuh"

namespace filigree::cuda {

inline constexpr int kSide = 8;  // elements of a thread that lie side by side

/// Bytes that remember which of n entries were kept.
__host__ __device__ constexpr std::int64_t kept_bytes(std::int64_t n) { return 8 * divide_up<std::int64_t>(n, 64); }

/// Elements j to j + 7 of a row of n, 0 beyond its end. @param whole the row can be read 16 bytes at a time, and n is
/// a multiple of eight.
template <typename T>
__device__ __forceinline__ void load_side(const T* row, bool whole, std::int64_t j, std::int64_t n, float (&x)[kSide]) {
    if (!whole || j >= n) {
#pragma unroll
        for (int i = 0; i < kSide; ++i) x[i] = j + i < n ? as_float(row[j + i]) : 0.0F;
        return;
    }
    constexpr int kPerRead = 16 / static_cast<int>(sizeof(T));
#pragma unroll
    for (int part = 0; part < kSide / kPerRead; ++part) {
        const auto read = reinterpret_cast<const Several<T, kPerRead>*>(row + j)[part];
#pragma unroll
        for (int i = 0; i < kPerRead; ++i) x[part * kPerRead + i] = as_float(read.values[i]);
    }
}
/// All lanes of the warp call.
template <typename T>
__device__ __forceinline__ void store_side(T* row, bool whole, std::int64_t j, std::int64_t n,
                                           const float (&x)[kSide]) {
    if (!whole) {
#pragma unroll
        for (int i = 0; i < kSide; ++i) {
            if (j + i < n) row[j + i] = from_float<T>(x[i]);
        }
        return;
    }
    if constexpr (sizeof(T) == 2) {
        if (j < n) {
            write_at_once(row + j, uint4{pack_bf16(x[0], x[1]), pack_bf16(x[2], x[3]), pack_bf16(x[4], x[5]),
                                         pack_bf16(x[6], x[7])});
        }
    } else {
        // Neighbouring lanes exchange halves, so that each write of both together is 32 bytes in a row: of their
        // sixteen elements the first eight, then the others.
        const bool odd = threadIdx.x % 2 != 0;
        float other[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) other[i] = __shfl_xor_sync(kWholeWarp, odd ? x[i] : x[4 + i], 1);
        const auto write = [&](std::int64_t at, bool own, int half) {
            if (at >= n) return;
            const auto bits = [&](int i) { return static_cast<unsigned>(bits_of(own ? x[half * 4 + i] : other[i])); };
            write_at_once(row + at, uint4{bits(0), bits(1), bits(2), bits(3)});
        };
        write(odd ? j - 4 : j, !odd, 0);
        write(odd ? j + 4 : j + 8, odd, 1);
    }
}

/// The standard normal distribution at x: Phi and phi.
struct Normal {
    float cumulative, density;
};
__device__ __forceinline__ Normal normal_at(float x) {
    // Phi(-a) = exp(-a^2 / 2) P(1 / (1 + 0.3 a)) with a P of degree 8 that was fitted for a up to 16: P to 5e-7 of
    // itself in fp32, the power to what a^2 rounds, 1e-6 at 4.
    constexpr float kHalfLog2E = 0.72134752044448170F;
    const auto a = fabsf(x);
    const auto t = fast_reciprocal(1.0F + 0.3F * a);
    auto p = 0.0384379588F;
    p = p * t - 0.169455692F;
    p = p * t + 0.229257107F;
    p = p * t - 0.0771876499F;
    p = p * t + 0.143004611F;
    p = p * t + 0.0944844484F;
    p = p * t + 0.121971041F;
    p = p * t + 0.119480625F;
    p = p * t + 7.58079887e-6F;
    const auto bell = fast_exp2(a * a * -kHalfLog2E);
    const auto tail = bell * p;
    return {x < 0.0F ? tail : 1.0F - tail, bell * 0.398942280F};
}

/// Whether rows of n elements can be read and written in sides.
template <typename T>
bool in_sides(const void* data, std::int64_t stride, std::int64_t n) {
    return n % kSide == 0 && in_sixteens(data, stride * static_cast<std::int64_t>(sizeof(T)));
}
template <typename Site>
bool vectors_in_sides(const Site& site) {
    return site.n % kSide == 0 && in_sixteens(site.bias, 0) && in_sixteens(site.gain, 0) && in_sixteens(site.gate, 0) &&
           in_sixteens(site.mean, 0);
}

/// Run<X, Y>::run(arguments...) for the types of a site.
template <template <typename, typename> typename Run, typename Site, typename... Arguments>
std::int32_t for_types(const Site& site, const Arguments&... arguments) {
    if (site.x_type == FGK_F32) {
        return site.y_type == FGK_F32 ? Run<float, float>::run(site, arguments...)
                                      : Run<float, std::uint16_t>::run(site, arguments...);
    }
    return site.y_type == FGK_F32 ? Run<std::uint16_t, float>::run(site, arguments...)
                                  : Run<std::uint16_t, std::uint16_t>::run(site, arguments...);
}

inline bool is_source(std::int32_t source) { return source >= FGK_IDENTITY && source <= FGK_GELU; }

}  // namespace filigree::cuda
