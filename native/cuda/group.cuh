// SPDX-License-Identifier: Apache-2.0
// Sums over the threads that work on one row: a warp, or a whole block. Every thread of the group must call, and gets
// the same bits; the order of a sum depends on the size of the group alone.
#pragma once

#include "common.cuh"

namespace filigree::cuda {

__device__ __forceinline__ float sum_of_warp(float x) {
#pragma unroll
    for (int distance = kWarp / 2; distance > 0; distance /= 2) x += __shfl_xor_sync(kWholeWarp, x, distance);
    return x;
}
__device__ __forceinline__ double sum_of_warp(double x) {
#pragma unroll
    for (int distance = kWarp / 2; distance > 0; distance /= 2) x += __shfl_xor_sync(kWholeWarp, x, distance);
    return x;
}
__device__ __forceinline__ float most_of_warp(float x) {
#pragma unroll
    for (int distance = kWarp / 2; distance > 0; distance /= 2) {
        const float other = __shfl_xor_sync(kWholeWarp, x, distance);
        x = other > x ? other : x;
    }
    return x;
}

/// kThreads threads, 32 or the size of the block. `Scratch` lies in shared memory, one for a group of more than a warp.
template <int kThreads>
class Group {
public:
    static constexpr int kWarps = kThreads / kWarp;
    struct Scratch {
        double slots[2][kWarp];
    };

    __device__ __forceinline__ explicit Group(Scratch* scratch) : scratch_(scratch) {}

    /// Of the thread in its group.
    __device__ __forceinline__ static int thread() { return static_cast<int>(threadIdx.x) % kThreads; }

    __device__ __forceinline__ std::int32_t sum(std::int32_t x) {
        x = static_cast<std::int32_t>(__reduce_add_sync(kWholeWarp, static_cast<unsigned>(x)));
        if constexpr (kWarps == 1) return x;
        return static_cast<std::int32_t>(__reduce_add_sync(kWholeWarp, static_cast<unsigned>(of_my_warp(x))));
    }
    __device__ __forceinline__ std::int32_t most(std::int32_t x) {
        x = __reduce_max_sync(kWholeWarp, x);
        if constexpr (kWarps == 1) return x;
        const auto other = of_my_warp(x);
        return __reduce_max_sync(kWholeWarp, lane() < kWarps ? other : x);
    }
    __device__ __forceinline__ float sum(float x) {
        x = sum_of_warp(x);
        if constexpr (kWarps == 1) return x;
        return sum_of_warp(of_my_warp(x));
    }
    __device__ __forceinline__ double sum(double x) {
        x = sum_of_warp(x);
        if constexpr (kWarps == 1) return x;
        return sum_of_warp(of_my_warp(x));
    }
    __device__ __forceinline__ float most(float x) {
        x = most_of_warp(x);
        if constexpr (kWarps == 1) return x;
        const auto other = of_my_warp(x);
        return most_of_warp(lane() < kWarps ? other : x);
    }
    /// Sum over the threads before this one; `total` is that of all.
    __device__ __forceinline__ std::int32_t sum_before(std::int32_t x, std::int32_t& total) {
        auto inclusive = x;
#pragma unroll
        for (unsigned distance = 1; distance < kWarp; distance *= 2) {
            const auto other = __shfl_up_sync(kWholeWarp, inclusive, distance);
            inclusive += lane() >= static_cast<int>(distance) ? other : 0;
        }
        const auto of_warp = __shfl_sync(kWholeWarp, inclusive, kWarp - 1);
        if constexpr (kWarps == 1) {
            total = of_warp;
            return inclusive - x;
        }
        const auto of_other = of_my_warp(of_warp);
        total = static_cast<std::int32_t>(__reduce_add_sync(kWholeWarp, static_cast<unsigned>(of_other)));
        const auto before = lane() < thread() / kWarp ? of_other : 0;
        return static_cast<std::int32_t>(__reduce_add_sync(kWholeWarp, static_cast<unsigned>(before))) + inclusive - x;
    }

private:
    __device__ __forceinline__ static int lane() { return thread() % kWarp; }

    /// Hand in a value of this thread's warp; lane i gets that of warp i, and 0 beyond the last. Two buffers take
    /// turns, so that one barrier is enough.
    template <typename T>
    __device__ __forceinline__ T of_my_warp(T x) {
        auto* slots = reinterpret_cast<T*>(scratch_->slots[turn_]);
        turn_ ^= 1;
        if (lane() == 0) slots[thread() / kWarp] = x;
        __syncthreads();
        return lane() < kWarps ? slots[lane()] : T{};
    }

    Scratch* scratch_;
    int turn_ = 0;
};

}  // namespace filigree::cuda
