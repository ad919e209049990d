// SPDX-License-Identifier: Apache-2.0
// Sums over many rows in a fixed order: every part of the rows makes a row of partial sums, which are added up here.
#pragma once

#include "common.cuh"

namespace filigree::cuda {

inline constexpr int kSumColumns = 32;  // of a block
inline constexpr int kSumSlices = 16;   // of the rows, per block

inline constexpr int kScanThreads = 256;

/// counts[slice, line] becomes the sum over the slices before; totals[line] that of all. Block: kScanThreads threads.
static __global__ void scan_slices(std::int32_t* counts, std::int64_t slices, std::int64_t lines,
                                   std::int32_t* totals) {
    const auto line = static_cast<std::int64_t>(blockIdx.x) * kScanThreads + threadIdx.x;
    if (line >= lines) return;
    constexpr int kAtOnce = 8;  // reads that do not wait for each other
    std::int32_t before = 0;
    for (std::int64_t first = 0; first < slices; first += kAtOnce) {
        std::int32_t own[kAtOnce];
#pragma unroll
        for (int i = 0; i < kAtOnce; ++i) own[i] = first + i < slices ? counts[(first + i) * lines + line] : 0;
#pragma unroll
        for (int i = 0; i < kAtOnce; ++i) {
            if (first + i < slices) counts[(first + i) * lines + line] = before;
            before += own[i];
        }
    }
    totals[line] = before;
}

inline std::int32_t launch_scan_slices(std::int32_t* counts, std::int64_t slices, std::int64_t lines,
                                       std::int32_t* totals, void* stream) {
    FGK_LAUNCH(static_cast<unsigned>(divide_up<std::int64_t>(lines, kScanThreads)), kScanThreads, 0, stream,
               scan_slices, counts, slices, lines, totals);
    return 0;
}

/// sums[j] += the sum over all parts of partial[part, j]. Block: kSumColumns * kSumSlices threads.
static __global__ void add_partial_sums(const float* partial, std::int64_t parts, std::int64_t n, float* sums) {
    auto* shared = shared_memory<float>();  // [kSumSlices, kSumColumns]
    const auto column = static_cast<int>(threadIdx.x) % kSumColumns;
    const auto slice = static_cast<int>(threadIdx.x) / kSumColumns;
    const auto j = static_cast<std::int64_t>(blockIdx.x) * kSumColumns + column;
    float sum = 0.0F;
    if (j < n) {
        for (std::int64_t part = slice; part < parts; part += kSumSlices) sum += partial[part * n + j];
    }
    shared[slice * kSumColumns + column] = sum;
    __syncthreads();
    if (slice == 0 && j < n) {
        for (int other = 1; other < kSumSlices; ++other) sum += shared[other * kSumColumns + column];
        sums[j] += sum;
    }
}

inline std::int32_t launch_add_partial_sums(const float* partial, std::int64_t parts, std::int64_t n, float* sums,
                                            void* stream) {
    FGK_LAUNCH(static_cast<unsigned>(divide_up<std::int64_t>(n, kSumColumns)), kSumColumns * kSumSlices,
               kSumColumns * kSumSlices * sizeof(float), stream, add_partial_sums, partial, parts, n, sums);
    return 0;
}

}  // namespace filigree::cuda
