// SPDX-License-Identifier: Apache-2.0
// What every file of the kernel library uses: errors, launches, shared memory, numbers. The same sources compile with
// nvcc and, for tests on machines without a GPU, with the host's compiler against native/tests/cuda_emulation.
#pragma once

#ifdef FILIGREE_CUDA_EMULATION
#include "cuda_emulation.hpp"
#else
#include <cuda_runtime.h>
#endif

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "kernel_library.h"

namespace filigree::cuda {

/// Keep the text of a failed CUDA call for fgk_last_error(), and clear the runtime's own pending error, which
/// would otherwise be blamed on the next launch.
/// @return the CUDA error number, 0 for success.
std::int32_t report(cudaError_t status, const char* call, const char* file, int line) noexcept;

/// Keep a text of our own. @return cudaErrorInvalidValue.
std::int32_t refuse(const char* what) noexcept;

/// Bytes of shared memory that a block of the current device can have: 163 KiB on compute capability 8.0, 227 on 9.0,
/// 99 on 8.6 and 8.9. Asked for once a device. @return 0, or a CUDA error number.
std::int32_t most_shared_memory(std::int64_t& bytes) noexcept;

}  // namespace filigree::cuda

/// Return from the calling function with the CUDA error number when the call fails.
#define FGK_TRY(call)                                                                                \
    do {                                                                                             \
        const std::int32_t fgk_status = ::filigree::cuda::report((call), #call, __FILE__, __LINE__); \
        if (fgk_status != 0) return fgk_status;                                                      \
    } while (false)

/// Return from the calling function when a condition on its arguments does not hold.
#define FGK_EXPECTS(condition, what)                               \
    do {                                                           \
        if (!(condition)) return ::filigree::cuda::refuse((what)); \
    } while (false)

/// Launch a kernel and return from the calling function when that fails:
/// FGK_LAUNCH(grid, threads per block, bytes of shared memory, stream, kernel, arguments...)
#define FGK_LAUNCH(grid, threads, shared, stream, ...) \
    FGK_TRY(::filigree::cuda::launch((grid), (threads), (shared), static_cast<cudaStream_t>(stream), __VA_ARGS__))

namespace filigree::cuda {

#ifdef FILIGREE_CUDA_EMULATION
template <typename... Parameters, typename... Arguments>
cudaError_t launch(dim3 grid, unsigned threads, std::size_t shared, cudaStream_t /*stream*/,
                   void (*kernel)(Parameters...), const Arguments&... arguments) {
    return emulation::run(grid, threads, shared, [&] { kernel(arguments...); }) ? cudaSuccess
                                                                                : cudaErrorInvalidConfiguration;
}
template <typename T>
T* shared_memory() {
    return static_cast<T*>(emulation::shared_memory());
}
#else
template <typename... Parameters, typename... Arguments>
cudaError_t launch(dim3 grid, unsigned threads, std::size_t shared, cudaStream_t stream, void (*kernel)(Parameters...),
                   const Arguments&... arguments) {
    constexpr std::size_t kWithoutAsking = 48 * 1024;
    if (shared > kWithoutAsking) {
        // Always for as much as there is: host threads share what a kernel may have, and one that asked for less would
        // take from under another the memory it is about to launch with.
        std::int64_t most = 0;
        const auto known = most_shared_memory(most);
        if (known != 0) return static_cast<cudaError_t>(known);
        const auto status =
            cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(most));
        if (status != cudaSuccess) return status;
    }
    kernel<<<grid, threads, shared, stream>>>(arguments...);
    return cudaGetLastError();
}
/// The dynamic shared memory of the block, on a boundary of 16 bytes.
template <typename T>
__device__ __forceinline__ T* shared_memory() {
    extern __shared__ uint4 filigree_shared[];
    return reinterpret_cast<T*>(filigree_shared);
}
#endif

/// An array in shared memory of which elements of 8 or 16 bytes are read, by 32-bit addresses: the compiler makes
/// 64-bit ones of a pointer, anew in every loop. What has been written there must lie before a barrier.
template <typename T>
class SharedReader {
public:
    static_assert(sizeof(T) == 8 || sizeof(T) == 16);
#ifdef FILIGREE_CUDA_EMULATION
    explicit SharedReader(const T* array) : array_(array) {}
    T operator[](std::uint32_t i) const { return array_[i]; }

private:
    const T* array_;
#else
    __device__ __forceinline__ explicit SharedReader(const T* array)
        : address_(static_cast<std::uint32_t>(__cvta_generic_to_shared(array))) {}
    __device__ __forceinline__ T operator[](std::uint32_t i) const {
        T element;
        auto* words = reinterpret_cast<std::uint32_t*>(&element);
        const auto at = address_ + i * static_cast<std::uint32_t>(sizeof(T));
        if constexpr (sizeof(T) == 16) {
            asm volatile("ld.shared.v4.b32 {%0, %1, %2, %3}, [%4];"
                         : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                         : "r"(at));
        } else {
            asm volatile("ld.shared.v2.b32 {%0, %1}, [%2];" : "=r"(words[0]), "=r"(words[1]) : "r"(at));
        }
        return element;
    }

private:
    std::uint32_t address_;
#endif
};

inline constexpr unsigned kWholeWarp = 0xffffffffU;
inline constexpr int kWarp = 32;

template <typename T>
__host__ __device__ constexpr T divide_up(T a, T b) {
    return (a + b - 1) / b;
}
template <typename T>
__host__ __device__ constexpr T least(T a, T b) {
    return b < a ? b : a;
}
template <typename T>
__host__ __device__ constexpr T greatest(T a, T b) {
    return a < b ? b : a;
}

__device__ __forceinline__ std::int32_t bits_of(float x) {
#ifdef __CUDA_ARCH__
    return __float_as_int(x);
#else
    return std::bit_cast<std::int32_t>(x);
#endif
}
__device__ __forceinline__ float float_of(std::int32_t bits) {
#ifdef __CUDA_ARCH__
    return __int_as_float(bits);
#else
    return std::bit_cast<float>(bits);
#endif
}
/// Bits of |x|, which order like the values; a NaN is above everything.
__device__ __forceinline__ std::int32_t magnitude(float x) { return bits_of(x) & 0x7fffffff; }

/// The nearest bf16, ties to even, as 16 bits; a NaN stays one. Two in a register, the first in the lower half.
__device__ __forceinline__ std::uint32_t pack_bf16(float low, float high) {
#ifdef __CUDA_ARCH__
    std::uint32_t pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
#else
    const auto nearest = [](float x) {
        const auto bits = static_cast<std::uint32_t>(bits_of(x));
        const auto rounded = (bits + 0x7fffU + (bits >> 16 & 1U)) >> 16;
        return (bits & 0x7fffffffU) > 0x7f800000U ? 0x7fffU : rounded;
    };
    return nearest(low) | nearest(high) << 16;
#endif
}
__device__ __forceinline__ std::uint32_t to_bf16(float x) { return pack_bf16(x, 0.0F); }
__device__ __forceinline__ float from_bf16(std::uint32_t bits) {
    return float_of(static_cast<std::int32_t>(bits << 16));
}

/// 2^x to a few last digits; results below the smallest normal number are 0.
__device__ __forceinline__ float fast_exp2(float x) {
#ifdef __CUDA_ARCH__
    float power;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(x));
    return power;
#else
    const auto power = exp2f(x);
    return power < 0x1.0p-126F ? 0.0F : power;
#endif
}

/// a b, rounded before anything else is done with it.
__device__ __forceinline__ float rounded_product(float a, float b) {
#ifdef __CUDA_ARCH__
    return __fmul_rn(a, b);
#else
    return a * b;
#endif
}
/// 1 / x to a last digit.
__device__ __forceinline__ float fast_reciprocal(float x) {
#ifdef __CUDA_ARCH__
    float reciprocal;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(reciprocal) : "f"(x));
    return reciprocal;
#else
    return 1.0F / x;
#endif
}

/// Elements that are read or written at once.
template <typename T, int kCount>
struct alignas(kCount * sizeof(T) < 16 ? kCount * sizeof(T) : 16) Several {
    T values[kCount];
};
// Elements are float, or std::uint16_t for bf16.
__device__ __forceinline__ float as_float(float x) { return x; }
__device__ __forceinline__ float as_float(std::uint16_t x) { return from_bf16(x); }
template <typename T>
__device__ __forceinline__ T from_float(float x) {
    if constexpr (sizeof(T) == 4) {
        return x;
    } else {
        return static_cast<std::uint16_t>(to_bf16(x));
    }
}
/// An even number of elements for memory. @param x [kCount].
template <typename T, int kCount>
__device__ __forceinline__ Several<T, kCount> several_from_floats(const float* x) {
    Several<T, kCount> several;
#pragma unroll
    for (int i = 0; i < kCount; i += 2) {
        if constexpr (sizeof(T) == 4) {
            several.values[i] = x[i];
            several.values[i + 1] = x[i + 1];
        } else {
            const auto pair = pack_bf16(x[i], x[i + 1]);
            several.values[i] = static_cast<T>(pair);
            several.values[i + 1] = static_cast<T>(pair >> 16);
        }
    }
    return several;
}

/// To an address of as many bytes' alignment in one access, into which the compiler does not always put a struct.
__device__ __forceinline__ void write_at_once(void* to, const uint4& x) {
#ifdef __CUDA_ARCH__
    asm volatile("st.global.v4.b32 [%0], {%1, %2, %3, %4};" ::"l"(__cvta_generic_to_global(to)), "r"(x.x), "r"(x.y),
                 "r"(x.z), "r"(x.w)
                 : "memory");
#else
    *static_cast<uint4*>(to) = x;
#endif
}
__device__ __forceinline__ void write_at_once(void* to, const uint2& x) {
#ifdef __CUDA_ARCH__
    asm volatile("st.global.v2.b32 [%0], {%1, %2};" ::"l"(__cvta_generic_to_global(to)), "r"(x.x), "r"(x.y) : "memory");
#else
    *static_cast<uint2*>(to) = x;
#endif
}

/// One element of an array of type `type`.
__device__ __forceinline__ float load(const void* data, std::int32_t type, std::int64_t i) {
    return type == FGK_F32 ? static_cast<const float*>(data)[i] : from_bf16(static_cast<const std::uint16_t*>(data)[i]);
}
__device__ __forceinline__ void store(void* data, std::int32_t type, std::int64_t i, float x) {
    if (type == FGK_F32) {
        static_cast<float*>(data)[i] = x;
    } else {
        static_cast<std::uint16_t*>(data)[i] = static_cast<std::uint16_t>(to_bf16(x));
    }
}

/// Elements j to j + 3 of n at `data`, 0 beyond. @param whole data and n allow vectors of four.
template <typename T>
__device__ __forceinline__ void load4(const T* data, bool whole, std::int64_t j, std::int64_t n, float (&x)[4]) {
    if (whole && j < n) {
        const auto v = *reinterpret_cast<const Several<T, 4>*>(data + j);
#pragma unroll
        for (int i = 0; i < 4; ++i) x[i] = as_float(v.values[i]);
        return;
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) x[i] = j + i < n ? as_float(data[j + i]) : 0.0F;
}
__device__ __forceinline__ void store4(float* data, bool whole, std::int64_t j, std::int64_t n, const float (&x)[4]) {
    if (whole && j < n) {
        *reinterpret_cast<float4*>(data + j) = float4{x[0], x[1], x[2], x[3]};
        return;
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        if (j + i < n) data[j + i] = x[i];
    }
}
/// Row `row` of an array of rows `stride` elements apart.
__host__ __device__ __forceinline__ const void* row_of(const void* data, std::int32_t type, std::int64_t row,
                                                       std::int64_t stride) {
    return static_cast<const char*>(data) + row * stride * (type == FGK_F32 ? 4 : 2);
}
__host__ __device__ __forceinline__ void* row_of(void* data, std::int32_t type, std::int64_t row, std::int64_t stride) {
    return static_cast<char*>(data) + row * stride * (type == FGK_F32 ? 4 : 2);
}
/// A number above 0 that every device has, asked for once a device, as asking takes as long as a launch.
class OfDevice {
public:
    /// That of the current device. @param find (device, number&) -> 0, or a CUDA error number. @return the same.
    template <typename Find>
    std::int32_t get(std::int64_t& number, const Find& find) noexcept {
        int device = 0;
        FGK_TRY(cudaGetDevice(&device));
        auto& known = known_[static_cast<unsigned>(device) % kDevices];
        number = known.load();
        if (number != 0) return 0;
        const std::int32_t status = find(device, number);
        if (status == 0) known.store(number);
        return status;
    }

private:
    static constexpr unsigned kDevices = 64;  // more than a machine has; devices that share a place are of one kind
    std::atomic<std::int64_t> known_[kDevices] = {};
};

/// Blocks of a kernel that run on a device at a time. One of these belongs to one kernel and one size of block.
class ResidentBlocks {
public:
    /// Of the current device. @return 0, or a CUDA error number.
    template <typename... Parameters>
    std::int32_t get(void (*kernel)(Parameters...), unsigned threads, std::size_t shared, std::int64_t& blocks) {
        return blocks_.get(blocks, [&](int device, std::int64_t& found) -> std::int32_t {
            int multiprocessors = 0;
            int each = 0;
            FGK_TRY(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device));
            FGK_TRY(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&each, kernel, static_cast<int>(threads), shared));
            found = greatest<std::int64_t>(1, static_cast<std::int64_t>(each) * multiprocessors);
            return 0;
        });
    }

private:
    OfDevice blocks_;
};

/// Whether data, and what lies `bytes` apart from it, can be read and written 16 bytes at a time.
inline bool in_sixteens(const void* data, std::int64_t bytes) {
    return bytes % 16 == 0 && reinterpret_cast<std::uintptr_t>(data) % 16 == 0;
}
inline bool is_type(std::int32_t type) { return type == FGK_F32 || type == FGK_BF16; }

}  // namespace filigree::cuda
