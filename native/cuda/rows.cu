// SPDX-License-Identifier: Apache-2.0
// Sums over rows, all in a fixed order: of columns (bias gradients), and of rows by token (gradients of embedding and
// bigram table). Tokens are sorted by counting; the rows of one token are then added by one block, some by each warp,
// for a few tokens are most of a text.
#include "group.cuh"
#include "sums.cuh"

namespace filigree::cuda {
namespace {

constexpr int kColumns = 128;              // of a block, one a thread
constexpr std::int64_t kRowsAtLeast = 64;  // of a partial sum
constexpr std::int64_t kMostParts = 128;

std::int64_t column_sum_parts(std::int64_t rows) { return least(kMostParts, divide_up(rows, kRowsAtLeast)); }

__global__ void sum_columns(const void* x, std::int32_t type, std::int64_t rows, std::int64_t n, float* partial) {
    const auto j = static_cast<std::int64_t>(blockIdx.x) * kColumns + threadIdx.x;
    if (j >= n) return;
    const auto per_part = divide_up<std::int64_t>(rows, gridDim.y);
    const auto first = blockIdx.y * per_part;
    const auto last = least(rows, first + per_part);
    float sum = 0.0F;
    for (auto row = first; row < last; ++row) sum += load(x, type, row * n + j);
    partial[blockIdx.y * n + j] = sum;
}

// ---- Rows by token. ----

constexpr int kTokens = 256;  // of a block of the sort
constexpr int kScanners = 1024;

/// counts[block, token] = how often the token is among this block's.
__global__ void count_tokens(const std::int64_t* tokens, std::int64_t count, std::int64_t V, std::int32_t* counts) {
    const auto i = static_cast<std::int64_t>(blockIdx.x) * kTokens + threadIdx.x;
    if (i < count) atomicAdd(&counts[blockIdx.x * V + tokens[i]], 1);
}

/// begin[token] = the sum over the tokens before. One block.
__global__ void scan_totals(const std::int32_t* totals, std::int64_t V, std::int32_t* begin) {
    Group<kScanners> group(shared_memory<Group<kScanners>::Scratch>());
    std::int32_t before = 0;
    for (std::int64_t first = 0; first < V; first += kScanners) {
        const auto token = first + threadIdx.x;
        std::int32_t total = 0;
        const auto own = group.sum_before(token < V ? totals[token] : 0, total);
        if (token < V) begin[token] = before + own;
        before += total;
    }
    if (threadIdx.x == 0) begin[V] = before;
}

__global__ void place_tokens(const std::int64_t* tokens, std::int64_t count, std::int64_t V, const std::int32_t* counts,
                             const std::int32_t* begin, std::int32_t* order) {
    auto* shared = shared_memory<std::int64_t>();  // [kTokens]
    const auto i = static_cast<std::int64_t>(blockIdx.x) * kTokens + threadIdx.x;
    const auto token = i < count ? tokens[i] : -1;
    shared[threadIdx.x] = token;
    __syncthreads();
    if (i >= count) return;
    std::int32_t rank = 0;
    for (unsigned other = 0; other < threadIdx.x; ++other) rank += shared[other] == token ? 1 : 0;
    order[begin[token] + counts[blockIdx.x * V + token] + rank] = static_cast<std::int32_t>(i);
}

constexpr int kRowSlices = 8;           // of the rows of a token, a warp each
constexpr int kRowColumns = 4 * kWarp;  // of a block, four a thread

/// @tparam kWhole rows can be read four elements at a time.
template <typename T, bool kWhole>
__global__ void __launch_bounds__(kRowSlices* kWarp) add_rows(const T* rows, std::int64_t n, const std::int32_t* begin,
                                                              const std::int32_t* order, float scale, float* gradient) {
    auto* sums = shared_memory<float>();  // [kRowSlices, kRowColumns]
    const std::int64_t token = blockIdx.x;
    const auto first = begin[token];
    const auto last = begin[token + 1];
    if (first == last) return;
    const auto slice = static_cast<int>(threadIdx.x) / kWarp;
    const auto column = static_cast<int>(threadIdx.x) % kWarp * 4;  // of the block
    const auto block_column = static_cast<std::int64_t>(blockIdx.y) * kRowColumns;
    const auto per_slice = divide_up(last - first, kRowSlices);
    const auto own_last = least(last, first + (slice + 1) * per_slice);
    constexpr int kAhead = 8;  // rows that are asked for before the first of them is added
    float own[4] = {};
    for (auto i = first + slice * per_slice; i < own_last; i += kAhead) {
        std::int64_t row[kAhead];
        float x[kAhead][4];
#pragma unroll
        for (int a = 0; a < kAhead; ++a) row[a] = i + a < own_last ? order[i + a] : -1;
#pragma unroll
        for (int a = 0; a < kAhead; ++a) {
            // Beyond the last row nothing is read, and zeros are added.
            load4(rows + row[a] * n, kWhole, block_column + column, row[a] < 0 ? 0 : n, x[a]);
        }
#pragma unroll
        for (int a = 0; a < kAhead; ++a) {
#pragma unroll
            for (int e = 0; e < 4; ++e) own[e] += x[a][e];
        }
    }
#pragma unroll
    for (int e = 0; e < 4; ++e) sums[slice * kRowColumns + column + e] = own[e];
    __syncthreads();
    const auto j = block_column + threadIdx.x;
    if (threadIdx.x >= kRowColumns || j >= n) return;
    float sum = 0.0F;
    for (int other = 0; other < kRowSlices; ++other) sum += sums[other * kRowColumns + threadIdx.x];
    gradient[token * n + j] += scale * sum;
}

}  // namespace
}  // namespace filigree::cuda

std::int64_t fgk_add_column_sums_workspace(std::int64_t rows, std::int64_t n) {
    return filigree::cuda::column_sum_parts(rows) * n * static_cast<std::int64_t>(sizeof(float));
}

std::int32_t fgk_add_column_sums(const void* x, std::int32_t type, std::int64_t rows, std::int64_t n, float* sums,
                                 void* workspace, void* stream) {
    using namespace filigree::cuda;
    if (rows == 0 || n == 0) return 0;
    FGK_EXPECTS(is_type(type), "fgk_add_column_sums: unknown type");
    const auto parts = column_sum_parts(rows);
    auto* partial = static_cast<float*>(workspace);
    const dim3 grid(static_cast<unsigned>(divide_up<std::int64_t>(n, kColumns)), static_cast<unsigned>(parts));
    FGK_LAUNCH(grid, kColumns, 0, stream, sum_columns, x, type, rows, n, partial);
    return launch_add_partial_sums(partial, parts, n, sums, stream);
}

std::int64_t fgk_add_rows_workspace(std::int64_t count, std::int64_t V) {
    using namespace filigree::cuda;
    const auto blocks = divide_up<std::int64_t>(count, kTokens);
    return (blocks * V + V + (V + 1) + count) * static_cast<std::int64_t>(sizeof(std::int32_t));
}

std::int32_t fgk_add_rows(const void* rows, std::int32_t type, std::int64_t count, std::int64_t n,
                          const std::int64_t* tokens, std::int64_t V, float scale, float* gradient, void* workspace,
                          void* stream) {
    using namespace filigree::cuda;
    if (count == 0 || n == 0) return 0;
    FGK_EXPECTS(is_type(type), "fgk_add_rows: unknown type");
    FGK_EXPECTS(count < INT32_MAX && divide_up<std::int64_t>(n, kRowColumns) <= 65535, "fgk_add_rows: too many rows");
    const auto blocks = divide_up<std::int64_t>(count, kTokens);
    auto* counts = static_cast<std::int32_t*>(workspace);  // [blocks, V]
    auto* totals = counts + blocks * V;                    // [V]
    auto* begin = totals + V;                              // [V + 1]
    auto* order = begin + V + 1;                           // [count]
    const auto grid = static_cast<unsigned>(blocks);
    FGK_TRY(cudaMemsetAsync(counts, 0, static_cast<std::size_t>(blocks * V) * sizeof *counts,
                            static_cast<cudaStream_t>(stream)));
    FGK_LAUNCH(grid, kTokens, 0, stream, count_tokens, tokens, count, V, counts);
    const auto scanned = launch_scan_slices(counts, blocks, V, totals, stream);
    if (scanned != 0) return scanned;
    FGK_LAUNCH(1U, kScanners, sizeof(Group<kScanners>::Scratch), stream, scan_totals,
               static_cast<const std::int32_t*>(totals), V, begin);
    FGK_LAUNCH(grid, kTokens, kTokens * sizeof(std::int64_t), stream, place_tokens, tokens, count, V,
               static_cast<const std::int32_t*>(counts), static_cast<const std::int32_t*>(begin), order);
    const dim3 columns(static_cast<unsigned>(V), static_cast<unsigned>(divide_up<std::int64_t>(n, kRowColumns)));
    const auto launch_for = [&](const auto* typed, auto kernel_of_whole, auto kernel) -> std::int32_t {
        constexpr auto kWide = 4 * sizeof *typed;
        const bool whole = n % 4 == 0 && reinterpret_cast<std::uintptr_t>(rows) % kWide == 0;
        FGK_LAUNCH(columns, kRowSlices * kWarp, kRowSlices * kRowColumns * sizeof(float), stream,
                   whole ? kernel_of_whole : kernel, typed, n, static_cast<const std::int32_t*>(begin),
                   static_cast<const std::int32_t*>(order), scale, gradient);
        return 0;
    };
    return type == FGK_F32 ? launch_for(static_cast<const float*>(rows), add_rows<float, true>, add_rows<float, false>)
                           : launch_for(static_cast<const std::uint16_t*>(rows), add_rows<std::uint16_t, true>,
                                        add_rows<std::uint16_t, false>);
}
