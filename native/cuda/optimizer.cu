// SPDX-License-Identifier: Apache-2.0
// Gradient norm, Adam, exact top-k projection and decay over the flat parameters, all tensors in every launch, nothing
// read by the host. A pass over the weights is cut into chunks of one tensor each.
//
// The projection is a radix selection on the bits of |w|, 31 of them, per tensor:
//   1. Adam counts the upper 11 bits of what it writes (weights that the minimum-alive rule may force: a pass of their
//      own, once it is known which are); one block per tensor finds the bin of the k-th largest.
//   2. One pass keeps and decays what lies above that bin, clears what lies below, lists what lies in it and counts the
//      next 10 bits; again the bin is found.
//   3. What lies in that is listed, which is little; one block per tensor finds threshold and, among equals, the last
//      index that is kept.
//   4. What was listed first is decayed or cleared.
// So an entry of w is read and written once beyond what Adam needs. Lists have limited room: where a bin has more, its
// tensor is masked in a pass of its own once the threshold is known, with the same result.
#include <cmath>
#include <vector>

#include "group.cuh"

namespace filigree::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kFinders = 256;               // threads of a block that finds something for one tensor
constexpr std::int64_t kChunk = 8192;       // entries of a block of a pass
constexpr std::uint32_t kUpperBins = 2048;  // 11 bits
constexpr std::uint32_t kMiddleBins = 1024;
constexpr int kUpperShift = 20;
constexpr int kMiddleShift = 10;
constexpr int kSlices = 16;  // of the rows, where the largest of columns are looked for
constexpr int kAtOnce = 4;   // largest entries of a line that one pass finds

/// A tensor as the kernels see it; offsets are into the flat parameters or the workspace's arrays.
struct Tensor {
    std::int64_t offset, size, columns;
    std::int64_t first_chunk;
    std::int64_t list, list_room;  // in `lists`
    std::int64_t short_list, short_room;
    std::int64_t line_keys, lines;  // in `line_keys`
    std::int64_t partial_keys;      // in `partial_keys`, columns only
    std::int32_t slot;              // in `selections` and the bins, -1 when not projected
    std::int32_t axis;              // FGK_NO_LINES when nothing is forced
    std::int32_t per_line;
    std::int32_t wanted;  // entries to choose beside the forced ones
    float decay;
    std::int32_t reserved;
};

/// How far the choice of one tensor's entries has come.
struct Selection {
    std::int32_t prefix;  // bits known of the threshold; -1 when there is nothing to find
    std::int32_t wanted;  // entries still to choose among those with the prefix
    std::int32_t listed;  // entries in its list; more than its room when that is too small for all
    std::int32_t short_listed;
    std::int32_t threshold;  // kept: magnitudes above it, and those equal to it up to index `last`
    std::int32_t last;
};

struct Listed {
    std::int32_t magnitude;
    std::int32_t index;
};

/// Everything in the workspace.
struct Work {
    Tensor* tensors;
    Selection* selections;  // [projected]
    std::uint32_t* upper;   // [projected, kUpperBins]
    std::uint32_t* middle;  // [projected, kMiddleBins]
    Listed* lists;
    std::uint64_t* line_keys;
    std::uint64_t* partial_keys;  // [kSlices, columns, kAtOnce] of every tensor
    std::int32_t count;           // tensors
    std::int32_t projected;
};

/// Tensors that travel as an argument of a kernel, which holds 4 KiB.
constexpr int kPerUpload = 24;
struct Upload {
    Tensor tensors[kPerUpload];
};
static_assert(sizeof(Upload) <= 3800);

__global__ void upload_tensors(Upload upload, Tensor* to, int count) {
    const auto i = static_cast<int>(threadIdx.x);
    if (i < count) to[i] = upload.tensors[i];
}

/// The part of a tensor that a block has.
struct Chunk {
    Tensor tensor;              // a copy: what is written could be the original, as far as the compiler knows
    std::int64_t first, count;  // entries of the tensor
};
__device__ Chunk chunk_of_block(const Work& work) {
    const std::int64_t chunk = blockIdx.x;
    int low = 0;
    int high = work.count - 1;
    while (low < high) {
        const auto middle = (low + high + 1) / 2;
        if (work.tensors[middle].first_chunk <= chunk) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    const auto tensor = work.tensors[low];
    const auto first = (chunk - tensor.first_chunk) * kChunk;
    return {tensor, first, least(kChunk, tensor.size - first)};
}

/// Keys order the entries of a line: by magnitude, then by position, lower first.
__device__ __forceinline__ std::uint64_t key_of(std::int32_t m, std::int64_t position) {
    return static_cast<std::uint64_t>(m) << 32 | (0xffffffffU - static_cast<std::uint32_t>(position));
}
/// Where an entry of a projected tensor lies, which has fewer than 2^31.
struct Position {
    std::uint32_t row, column;

    __device__ __forceinline__ Position(const Tensor& tensor, std::int64_t index)
        : row(static_cast<std::uint32_t>(index) / static_cast<std::uint32_t>(tensor.columns)),
          column(static_cast<std::uint32_t>(index) % static_cast<std::uint32_t>(tensor.columns)) {}
    /// On to the next entry.
    __device__ __forceinline__ void advance(const Tensor& tensor) {
        if (++column < static_cast<std::uint32_t>(tensor.columns)) return;
        column = 0;
        ++row;
    }
};
__device__ __forceinline__ bool is_forced(const Work& work, const Tensor& tensor, const Position& at, std::int32_t m) {
    if (tensor.axis == FGK_NO_LINES) return false;
    const auto by_rows = tensor.axis == FGK_ROWS;
    return key_of(m, by_rows ? at.column : at.row) >= work.line_keys[tensor.line_keys + (by_rows ? at.row : at.column)];
}

// ---- Norm and Adam. ----

constexpr std::int64_t kNormBlocks = 8192;  // several waves of any device, so that the last one is short

std::int64_t norm_blocks(std::int64_t n) { return least(kNormBlocks, greatest<std::int64_t>(1, divide_up(n, kChunk))); }

__global__ void __launch_bounds__(kThreads) sum_squares(const float* g, std::int64_t n, bool whole, double* partial) {
    Group<kThreads> group(shared_memory<Group<kThreads>::Scratch>());
    double sum = 0.0;
    for (auto first = static_cast<std::int64_t>(blockIdx.x) * kChunk; first < n; first += gridDim.x * kChunk) {
        const auto count = least(kChunk, n - first);
        float squares = 0.0F;
        for (std::int64_t i = threadIdx.x * 4; i < kChunk; i += kThreads * 4) {
            float x[4];
            load4(g + first, whole && count == kChunk, i, count, x);
#pragma unroll
            for (int e = 0; e < 4; ++e) squares += x[e] * x[e];
        }
        sum += static_cast<double>(squares);
    }
    sum = group.sum(sum);
    if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

__global__ void __launch_bounds__(kFinders) finish_norm(const double* partial, std::int64_t blocks, std::int64_t n,
                                                        std::int32_t rule, double floor, fgk_gradient_state* state) {
    Group<kFinders> group(shared_memory<Group<kFinders>::Scratch>());
    double sum = 0.0;
    for (std::int64_t block = threadIdx.x; block < blocks; block += kFinders) sum += partial[block];
    sum = group.sum(sum);
    if (threadIdx.x != 0) return;
    const auto norm = sqrt(sum);
    const auto scale = 1.0 / (norm / sqrt(static_cast<double>(n)) + floor);
    state->norm = norm;
    state->scale = rule == FGK_NORMALIZE || scale < 1.0 ? scale : 1.0;
    const bool finite = norm - norm == 0.0;
    if (!finite || state->diverged > 0) ++state->diverged;
}

__device__ __forceinline__ void count_upper(std::uint32_t* bins, std::int32_t m) {
    if (m != 0) atomicAdd(&bins[m >> kUpperShift], 1U);  // zeros need no choice: they stay zero
}
__device__ void clear_bins(std::uint32_t* bins, std::uint32_t count) {
    for (auto i = threadIdx.x; i < count; i += blockDim.x) bins[i] = 0;
    __syncthreads();
}
__device__ void add_bins(const std::uint32_t* bins, std::uint32_t count, std::uint32_t* to) {
    __syncthreads();
    for (auto i = threadIdx.x; i < count; i += blockDim.x) {
        if (bins[i] != 0) atomicAdd(&to[i], bins[i]);
    }
}

__global__ void __launch_bounds__(kThreads)
    adam_step(Work work, fgk_adam adam, const fgk_gradient_state* state, float* w, float* m, float* v, float* g) {
    if (state->diverged != 0) return;
    auto* bins = shared_memory<std::uint32_t>();  // [kUpperBins]
    const auto chunk = chunk_of_block(work);
    const auto& tensor = chunk.tensor;
    const bool projected = tensor.slot >= 0;
    const bool counts = projected && tensor.axis == FGK_NO_LINES;
    if (counts) clear_bins(bins, kUpperBins);
    const auto scale = static_cast<float>(state->scale);
    const auto decay = projected ? 1.0F : tensor.decay;
    const auto place = tensor.offset + chunk.first;
    const bool whole = place % 4 == 0 && chunk.count % 4 == 0;
    for (std::int64_t i = threadIdx.x * 4; i < chunk.count; i += kThreads * 4) {
        float wi[4];
        float mi[4];
        float vi[4];
        float gi[4];
        load4(w + place, whole, i, chunk.count, wi);
        load4(m + place, whole, i, chunk.count, mi);
        load4(v + place, whole, i, chunk.count, vi);
        load4(g + place, whole, i, chunk.count, gi);
#pragma unroll
        for (int e = 0; e < 4; ++e) {
            const auto scaled = gi[e] * scale;
            mi[e] = adam.beta1 * mi[e] + adam.one_minus_beta1 * scaled;
            vi[e] = adam.beta2 * vi[e] + adam.one_minus_beta2 * scaled * scaled;
            wi[e] = (wi[e] - adam.step * mi[e] / (sqrtf(vi[e]) * adam.root + adam.eps)) * decay;
            gi[e] = 0.0F;
            if (counts && i + e < chunk.count) count_upper(bins, magnitude(wi[e]));
        }
        store4(w + place, whole, i, chunk.count, wi);
        store4(m + place, whole, i, chunk.count, mi);
        store4(v + place, whole, i, chunk.count, vi);
        store4(g + place, whole, i, chunk.count, gi);
    }
    if (counts) add_bins(bins, kUpperBins, work.upper + static_cast<std::int64_t>(tensor.slot) * kUpperBins);
}

// ---- The largest entries of every line. ----

/// The kAtOnce largest keys seen, descending; 0 for none.
struct Largest {
    std::uint64_t key[kAtOnce] = {};

    __device__ __forceinline__ void take(std::uint64_t x) {
#pragma unroll
        for (int i = 0; i < kAtOnce; ++i) {
            const auto before = key[i];
            key[i] = x > before ? x : before;
            x = x > before ? before : x;
        }
    }
};

/// line_keys of a tensor protected by rows: the `take`-th largest key below the one that is there. A warp has a row.
__global__ void __launch_bounds__(kThreads) force_rows(Work work, const float* w, int round) {
    const auto& tensor = work.tensors[blockIdx.y];
    if (tensor.axis != FGK_ROWS) return;
    const auto take = least(kAtOnce, tensor.per_line - round * kAtOnce);
    if (take <= 0) return;
    const auto lane = static_cast<int>(threadIdx.x) % kWarp;
    constexpr int kWarps = kThreads / kWarp;
    for (auto row = static_cast<std::int64_t>(blockIdx.x) * kWarps + threadIdx.x / kWarp; row < tensor.lines;
         row += static_cast<std::int64_t>(gridDim.x) * kWarps) {
        auto& line_key = work.line_keys[tensor.line_keys + row];
        const auto bound = round == 0 ? ~std::uint64_t{0} : line_key;
        __syncwarp();  // all have read it before one lane writes it
        Largest own;
        for (std::int64_t j = lane; j < tensor.columns; j += kWarp) {
            const auto key = key_of(magnitude(w[tensor.offset + row * tensor.columns + j]), j);
            if (key < bound) own.take(key);
        }
        std::uint64_t found = 0;
        for (int i = 0; i < take; ++i) {
            found = own.key[0];
            for (int distance = kWarp / 2; distance > 0; distance /= 2) {
                const std::uint64_t other = __shfl_xor_sync(kWholeWarp, found, distance);
                found = other > found ? other : found;
            }
            if (own.key[0] == found) {
#pragma unroll
                for (int k = 0; k + 1 < kAtOnce; ++k) own.key[k] = own.key[k + 1];
                own.key[kAtOnce - 1] = 0;
            }
        }
        if (lane == 0) line_key = found;
    }
}

/// The largest keys of every column in a slice of the rows. A thread has a column of a slice.
__global__ void __launch_bounds__(kThreads) force_columns(Work work, const float* w, int round) {
    const auto& tensor = work.tensors[blockIdx.z];
    if (tensor.axis != FGK_COLUMNS || tensor.per_line <= round * kAtOnce) return;
    const auto per_slice = divide_up<std::int64_t>(tensor.size / tensor.columns, kSlices);
    const auto first = blockIdx.y * per_slice;
    const auto last = least(first + per_slice, tensor.size / tensor.columns);
    for (auto column = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x; column < tensor.columns;
         column += static_cast<std::int64_t>(gridDim.x) * kThreads) {
        const auto bound = round == 0 ? ~std::uint64_t{0} : work.line_keys[tensor.line_keys + column];
        Largest own;
        for (auto row = first; row < last; ++row) {
            const auto key = key_of(magnitude(w[tensor.offset + row * tensor.columns + column]), row);
            if (key < bound) own.take(key);
        }
        auto* to = work.partial_keys + tensor.partial_keys + (blockIdx.y * tensor.columns + column) * kAtOnce;
        for (int i = 0; i < kAtOnce; ++i) to[i] = own.key[i];
    }
}
__global__ void __launch_bounds__(kThreads) merge_columns(Work work, int round) {
    const auto& tensor = work.tensors[blockIdx.y];
    const auto take = least(kAtOnce, tensor.per_line - round * kAtOnce);
    if (tensor.axis != FGK_COLUMNS || take <= 0) return;
    for (auto column = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x; column < tensor.columns;
         column += static_cast<std::int64_t>(gridDim.x) * kThreads) {
        Largest all;
        for (int slice = 0; slice < kSlices; ++slice) {
            const auto* from = work.partial_keys + tensor.partial_keys + (slice * tensor.columns + column) * kAtOnce;
            for (int i = 0; i < kAtOnce; ++i) all.take(from[i]);
        }
        auto found = all.key[0];
#pragma unroll
        for (int i = 1; i < kAtOnce; ++i) found = i < take ? all.key[i] : found;
        work.line_keys[tensor.line_keys + column] = found;
    }
}

// ---- The selection. ----

__global__ void __launch_bounds__(kThreads) count_upper_bits(Work work, const float* w, bool all) {
    auto* bins = shared_memory<std::uint32_t>();  // [kUpperBins]
    const auto chunk = chunk_of_block(work);
    const auto& tensor = chunk.tensor;
    if (tensor.slot < 0 || (!all && tensor.axis == FGK_NO_LINES)) return;  // Adam has counted it
    clear_bins(bins, kUpperBins);
    const auto place = tensor.offset + chunk.first;
    const bool whole = place % 4 == 0 && chunk.count % 4 == 0;
    for (std::int64_t i = threadIdx.x * 4; i < chunk.count; i += kThreads * 4) {
        float x[4];
        load4(w + place, whole, i, chunk.count, x);
        Position at(tensor, chunk.first + i);
#pragma unroll
        for (int e = 0; e < 4; ++e, at.advance(tensor)) {
            const auto m = magnitude(x[e]);
            if (m != 0 && !is_forced(work, tensor, at, m)) count_upper(bins, m);
        }
    }
    add_bins(bins, kUpperBins, work.upper + static_cast<std::int64_t>(tensor.slot) * kUpperBins);
}

/// Go down the bins from the top until they hold `wanted` entries. All threads of a block of kFinders call.
/// @return the bin, and how many of its entries are wanted; -1 when all bins together hold fewer.
struct Bin {
    std::int32_t bin, wanted;
};
template <std::uint32_t kBins>
__device__ Bin find_bin(const std::uint32_t* bins, std::int32_t wanted, Bin* shared) {
    Group<kFinders> group(reinterpret_cast<Group<kFinders>::Scratch*>(shared + 1));
    constexpr int kPerThread = kBins / kFinders;
    std::int32_t own = 0;
    for (int i = 0; i < kPerThread; ++i) {
        own += static_cast<std::int32_t>(bins[kBins - 1 - (threadIdx.x * kPerThread + static_cast<unsigned>(i))]);
    }
    std::int32_t total = 0;
    auto before = group.sum_before(own, total);
    if (threadIdx.x == 0) *shared = {-1, 0};
    __syncthreads();
    if (before < wanted && wanted <= before + own) {
        for (int i = 0; i < kPerThread; ++i) {
            const auto bin =
                static_cast<std::int32_t>(kBins - 1 - (threadIdx.x * kPerThread + static_cast<unsigned>(i)));
            const auto count = static_cast<std::int32_t>(bins[bin]);
            if (before < wanted && wanted <= before + count) *shared = {bin, wanted - before};
            before += count;
        }
    }
    __syncthreads();
    return *shared;
}
/// What find_bin() needs at `shared`.
constexpr std::size_t kFindShared = sizeof(Bin) + sizeof(Group<kFinders>::Scratch);

constexpr std::int32_t kEverything = 0x7fffffff;

/// Whether all entries with the upper bits of the threshold are, or will be, in the tensor's list.
__device__ __forceinline__ bool fits(const Tensor& tensor, const Selection& selection) {
    return selection.listed <= tensor.list_room;
}

__global__ void __launch_bounds__(kFinders) find_upper(Work work) {
    const auto& tensor = work.tensors[blockIdx.x];
    if (tensor.slot < 0) return;
    const auto* bins = work.upper + static_cast<std::int64_t>(tensor.slot) * kUpperBins;
    const auto found = find_bin<kUpperBins>(bins, tensor.wanted, shared_memory<Bin>());
    if (threadIdx.x != 0) return;
    Selection selection{};
    selection.prefix = tensor.wanted == 0 ? -1 : found.bin;
    selection.wanted = found.wanted;
    if (selection.prefix >= 0 && bins[found.bin] > tensor.list_room) selection.listed = kEverything;
    // Without a prefix: nothing is wanted but the forced ones, or more than there are nonzeros.
    selection.threshold = tensor.wanted == 0 ? kEverything : 0;
    selection.last = -1;
    work.selections[tensor.slot] = selection;
}

/// What a block lists before it asks for room in the tensor's list, once for all of it.
struct Stage {
    static constexpr std::uint32_t kRoom = 1024;
    std::uint32_t bins[kMiddleBins];
    Listed entries[kRoom];
    std::uint32_t count;
    std::int32_t place;
};

/// Keep and decay this chunk's entries above the bin, clear those below, list those in it and count their next bits. Of
/// a tensor whose bin does not fit, only count.
/// @param state null after no Adam.
__global__ void __launch_bounds__(kThreads) mask_and_list(Work work, const fgk_gradient_state* state, float* w) {
    if (state != nullptr && state->diverged != 0) return;
    auto& stage = *shared_memory<Stage>();
    const auto chunk = chunk_of_block(work);
    const auto& tensor = chunk.tensor;
    if (tensor.slot < 0) return;
    auto& selection = work.selections[tensor.slot];
    const auto prefix = selection.prefix;
    const bool writes = fits(tensor, selection);
    if (threadIdx.x == 0) stage.count = 0;
    clear_bins(stage.bins, kMiddleBins);
    const auto list = [&](std::int32_t at, const Listed& entry) { work.lists[tensor.list + at] = entry; };
    // Magnitudes above `above` are kept. Without a prefix the threshold is known, and nothing has to be listed.
    const auto above = prefix < 0 ? selection.threshold : prefix << kUpperShift | ((1 << kUpperShift) - 1);
    const auto place = tensor.offset + chunk.first;
    const bool whole = place % 4 == 0 && chunk.count % 4 == 0;
    for (std::int64_t i = threadIdx.x * 4; i < chunk.count; i += kThreads * 4) {
        float x[4];
        load4(w + place, whole, i, chunk.count, x);
        Position at(tensor, chunk.first + i);
#pragma unroll
        for (int e = 0; e < 4; ++e, at.advance(tensor)) {
            const auto m = magnitude(x[e]);
            if (m > above) {
                x[e] *= tensor.decay;
                continue;
            }
            const bool forced = m != 0 && is_forced(work, tensor, at, m);
            if (m != 0 && m >> kUpperShift == prefix && !forced) {
                atomicAdd(&stage.bins[m >> kMiddleShift & (kMiddleBins - 1)], 1U);
                if (!writes) continue;
                const Listed entry{m, static_cast<std::int32_t>(chunk.first + i + e)};
                const auto staged = atomicAdd(&stage.count, 1U);
                if (staged < Stage::kRoom) {
                    stage.entries[staged] = entry;
                } else {
                    list(atomicAdd(&selection.listed, 1), entry);
                }
            } else {
                x[e] = forced ? x[e] * tensor.decay : 0.0F;
            }
        }
        if (writes) store4(w + place, whole, i, chunk.count, x);
    }
    add_bins(stage.bins, kMiddleBins, work.middle + static_cast<std::int64_t>(tensor.slot) * kMiddleBins);
    if (!writes) return;
    const auto staged = static_cast<std::int32_t>(least(stage.count, Stage::kRoom));
    if (threadIdx.x == 0) stage.place = atomicAdd(&selection.listed, staged);
    __syncthreads();
    for (auto i = static_cast<std::int32_t>(threadIdx.x); i < staged; i += kThreads) {
        list(stage.place + i, stage.entries[i]);
    }
}

__global__ void __launch_bounds__(kFinders) find_middle(Work work) {
    const auto& tensor = work.tensors[blockIdx.x];
    if (tensor.slot < 0) return;
    auto& selection = work.selections[tensor.slot];
    const auto prefix = selection.prefix;
    const auto wanted = selection.wanted;
    if (prefix < 0) return;
    const auto found = find_bin<kMiddleBins>(work.middle + static_cast<std::int64_t>(tensor.slot) * kMiddleBins, wanted,
                                             shared_memory<Bin>());
    if (threadIdx.x != 0) return;
    selection.prefix = prefix << (kUpperShift - kMiddleShift) | found.bin;
    selection.wanted = found.wanted;
}

/// f(magnitude, index) for this part of a tensor's entries that begin with `prefix`: from the list where they all are
/// in it, else from the weights. The threads `thread` of `threads` share the work.
template <typename Body>
__device__ __forceinline__ void for_candidates(const Work& work, const Tensor& tensor, const float* w,
                                               std::int32_t prefix, std::int64_t list, std::int32_t listed,
                                               std::int64_t room, std::int64_t thread, std::int64_t threads,
                                               const Body& body) {
    if (listed <= room) {
        for (auto i = thread; i < listed; i += threads) {
            const auto entry = work.lists[list + i];
            if (entry.magnitude >> kMiddleShift == prefix) body(entry.magnitude, entry.index);
        }
        return;
    }
    for (auto i = thread; i < tensor.size; i += threads) {
        const auto m = magnitude(w[tensor.offset + i]);
        if (m != 0 && m >> kMiddleShift == prefix && !is_forced(work, tensor, Position(tensor, i), m)) {
            body(m, static_cast<std::int32_t>(i));
        }
    }
}

/// Some blocks per tensor.
__global__ void __launch_bounds__(kThreads) list_middle(Work work, const float* w) {
    const auto& tensor = work.tensors[blockIdx.y];
    if (tensor.slot < 0) return;
    auto& selection = work.selections[tensor.slot];
    if (selection.prefix < 0) return;
    const auto thread = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
    for_candidates(work, tensor, w, selection.prefix, tensor.list, selection.listed, tensor.list_room, thread,
                   static_cast<std::int64_t>(gridDim.x) * kThreads, [&](std::int32_t m, std::int32_t index) {
                       const auto at = atomicAdd(&selection.short_listed, 1);
                       if (at < tensor.short_room) work.lists[tensor.short_list + at] = {m, index};
                   });
}

/// The last bits, and the last index among equals. One block per tensor.
__global__ void __launch_bounds__(kFinders) find_last(Work work, const float* w) {
    const auto& tensor = work.tensors[blockIdx.x];
    if (tensor.slot < 0) return;
    auto& selection = work.selections[tensor.slot];
    const auto prefix = selection.prefix;
    if (prefix < 0) return;
    auto* bins = shared_memory<std::uint32_t>();  // [kUpperBins]
    auto* scratch = reinterpret_cast<Bin*>(bins + kUpperBins);
    // The lists are complete, or the weights are gone through.
    const bool in_short = selection.short_listed <= tensor.short_room;
    const auto list = in_short ? tensor.short_list : tensor.list;
    const auto listed = in_short ? selection.short_listed : selection.listed;
    const auto room = in_short ? tensor.short_room : tensor.list_room;
    const auto for_all = [&](const auto& body) {
        for_candidates(work, tensor, w, prefix, list, listed, room, threadIdx.x, kFinders, body);
    };
    clear_bins(bins, kMiddleBins);
    for_all([&](std::int32_t m, std::int32_t) { atomicAdd(&bins[m & (kMiddleBins - 1)], 1U); });
    __syncthreads();
    const auto found = find_bin<kMiddleBins>(bins, selection.wanted, scratch);
    const auto threshold = prefix << kMiddleShift | found.bin;
    const auto equals = static_cast<std::int32_t>(bins[found.bin]);
    auto wanted = found.wanted;
    std::int32_t last = kEverything;
    if (wanted < equals) {
        // Equals go to the lower index: a radix selection of the `wanted` smallest, by bits from the top.
        last = 0;
        for (int shift = 22; shift >= 0; shift -= 11) {
            __syncthreads();
            clear_bins(bins, kUpperBins);
            for_all([&](std::int32_t m, std::int32_t index) {
                if (m != threshold || (shift < 22 && index >> (shift + 11) != last >> (shift + 11))) return;
                // Reversed, so that the bins' top is the lowest index.
                atomicAdd(&bins[kUpperBins - 1 - (static_cast<std::uint32_t>(index >> shift) & (kUpperBins - 1))], 1U);
            });
            __syncthreads();
            const auto bin = find_bin<kUpperBins>(bins, wanted, scratch);
            last |= static_cast<std::int32_t>(kUpperBins - 1 - static_cast<std::uint32_t>(bin.bin)) << shift;
            wanted = bin.wanted;
        }
    }
    if (threadIdx.x == 0) {
        selection.threshold = threshold;
        selection.last = last;
    }
}

__device__ __forceinline__ bool is_kept(const Selection& selection, std::int32_t m, std::int64_t index) {
    return m > selection.threshold || (m == selection.threshold && index <= selection.last);
}

/// Decay or clear what mask_and_list() has listed. Some blocks per tensor.
__global__ void __launch_bounds__(kThreads) mask_listed(Work work, const fgk_gradient_state* state, float* w) {
    if (state != nullptr && state->diverged != 0) return;
    const auto& tensor = work.tensors[blockIdx.y];
    if (tensor.slot < 0) return;
    const auto selection = work.selections[tensor.slot];
    if (!fits(tensor, selection)) return;
    for (auto i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < selection.listed;
         i += static_cast<std::int64_t>(gridDim.x) * kThreads) {
        const auto entry = work.lists[tensor.list + i];
        auto& own = w[tensor.offset + entry.index];
        own = is_kept(selection, entry.magnitude, entry.index) ? own * tensor.decay : 0.0F;
    }
}

/// w <- w * decay where it is kept, else 0, of tensors whose bin did not fit into their list, and w <- w * decay of
/// those without projection when there was no Adam; nothing once the state says diverged. Some blocks per tensor.
__global__ void __launch_bounds__(kThreads) mask_and_decay(Work work, const fgk_gradient_state* state, float* w) {
    if (state != nullptr && state->diverged != 0) return;
    const auto& tensor = work.tensors[blockIdx.y];
    const bool projected = tensor.slot >= 0;
    if (projected ? fits(tensor, work.selections[tensor.slot]) : state != nullptr || tensor.decay == 1.0F) return;
    const auto selection = projected ? work.selections[tensor.slot] : Selection{-1, 0, 0, 0, -1, -1};
    for (auto index = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x; index < tensor.size;
         index += static_cast<std::int64_t>(gridDim.x) * kThreads) {
        auto& own = w[tensor.offset + index];
        const auto m = magnitude(own);
        own = is_kept(selection, m, index) || is_forced(work, tensor, Position(tensor, index), m) ? own * tensor.decay
                                                                                                  : 0.0F;
    }
}

// ---- On the host. ----

/// Where everything lies in the workspace, and the tensors as kernels see them.
struct Plan {
    std::vector<Tensor> tensors;
    Work work{};
    std::int64_t chunks = 0;
    std::int64_t rounds = 0;                       // of the search for the largest of lines
    std::int64_t most_rows = 0, most_columns = 0;  // lines of any tensor that is protected by them
    std::int64_t most_listed = 0, most_entries = 0;
    std::size_t cleared = 0;  // bytes of the bins
    std::int64_t bytes = 0;
};

bool is_projected(const fgk_tensor& tensor) { return tensor.kept >= 0 && tensor.kept < tensor.rows * tensor.columns; }

Plan make_plan(const fgk_tensor* tensors, std::int32_t count, void* workspace) {
    Plan plan;
    std::int64_t lists = 0;
    std::int64_t line_keys = 0;
    std::int64_t partial_keys = 0;
    for (std::int32_t i = 0; i < count; ++i) {
        const auto& given = tensors[i];
        Tensor tensor{};
        tensor.offset = given.offset;
        tensor.size = given.rows * given.columns;
        tensor.columns = given.columns;
        tensor.first_chunk = plan.chunks;
        tensor.decay = given.decay;
        tensor.slot = -1;
        plan.most_entries = greatest(plan.most_entries, tensor.size);
        plan.chunks += divide_up(tensor.size, kChunk);
        if (is_projected(given)) {
            tensor.slot = plan.work.projected++;
            const auto by_rows = given.axis == FGK_ROWS;
            const auto length = by_rows ? given.columns : given.rows;
            tensor.per_line = static_cast<std::int32_t>(least<std::int64_t>(given.minimum_alive, length));
            tensor.lines = given.axis == FGK_NO_LINES || tensor.per_line <= 0 ? 0 : tensor.size / length;
            tensor.axis = tensor.lines == 0 ? static_cast<std::int32_t>(FGK_NO_LINES) : given.axis;
            tensor.wanted = static_cast<std::int32_t>(given.kept - tensor.lines * tensor.per_line);
            constexpr std::int64_t kFewest = 1024;
            tensor.list = lists;
            tensor.list_room = tensor.size / 16 + kFewest;
            plan.most_listed = greatest(plan.most_listed, tensor.list_room);
            tensor.short_list = tensor.list + tensor.list_room;
            tensor.short_room = tensor.size / 256 + kFewest;
            lists = tensor.short_list + tensor.short_room;
            tensor.line_keys = line_keys;
            line_keys += tensor.lines;
            if (tensor.lines > 0) {
                plan.rounds = greatest<std::int64_t>(plan.rounds, divide_up<std::int64_t>(tensor.per_line, kAtOnce));
                auto& most = by_rows ? plan.most_rows : plan.most_columns;
                most = greatest(most, tensor.lines);
                tensor.partial_keys = partial_keys;
                partial_keys += by_rows ? 0 : kSlices * tensor.columns * kAtOnce;
            }
        }
        plan.tensors.push_back(tensor);
    }
    auto* base = static_cast<char*>(workspace);
    const auto take = [&](auto*& array, std::int64_t elements) {
        using Element = std::remove_reference_t<decltype(*array)>;
        array = reinterpret_cast<Element*>(base + plan.bytes);
        plan.bytes += divide_up<std::int64_t>(elements * static_cast<std::int64_t>(sizeof(Element)), 16) * 16;
    };
    auto& work = plan.work;
    work.count = count;
    take(work.upper, static_cast<std::int64_t>(work.projected) * kUpperBins);
    take(work.middle, static_cast<std::int64_t>(work.projected) * kMiddleBins);
    plan.cleared = static_cast<std::size_t>(plan.bytes);
    take(work.tensors, count);
    take(work.selections, work.projected);
    take(work.lists, lists);
    take(work.line_keys, line_keys);
    take(work.partial_keys, partial_keys);
    return plan;
}

std::int32_t check(const fgk_tensor* tensors, std::int32_t count) {
    for (std::int32_t i = 0; i < count; ++i) {
        const auto& t = tensors[i];
        FGK_EXPECTS(t.rows >= 1 && t.columns >= 1, "fgk_project: an empty tensor");
        if (!is_projected(t)) continue;
        FGK_EXPECTS(t.rows * t.columns < INT32_MAX, "fgk_project: a tensor of more than 2^31 entries");
        const auto by_rows = t.axis == FGK_ROWS;
        const auto lines = t.axis == FGK_NO_LINES ? 0 : by_rows ? t.rows : t.columns;
        const auto per_line = least<std::int64_t>(t.minimum_alive, by_rows ? t.columns : t.rows);
        FGK_EXPECTS(lines * per_line <= t.kept, "fgk_project: fewer entries kept than forced");
    }
    return 0;
}

std::int32_t upload(const Plan& plan, void* stream) {
    FGK_TRY(cudaMemsetAsync(plan.work.upper, 0, plan.cleared, static_cast<cudaStream_t>(stream)));
    for (std::size_t first = 0; first < plan.tensors.size(); first += kPerUpload) {
        Upload part{};
        const auto count = least<std::size_t>(kPerUpload, plan.tensors.size() - first);
        for (std::size_t i = 0; i < count; ++i) part.tensors[i] = plan.tensors[first + i];
        FGK_LAUNCH(1U, kWarp, 0, stream, upload_tensors, part, plan.work.tensors + first, static_cast<int>(count));
    }
    return 0;
}

/// @param state null when Adam has not counted the upper bits of tensors without forced entries.
std::int32_t select_and_mask(const Plan& plan, const fgk_gradient_state* state, float* w, void* stream) {
    const auto& work = plan.work;
    const bool adam_counted = state != nullptr;
    const auto tensors = static_cast<unsigned>(work.count);
    const auto chunks = static_cast<unsigned>(plan.chunks);
    const auto* read = static_cast<const float*>(w);
    // Blocks of one tensor: enough for the longest of them, which goes around when it is longer.
    const auto blocks = [](std::int64_t work_items, std::int64_t per_block) {
        constexpr std::int64_t kMost = 128;
        return static_cast<unsigned>(least(kMost, divide_up(work_items, per_block)));
    };
    const auto row_blocks = blocks(plan.most_rows, kThreads / kWarp);
    const auto column_blocks = blocks(plan.most_columns, kThreads);
    const auto list_blocks = blocks(plan.most_listed, kThreads * 4);
    constexpr auto kUpperBytes = kUpperBins * sizeof(std::uint32_t);
    if (work.projected > 0) {
        for (int round = 0; round < plan.rounds; ++round) {
            if (row_blocks > 0) {
                FGK_LAUNCH(dim3(row_blocks, tensors), kThreads, 0, stream, force_rows, work, read, round);
            }
            if (column_blocks > 0) {
                FGK_LAUNCH(dim3(column_blocks, kSlices, tensors), kThreads, 0, stream, force_columns, work, read,
                           round);
                FGK_LAUNCH(dim3(column_blocks, tensors), kThreads, 0, stream, merge_columns, work, round);
            }
        }
        if (!adam_counted || plan.rounds > 0) {
            FGK_LAUNCH(chunks, kThreads, kUpperBytes, stream, count_upper_bits, work, read, !adam_counted);
        }
        FGK_LAUNCH(tensors, kFinders, kFindShared, stream, find_upper, work);
        FGK_LAUNCH(chunks, kThreads, sizeof(Stage), stream, mask_and_list, work, state, w);
        FGK_LAUNCH(tensors, kFinders, kFindShared, stream, find_middle, work);
        FGK_LAUNCH(dim3(list_blocks, tensors), kThreads, 0, stream, list_middle, work, read);
        FGK_LAUNCH(tensors, kFinders, kUpperBytes + kFindShared, stream, find_last, work, read);
        FGK_LAUNCH(dim3(list_blocks, tensors), kThreads, 0, stream, mask_listed, work, state, w);
    }
    FGK_LAUNCH(dim3(blocks(plan.most_entries, kThreads), tensors), kThreads, 0, stream, mask_and_decay, work, state, w);
    return 0;
}

}  // namespace
}  // namespace filigree::cuda

std::int64_t fgk_gradient_norm_workspace(std::int64_t n) {
    return filigree::cuda::norm_blocks(n) * static_cast<std::int64_t>(sizeof(double));
}

std::int32_t fgk_gradient_norm(const float* g, std::int64_t n, std::int32_t rule, double floor,
                               fgk_gradient_state* state, void* workspace, void* stream) {
    using namespace filigree::cuda;
    const auto blocks = norm_blocks(n);
    auto* partial = static_cast<double*>(workspace);
    FGK_LAUNCH(static_cast<unsigned>(blocks), kThreads, sizeof(Group<kThreads>::Scratch), stream, sum_squares, g, n,
               in_sixteens(g, 0), partial);
    FGK_LAUNCH(1U, kFinders, sizeof(Group<kFinders>::Scratch), stream, finish_norm, static_cast<const double*>(partial),
               blocks, n, rule, floor, state);
    return 0;
}

std::int64_t fgk_project_workspace(const fgk_tensor* tensors, std::int32_t count) {
    return filigree::cuda::make_plan(tensors, count, nullptr).bytes;
}

std::int32_t fgk_project(const fgk_tensor* tensors, std::int32_t count, float* w, void* workspace, void* stream) {
    using namespace filigree::cuda;
    if (count == 0) return 0;
    FGK_EXPECTS(in_sixteens(w, 0), "fgk_project: weights are not on a boundary of 16 bytes");
    auto status = check(tensors, count);
    if (status != 0) return status;
    const auto plan = make_plan(tensors, count, workspace);
    status = upload(plan, stream);
    return status != 0 ? status : select_and_mask(plan, /*state=*/nullptr, w, stream);
}

std::int32_t fgk_optimizer_step(const fgk_tensor* tensors, std::int32_t count, const fgk_adam* adam,
                                const fgk_gradient_state* state, float* w, float* m, float* v, float* g,
                                void* workspace, void* stream) {
    using namespace filigree::cuda;
    if (count == 0) return 0;
    FGK_EXPECTS(in_sixteens(w, 0) && in_sixteens(m, 0) && in_sixteens(v, 0) && in_sixteens(g, 0),
                "fgk_optimizer_step: arrays are not on boundaries of 16 bytes");
    auto status = check(tensors, count);
    if (status != 0) return status;
    const auto plan = make_plan(tensors, count, workspace);
    status = upload(plan, stream);
    if (status != 0) return status;
    FGK_LAUNCH(static_cast<unsigned>(plan.chunks), kThreads, kUpperBins * sizeof(std::uint32_t), stream, adam_step,
               plan.work, *adam, state, w, m, v, g);
    return select_and_mask(plan, state, w, stream);
}
