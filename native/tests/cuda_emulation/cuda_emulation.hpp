// SPDX-License-Identifier: Apache-2.0
// As much of CUDA C++ as native/cuda uses, on the host: the kernels' sources compile against this header instead of
// cuda_runtime.h and run here, on any machine. Blocks run one after the other. The threads of a block are fibers: each
// runs until it waits for its block or its warp, then another one does, in an order drawn from a seed
// (FILIGREE_EMULATION_SEED, fresh for every process), so that a missing barrier shows as a result that depends on it.
// Shared memory is poisoned before every block and guarded behind its end. What cannot happen on a device that is used
// correctly (a barrier that some threads never reach, a write behind shared memory) ends the process with a message.
//
// Differences from a device: one block at a time, so no races between blocks; memory is sequentially consistent; host
// arithmetic and libm, so last digits differ.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)

struct dim3 {
    unsigned x = 1;
    unsigned y = 1;
    unsigned z = 1;

    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(8) uint2 {
    unsigned x, y;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};

namespace filigree::emulation {

/// Where the running thread is.
struct Place {
    dim3 thread, block, block_size, grid;
};
extern Place here;

/// Run a kernel, bound to its arguments, for all threads of all blocks.
/// @return whether a device would have taken the launch.
bool run(dim3 grid, unsigned threads, std::size_t shared_bytes, const std::function<void()>& thread);
[[nodiscard]] void* shared_memory();
/// Number of kernels launched so far.
[[nodiscard, gnu::visibility("default")]] std::uint64_t launches();

void wait_for_block();
/// Give the other lanes of the warp a value and wait for theirs. All 32 lanes must come.
/// @param size bytes, at most kMostBytes. @return the values by lane, kMostBytes apart, valid until the lane's next
/// exchange.
inline constexpr std::size_t kMostBytes = 64;
[[nodiscard]] const std::byte* exchange(unsigned mask, const void* value, std::size_t size);

template <typename T>
struct FromLanes {
    const std::byte* values;

    [[nodiscard]] T operator[](unsigned lane) const {
        T value;
        __builtin_memcpy(&value, values + lane * kMostBytes, sizeof value);
        return value;
    }
};
template <typename T>
[[nodiscard]] FromLanes<T> exchange(unsigned mask, const T& value) {
    static_assert(sizeof(T) <= kMostBytes);
    return {exchange(mask, &value, sizeof value)};
}
[[nodiscard]] inline unsigned lane() { return here.thread.x % 32; }

}  // namespace filigree::emulation

#define threadIdx (::filigree::emulation::here.thread)
#define blockIdx (::filigree::emulation::here.block)
#define blockDim (::filigree::emulation::here.block_size)
#define gridDim (::filigree::emulation::here.grid)

inline void __syncthreads() { ::filigree::emulation::wait_for_block(); }
inline void __syncwarp(unsigned mask = 0xffffffffU) { static_cast<void>(::filigree::emulation::exchange(mask, mask)); }
template <typename T>
T __shfl_sync(unsigned mask, T value, int source) {
    return ::filigree::emulation::exchange(mask, value)[static_cast<unsigned>(source) % 32];
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int bits) {
    return ::filigree::emulation::exchange(mask, value)[::filigree::emulation::lane() ^ static_cast<unsigned>(bits)];
}
template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned distance) {
    const auto lane = ::filigree::emulation::lane();
    return ::filigree::emulation::exchange(mask, value)[lane < distance ? lane : lane - distance];
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
    const auto votes = ::filigree::emulation::exchange(mask, predicate);
    unsigned result = 0;
    for (unsigned lane = 0; lane < 32; ++lane) result |= votes[lane] != 0 ? 1U << lane : 0U;
    return result;
}
inline unsigned __reduce_add_sync(unsigned mask, unsigned value) {
    const auto values = ::filigree::emulation::exchange(mask, value);
    unsigned sum = 0;
    for (unsigned lane = 0; lane < 32; ++lane) sum += values[lane];
    return sum;
}
inline int __reduce_max_sync(unsigned mask, int value) {
    const auto values = ::filigree::emulation::exchange(mask, value);
    int most = values[0];
    for (unsigned lane = 1; lane < 32; ++lane) most = std::max(most, values[lane]);
    return most;
}
inline int __reduce_min_sync(unsigned mask, int value) { return -__reduce_max_sync(mask, -value); }
inline int __popc(unsigned bits) { return std::popcount(bits); }

template <typename T>
T atomicAdd(T* address, T value) {
    const T before = *address;
    *address = before + value;
    return before;
}

// ---- The runtime's functions. Memory is the host's, streams do nothing.

using cudaStream_t = struct CUstream_st*;
enum cudaError_t {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorInvalidConfiguration = 9,
    cudaErrorInvalidDevice = 101
};
struct cudaDeviceProp {
    char name[256];
    int major, minor, multiProcessorCount, l2CacheSize;
    std::size_t totalGlobalMem, sharedMemPerBlockOptin;
};
enum cudaDeviceAttr { cudaDevAttrMultiProcessorCount = 16, cudaDevAttrMaxSharedMemoryPerBlockOptin = 97 };
cudaError_t cudaGetDevice(int* index);
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int index);
/// One: a block then has many rows even of small arrays.
template <typename Kernel>
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, Kernel /*kernel*/, int /*threads*/,
                                                          std::size_t /*shared*/) {
    *blocks = 1;
    return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int index);
cudaError_t cudaDriverGetVersion(int* version);
cudaError_t cudaRuntimeGetVersion(int* version);
cudaError_t cudaGetLastError();
cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream);
const char* cudaGetErrorString(cudaError_t status);
const char* cudaGetErrorName(cudaError_t status);
