// SPDX-License-Identifier: Apache-2.0
// The nonzeros of a weight, and products with them. A block keeps some rows of X in shared memory, turned so that the
// elements of one index lie side by side; a thread has one output of all those rows, and a nonzero costs it one read of
// shared memory and one multiply-add a row. Results leave in rows of neighbouring outputs.
#include "group.cuh"
#include "sums.cuh"

namespace filigree::cuda {
namespace {

// ---- Taking the nonzeros. ----

constexpr int kThreads = 256;
constexpr int kScanners = 1024;
constexpr std::int64_t kSliceRows = 64;  // rows of one count of the columns

/// counts[row] = its nonzeros. A warp has a row.
__global__ void count_rows(const float* w, std::int64_t m, std::int64_t n, std::int32_t* counts) {
    const auto row = static_cast<std::int64_t>(blockIdx.x) * (kThreads / kWarp) + threadIdx.x / kWarp;
    if (row >= m) return;
    std::int32_t count = 0;
    for (std::int64_t j = threadIdx.x % kWarp; j < n; j += kWarp) count += w[row * n + j] != 0.0F ? 1 : 0;
    count = static_cast<std::int32_t>(__reduce_add_sync(kWholeWarp, static_cast<unsigned>(count)));
    if (threadIdx.x % kWarp == 0) counts[row] = count;
}

/// counts[slice, column] = its nonzeros in that slice of the rows.
__global__ void count_columns(const float* w, std::int64_t m, std::int64_t n, std::int32_t* counts) {
    const auto column = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
    if (column >= n) return;
    const auto last = least(m, (blockIdx.y + 1) * kSliceRows);
    std::int32_t count = 0;
    for (auto row = blockIdx.y * kSliceRows; row < last; ++row) count += w[row * n + column] != 0.0F ? 1 : 0;
    counts[blockIdx.y * n + column] = count;
}

/// begin[line] = the sum over the lines before, at most `capacity`. One block.
__global__ void scan_lines(const std::int32_t* totals, std::int64_t lines, std::int64_t capacity, std::int32_t* begin) {
    Group<kScanners> group(shared_memory<Group<kScanners>::Scratch>());
    std::int64_t before = 0;
    for (std::int64_t first = 0; first < lines; first += kScanners) {
        const auto line = first + threadIdx.x;
        std::int32_t total = 0;
        const auto own = group.sum_before(line < lines ? totals[line] : 0, total);
        if (line < lines) begin[line] = static_cast<std::int32_t>(least(capacity, before + own));
        before += total;
    }
    if (threadIdx.x == 0) begin[lines] = static_cast<std::int32_t>(least(capacity, before));
}

__global__ void fill_rows(const float* w, std::int64_t m, std::int64_t n, std::int64_t capacity, fgk_lines to) {
    const auto row = static_cast<std::int64_t>(blockIdx.x) * (kThreads / kWarp) + threadIdx.x / kWarp;
    if (row >= m) return;
    const auto lane = threadIdx.x % kWarp;
    std::int64_t place = to.begin[row];
    for (std::int64_t first = 0; first < n; first += kWarp) {
        const auto j = first + lane;
        const auto value = j < n ? w[row * n + j] : 0.0F;
        const auto nonzero = __ballot_sync(kWholeWarp, value != 0.0F ? 1 : 0);
        const auto own = place + __popc(nonzero & ((1U << lane) - 1U));
        if (value != 0.0F && own < capacity) {
            to.index[own] = static_cast<std::int32_t>(j);
            to.value[own] = value;
        }
        place += __popc(nonzero);
    }
}

__global__ void fill_columns(const float* w, std::int64_t m, std::int64_t n, std::int64_t capacity,
                             const std::int32_t* counts, fgk_lines to) {
    const auto column = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
    if (column >= n) return;
    const auto last = least(m, (blockIdx.y + 1) * kSliceRows);
    std::int64_t place = to.begin[column] + counts[blockIdx.y * n + column];
    for (auto row = blockIdx.y * kSliceRows; row < last; ++row) {
        const auto value = w[row * n + column];
        if (value == 0.0F) continue;
        if (place < capacity) {
            to.index[place] = static_cast<std::int32_t>(row);
            to.value[place] = value;
        }
        ++place;
    }
}

// ---- Products. ----

/// Bytes of shared memory that a block can have: 163 KiB on compute capability 8.0, 227 on 9.0, 99 on 8.6 and 8.9.
/// @return 0 when there is no device.
std::int64_t most_shared_memory() {
    int device = 0;
    int bytes = 0;
    const auto known = cudaGetDevice(&device) == cudaSuccess &&
                       cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device) == cudaSuccess;
    return known ? bytes : 0;
}

/// Some bytes that are read at once.
template <int kBytes>
struct alignas(kBytes < 16 ? kBytes : 16) Bundle {
    std::uint32_t words[kBytes / 4];
};

template <typename T, int kRows>
__global__ void sparse_product(const T* x, std::int64_t rows, std::int64_t k, fgk_lines a, std::int64_t n,
                               const float* bias, void* y, std::int32_t y_type) {
    constexpr int kBytes = kRows * static_cast<int>(sizeof(T));
    using Column = Bundle<kBytes>;
    auto* turned = shared_memory<Column>();  // [k]
    auto* elements = reinterpret_cast<T*>(turned);
    const auto first = static_cast<std::int64_t>(blockIdx.x) * kRows;
    for (int row = 0; row < kRows; ++row) {
        for (std::int64_t i = threadIdx.x; i < k; i += blockDim.x) {
            elements[i * kRows + row] = first + row < rows ? x[(first + row) * k + i] : T{};
        }
    }
    __syncthreads();
    for (std::int64_t output = threadIdx.x; output < n; output += blockDim.x) {
        float sums[kRows];
        const auto start = bias != nullptr ? bias[output] : 0.0F;
#pragma unroll
        for (int row = 0; row < kRows; ++row) sums[row] = start;
        const auto end = a.begin[output + 1];
        for (auto e = a.begin[output]; e < end; ++e) {
            const auto value = a.value[e];
            const Column column = turned[a.index[e]];
#pragma unroll
            for (int row = 0; row < kRows; ++row) {
                if constexpr (sizeof(T) == 4) {
                    sums[row] += value * float_of(static_cast<std::int32_t>(column.words[row]));
                } else {
                    sums[row] += value * from_bf16(column.words[row / 2] >> (row % 2 * 16) & 0xffffU);
                }
            }
        }
#pragma unroll
        for (int row = 0; row < kRows; ++row) {
            if (first + row < rows) store(y, y_type, (first + row) * n + output, sums[row]);
        }
    }
}

template <typename T, int kRows>
std::int32_t multiply(const void* x, std::int64_t rows, std::int64_t k, const fgk_lines& a, std::int64_t n,
                      const float* bias, void* y, std::int32_t y_type, void* stream) {
    const auto shared = static_cast<std::size_t>(k) * kRows * sizeof(T);
    constexpr std::size_t kFewBlocks =
        64 * 1024;  // above, so few blocks share a multiprocessor that they should be large
    const unsigned threads = shared > kFewBlocks ? 512 : 256;
    FGK_LAUNCH(static_cast<unsigned>(divide_up<std::int64_t>(rows, kRows)), threads, shared, stream,
               (sparse_product<T, kRows>), static_cast<const T*>(x), rows, k, a, n, bias, y, y_type);
    return 0;
}

template <typename T>
std::int32_t multiply_by_length(const void* x, std::int64_t rows, std::int64_t k, const fgk_lines& a, std::int64_t n,
                                const float* bias, void* y, std::int32_t y_type, void* stream) {
    constexpr int kUnit = 4 / static_cast<int>(sizeof(T));  // rows of four bytes
    const auto most = most_shared_memory();
    if (k * 32 <= most) return multiply<T, 8 * kUnit>(x, rows, k, a, n, bias, y, y_type, stream);
    if (k * 16 <= most) return multiply<T, 4 * kUnit>(x, rows, k, a, n, bias, y, y_type, stream);
    return multiply<T, 2 * kUnit>(x, rows, k, a, n, bias, y, y_type, stream);
}

}  // namespace
}  // namespace filigree::cuda

std::int64_t fgk_take_nonzeros_workspace(std::int64_t m, std::int64_t n) {
    using namespace filigree::cuda;
    return (m + divide_up(m, kSliceRows) * n + n) * static_cast<std::int64_t>(sizeof(std::int32_t));
}

std::int32_t fgk_take_nonzeros(const float* w, std::int64_t m, std::int64_t n, std::int64_t capacity,
                               const fgk_lines* rows, const fgk_lines* columns, void* workspace, void* stream) {
    using namespace filigree::cuda;
    FGK_EXPECTS(m >= 1 && n >= 1 && capacity < INT32_MAX, "fgk_take_nonzeros: an empty matrix, or too large a one");
    const auto slices = divide_up(m, kSliceRows);
    FGK_EXPECTS(slices <= 65535, "fgk_take_nonzeros: too many rows");
    auto* of_rows = static_cast<std::int32_t*>(workspace);  // [m]
    auto* of_slices = of_rows + m;                          // [slices, n]
    auto* of_columns = of_slices + slices * n;              // [n]
    const auto row_blocks = static_cast<unsigned>(divide_up<std::int64_t>(m, kThreads / kWarp));
    const auto column_blocks = static_cast<unsigned>(divide_up<std::int64_t>(n, kThreads));
    const dim3 column_grid(column_blocks, static_cast<unsigned>(slices));
    constexpr auto kScratch = sizeof(Group<kScanners>::Scratch);
    FGK_LAUNCH(row_blocks, kThreads, 0, stream, count_rows, w, m, n, of_rows);
    FGK_LAUNCH(1U, kScanners, kScratch, stream, scan_lines, static_cast<const std::int32_t*>(of_rows), m, capacity,
               rows->begin);
    FGK_LAUNCH(row_blocks, kThreads, 0, stream, fill_rows, w, m, n, capacity, *rows);
    FGK_LAUNCH(column_grid, kThreads, 0, stream, count_columns, w, m, n, of_slices);
    const auto scanned = launch_scan_slices(of_slices, slices, n, of_columns, stream);
    if (scanned != 0) return scanned;
    FGK_LAUNCH(1U, kScanners, kScratch, stream, scan_lines, static_cast<const std::int32_t*>(of_columns), n, capacity,
               columns->begin);
    FGK_LAUNCH(column_grid, kThreads, 0, stream, fill_columns, w, m, n, capacity,
               static_cast<const std::int32_t*>(of_slices), *columns);
    return 0;
}

std::int64_t fgk_sparse_product_longest(std::int32_t /*x_type*/) { return filigree::cuda::most_shared_memory() / 8; }

std::int32_t fgk_sparse_product(const void* x, std::int32_t x_type, std::int64_t rows, std::int64_t k,
                                const fgk_lines* a, std::int64_t n, const float* bias, void* y, std::int32_t y_type,
                                void* stream) {
    using namespace filigree::cuda;
    if (rows == 0 || n == 0) return 0;
    FGK_EXPECTS(k <= fgk_sparse_product_longest(x_type), "fgk_sparse_product: rows of x do not fit into shared memory");
    FGK_EXPECTS(is_type(x_type) && is_type(y_type), "fgk_sparse_product: unknown type");
    return x_type == FGK_F32 ? multiply_by_length<float>(x, rows, k, *a, n, bias, y, y_type, stream)
                             : multiply_by_length<std::uint16_t>(x, rows, k, *a, n, bias, y, y_type, stream);
}
