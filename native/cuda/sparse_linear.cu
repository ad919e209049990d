// SPDX-License-Identifier: Apache-2.0
// The nonzeros of a weight in sliced ELLPACK, and products with them. A block turns some rows of X, its tokens, into
// columns in shared memory, so that the elements of one index lie side by side. A few lanes of a warp then have a line
// of the weight: each of its entries costs them one read of 16 bytes and a multiply-add for every token. Reads of
// shared memory are what takes the time, so entries are ordered for different banks. Lines of equal length run beside
// each other, and nothing waits for the block. Results are turned back in shared memory too, and leave in rows.
#include <utility>

#include "group.cuh"
#include "sums.cuh"

namespace filigree::cuda {
namespace {

// ---- Taking the nonzeros. ----

constexpr int kThreads = 256;
constexpr int kScanners = 1024;
constexpr std::int64_t kSliceRows = 64;  // rows of one count of the columns
constexpr int kAhead = 4;                // reads of a thread that do not wait for each other

/// Places of some lines: whole windows.
__host__ __device__ constexpr std::int64_t places_of(std::int64_t lines) {
    return divide_up<std::int64_t>(lines, FGK_SORTED_LINES) * FGK_SORTED_LINES;
}
static_assert(kScanners % FGK_SORTED_LINES == 0 && FGK_SORTED_LINES % FGK_SLICE_LINES == 0);

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

struct ArrangeScratch {
    Group<kScanners>::Scratch group;
    std::int32_t length[kScanners];
    std::int32_t longest[kScanners / FGK_SLICE_LINES];  // of every slice
    std::int32_t begin[kScanners / FGK_SLICE_LINES];
};

/// Order the lines within every kSortedLines by length, and lay out their slices. One block.
/// @param length of every line. @param places out, the place of every line.
__global__ void __launch_bounds__(kScanners)
    arrange_lines(const std::int32_t* length, std::int64_t lines, fgk_slices to, std::int32_t* places) {
    auto& scratch = *shared_memory<ArrangeScratch>();
    Group<kScanners> group(&scratch.group);
    const auto own = static_cast<std::int32_t>(threadIdx.x);
    const auto window = own / FGK_SORTED_LINES * FGK_SORTED_LINES;
    std::int64_t before = 0;  // entries of the slices so far
    for (std::int64_t first = 0; first < places_of(lines); first += kScanners) {
        const auto line = first + own;
        const auto mine = line < lines ? length[line] : -1;
        scratch.length[own] = mine;
        __syncthreads();
        std::int32_t rank = 0;
        for (std::int32_t i = 0; i < FGK_SORTED_LINES; ++i) {
            const auto other = scratch.length[window + i];
            rank += other > mine || (other == mine && window + i < own) ? 1 : 0;
        }
        const auto place = first + window + rank;
        if (rank % FGK_SLICE_LINES == 0) scratch.longest[(window + rank) / FGK_SLICE_LINES] = greatest(mine, 0);
        if (line < lines) places[line] = static_cast<std::int32_t>(place);
        __syncthreads();
        std::int32_t total = 0;
        const auto slice = first / FGK_SLICE_LINES + own;
        const bool has_slice = own < kScanners / FGK_SLICE_LINES;
        const auto begin = group.sum_before(has_slice ? scratch.longest[own] * FGK_SLICE_LINES : 0, total);
        if (has_slice) scratch.begin[own] = static_cast<std::int32_t>(least(to.capacity, before + begin));
        if (has_slice && slice < places_of(lines) / FGK_SLICE_LINES) to.begin[slice] = scratch.begin[own];
        before += total;
        __syncthreads();
        if (place < places_of(lines)) {
            // Without what finds no room.
            const auto first_entry = scratch.begin[(window + rank) / FGK_SLICE_LINES] + rank % FGK_SLICE_LINES;
            const auto room = greatest<std::int64_t>(0, to.capacity - first_entry + FGK_SLICE_LINES - 1);
            to.line[place] = line < lines ? static_cast<std::int32_t>(line) : -1;
            to.length[place] =
                static_cast<std::int32_t>(least<std::int64_t>(greatest(mine, 0), room / FGK_SLICE_LINES));
        }
    }
}

/// Entries are read and written in one access of 8 bytes, on a boundary of which their array starts.
__device__ __forceinline__ void write_entry(fgk_entry* to, std::int64_t index, float value) {
    write_at_once(to, uint2{static_cast<unsigned>(index), static_cast<unsigned>(bits_of(value))});
}

/// Where entry `rank` of the line at a place belongs.
__device__ __forceinline__ std::int64_t entry_of(const fgk_slices& to, std::int32_t place, std::int64_t rank) {
    return to.begin[place / FGK_SLICE_LINES] + rank * FGK_SLICE_LINES + place % FGK_SLICE_LINES;
}

__global__ void fill_rows(const float* w, std::int64_t m, std::int64_t n, const std::int32_t* places, fgk_slices to) {
    const auto row = static_cast<std::int64_t>(blockIdx.x) * (kThreads / kWarp) + threadIdx.x / kWarp;
    if (row >= m) return;
    const auto lane = threadIdx.x % kWarp;
    const auto begin = entry_of(to, places[row], 0);
    std::int64_t rank = 0;
    for (std::int64_t first = 0; first < n; first += kAhead * kWarp) {
        float values[kAhead];
#pragma unroll
        for (int i = 0; i < kAhead; ++i) {
            const auto j = first + i * kWarp + lane;
            values[i] = j < n ? w[row * n + j] : 0.0F;
        }
#pragma unroll
        for (int i = 0; i < kAhead; ++i) {
            const auto nonzero = __ballot_sync(kWholeWarp, values[i] != 0.0F ? 1 : 0);
            const auto own = begin + (rank + __popc(nonzero & ((1U << lane) - 1U))) * FGK_SLICE_LINES;
            if (values[i] != 0.0F && own < to.capacity) {
                write_entry(to.entries + own, first + i * kWarp + lane, values[i]);
            }
            rank += __popc(nonzero);
        }
    }
}

__global__ void fill_columns(const float* w, std::int64_t m, std::int64_t n, const std::int32_t* counts,
                             const std::int32_t* places, fgk_slices to) {
    const auto column = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
    if (column >= n) return;
    const auto last = least(m, (blockIdx.y + 1) * kSliceRows);
    auto own = entry_of(to, places[column], counts[blockIdx.y * n + column]);
    for (auto first = blockIdx.y * kSliceRows; first < last; first += kAhead) {
        float values[kAhead];
#pragma unroll
        for (int i = 0; i < kAhead; ++i) values[i] = first + i < last ? w[(first + i) * n + column] : 0.0F;
#pragma unroll
        for (int i = 0; i < kAhead; ++i) {
            if (values[i] == 0.0F) continue;
            if (own < to.capacity) write_entry(to.entries + own, first + i, values[i]);
            own += FGK_SLICE_LINES;
        }
    }
}

constexpr int kClasses = 8;  // of the indices, by their last three bits

/// Where an entry of the line at a place comes in its order, [0, kClasses): by index - place modulo 2, then modulo 4,
/// then 8.
__device__ __forceinline__ unsigned class_of(unsigned index, std::int64_t place) {
    const auto apart = index - static_cast<unsigned>(place);
    return (apart & 1U) << 2 | (apart & 2U) | (apart & 4U) >> 2;
}

/// Order the entries of every line by class. Two, four or eight lines beside each other are read at a time, the entries
/// of one rank: these have different classes modulo as many then, so that their columns of a tile lie in different
/// banks of shared memory. Longer lines stay as they are. A warp has a line.
__global__ void __launch_bounds__(kThreads) order_entries(fgk_slices a, std::int64_t places) {
    const auto warp = static_cast<std::int64_t>(threadIdx.x) / kWarp;
    const auto lane = static_cast<std::int32_t>(threadIdx.x) % kWarp;
    auto* staged = shared_memory<uint2>() + warp * FGK_ORDERED_ENTRIES;
    const auto place = static_cast<std::int64_t>(blockIdx.x) * (kThreads / kWarp) + warp;
    if (place >= places) return;
    const auto length = a.length[place];
    if (length < 2 || length > FGK_ORDERED_ENTRIES) return;
    auto* entries = a.entries + entry_of(a, static_cast<std::int32_t>(place), 0);
    const auto for_entries = [&](const auto& body) {
        for (std::int32_t begin = 0; begin < length; begin += kWarp) {
            const auto e = begin + lane;
            body(e, e < length);
        }
    };
    std::int32_t count[kClasses] = {};
    for_entries([&](std::int32_t e, bool real) {
        unsigned own = kClasses;
        if (real) {
            staged[e] = *reinterpret_cast<const uint2*>(entries + e * FGK_SLICE_LINES);
            own = class_of(staged[e].x, place);
        }
#pragma unroll
        for (unsigned c = 0; c < kClasses; ++c) count[c] += __popc(__ballot_sync(kWholeWarp, own == c ? 1 : 0));
    });
    __syncwarp();                 // all have been read
    std::int32_t next[kClasses];  // rank of the next entry of a class
#pragma unroll
    for (int c = 0; c < kClasses; ++c) next[c] = c == 0 ? 0 : next[c - 1] + count[c - 1];
    for_entries([&](std::int32_t e, bool real) {
        const auto own = real ? class_of(staged[e].x, place) : unsigned{kClasses};
        std::int32_t rank = 0;
#pragma unroll
        for (unsigned c = 0; c < kClasses; ++c) {
            const auto alike = __ballot_sync(kWholeWarp, own == c ? 1 : 0);
            if (own == c) rank = next[c] + __popc(alike & ((1U << lane) - 1U));
            next[c] += __popc(alike);
        }
        if (real) write_at_once(entries + rank * FGK_SLICE_LINES, staged[e]);
    });
}

// ---- Products. ----

constexpr int kProductThreads = 512;
constexpr int kProductWarps = kProductThreads / kWarp;

/// How a block works. @tparam X, Y float, or std::uint16_t for bf16. @tparam kLanes lanes that share a line. @tparam
/// kLaneBytes what a lane reads of a column of the tile.
template <typename X, typename Y, int kLanes, int kLaneBytes>
struct Product {
    static constexpr int kLaneTokens = kLaneBytes / static_cast<int>(sizeof(X));
    static constexpr int kTokens = kLanes * kLaneTokens;
    static constexpr int kAtOnce = kWarp / kLanes;          // lines of a warp
    using Column = Several<std::uint32_t, kLaneBytes / 4>;  // of the tile, a lane's part
    using Results = Several<Y, kLaneTokens>;

    __device__ __forceinline__ static float token_of(const Column& column, int t) {
        if constexpr (sizeof(X) == 4) {
            return float_of(static_cast<std::int32_t>(column.values[t]));
        } else {
            const auto both = column.values[t / 2];
            return float_of(static_cast<std::int32_t>(t % 2 == 0 ? both << 16 : both & 0xffff0000U));
        }
    }
    static_assert(kTokens * sizeof(Y) <= 64, "the results of a warp are kept small, for the tile to be large");

    /// Of the tile, up to the boundary that results begin on.
    __host__ __device__ static std::int64_t tile_bytes(std::int64_t k) {
        return divide_up<std::int64_t>(k * kLanes * kLaneBytes, 16) * 16;
    }
    /// Of shared memory: the tile, the results of every warp, then the number of the next window.
    __host__ __device__ static std::int64_t next_window(std::int64_t k) {
        return tile_bytes(k) +
               static_cast<std::int64_t>(kProductWarps) * FGK_SORTED_LINES * kTokens * static_cast<int>(sizeof(Y));
    }
    static std::int64_t shared_bytes(std::int64_t k) { return next_window(k) + 16; }
};

/// Halves of two words, side by side.
__device__ __forceinline__ std::uint32_t lower_halves(std::uint32_t first, std::uint32_t second) {
    return (first & 0xffffU) | second << 16;
}
__device__ __forceinline__ std::uint32_t upper_halves(std::uint32_t first, std::uint32_t second) {
    return first >> 16 | (second & 0xffff0000U);
}

/// Exchange what a lane holds so that register j has what was in j ^ (lane & mask), for a mask that is known when
/// compiling: lanes that would use the same bank then use different ones.
template <int kMask, int kCount>
__device__ __forceinline__ void exchange_registers(std::uint32_t (&words)[kCount], int lane) {
#pragma unroll
    for (int bit = 1; bit <= kMask; bit *= 2) {
        const bool swap = (lane & bit) != 0;
#pragma unroll
        for (int j = 0; j < kCount; ++j) {
            if ((j & bit) != 0) continue;
            const auto low = words[j];
            const auto high = words[j | bit];
            words[j] = swap ? high : low;
            words[j | bit] = swap ? low : high;
        }
    }
}

/// Rows `first` on of x into the columns of a tile [k, kTokens], zero beyond the last. A word of the tile is an fp32
/// element, or two of bf16 of neighbouring tokens. @tparam kWhole rows can be read 16 bytes at a time.
template <typename X, int kTokens, bool kWhole>
__device__ __forceinline__ void turn_rows(const X* x, std::int64_t rows, std::int64_t k, std::int64_t first,
                                          std::uint32_t* tile) {
    constexpr int kPerWord = 4 / static_cast<int>(sizeof(X));
    constexpr int kWords = kTokens / kPerWord;
    constexpr int kStep = 16 / static_cast<int>(sizeof(X));  // indices of one read
    constexpr int kApart = kWarp / kWords;                   // lanes with the same word
    constexpr int kMask = (kApart < kStep ? kApart : kStep) - 1;
    const auto lane = static_cast<int>(threadIdx.x) % kWarp;
    const auto word = lane / kApart;
    const auto apart = lane % kApart;  // lanes beside each other have the same row
    const auto token = first + word * kPerWord;
    const auto begin = (static_cast<std::int64_t>(threadIdx.x) / kWarp * kApart + apart) * kStep;
    constexpr int kAll = kProductWarps * kApart * kStep;  // indices of all warps at once
#pragma unroll 2
    for (auto i = begin; i < k; i += kAll) {
        std::uint32_t read[kPerWord][4] = {};  // of a row each
#pragma unroll
        for (int t = 0; t < kPerWord; ++t) {
            if (token + t >= rows) continue;
            const auto* from = x + (token + t) * k + i;
            if constexpr (kWhole) {
                const auto all = *reinterpret_cast<const uint4*>(from);
                read[t][0] = all.x, read[t][1] = all.y, read[t][2] = all.z, read[t][3] = all.w;
            } else {
#pragma unroll
                for (int j = 0; j < kStep; ++j) {
                    if (i + j >= k) break;
                    if constexpr (kPerWord == 1) {
                        read[t][j] = static_cast<std::uint32_t>(bits_of(from[j]));
                    } else {
                        read[t][j / 2] |= static_cast<std::uint32_t>(from[j]) << (16 * (j % 2));
                    }
                }
            }
        }
        std::uint32_t words[kStep];
#pragma unroll
        for (int j = 0; j < kStep; ++j) {
            if constexpr (kPerWord == 1) {
                words[j] = read[0][j];
            } else {
                words[j] = j % 2 == 0 ? lower_halves(read[0][j / 2], read[1][j / 2])
                                      : upper_halves(read[0][j / 2], read[1][j / 2]);
            }
        }
        exchange_registers<kMask>(words, apart);
        auto* to = tile + static_cast<std::int32_t>(i) * kWords + word;
#pragma unroll
        for (int j = 0; j < kStep; ++j) {
            const auto own = j ^ (apart & kMask);
            if (kWhole || i + own < k) to[own * kWords] = words[j];
        }
    }
}

/// Results [kSortedLines, kTokens] of a warp into rows of y. @param line first of the lines. @tparam kWhole rows can be
/// written 16 bytes at a time.
template <typename Y, int kTokens, bool kWhole>
__device__ __forceinline__ void write_rows(const std::uint32_t* results, std::int64_t rows, std::int64_t n,
                                           std::int64_t first, std::int64_t line, Y* y) {
    constexpr int kPerWord = 4 / static_cast<int>(sizeof(Y));
    constexpr int kWords = kTokens / kPerWord;
    constexpr int kStep = 16 / static_cast<int>(sizeof(Y));  // lines of one write
    constexpr int kApart = kWarp / kWords;                   // lanes with the same word
    constexpr int kMask = (kApart < kStep ? kApart : kStep) - 1;
    const auto lane = static_cast<int>(threadIdx.x) % kWarp;
    const auto word = lane / kApart;
    const auto apart = lane % kApart;  // lanes beside each other have the same row
    for (int i = apart * kStep; i < FGK_SORTED_LINES; i += kApart * kStep) {
        if (line + i >= n) break;
        std::uint32_t words[kStep];
#pragma unroll
        for (int j = 0; j < kStep; ++j) words[j] = results[(i + (j ^ (apart & kMask))) * kWords + word];
        exchange_registers<kMask>(words, apart);
#pragma unroll
        for (int t = 0; t < kPerWord; ++t) {
            const auto row = first + word * kPerWord + t;
            if (row >= rows) continue;
            auto* to = y + row * n + line + i;
            if constexpr (kWhole) {
                if constexpr (kPerWord == 1) {
                    write_at_once(to, uint4{words[0], words[1], words[2], words[3]});
                } else {
                    // The halves of this token, of two lines each.
                    const auto both = [&](int j) {
                        return t == 0 ? lower_halves(words[j], words[j + 1]) : upper_halves(words[j], words[j + 1]);
                    };
                    write_at_once(to, uint4{both(0), both(2), both(4), both(6)});
                }
            } else {
#pragma unroll
                for (int j = 0; j < kStep; ++j) {
                    if (line + i + j >= n) break;
                    if constexpr (kPerWord == 1) {
                        to[j] = float_of(static_cast<std::int32_t>(words[j]));
                    } else {
                        to[j] = static_cast<Y>(words[j] >> (16 * t));
                    }
                }
            }
        }
    }
}

/// The lines of a window, kAtOnce of them by the lanes of a warp at a time, one of them a lane's. Entries of a line
/// come four at a time, each asked for before the four before it are used: of a line the next, then the first of the
/// next line; what is to be known of a line is asked for while the one before it is gone through.
template <int kAtOnce>
class EntryStream {
public:
    static constexpr int kTogether = 4;

    /// @param place of the lane's first line; the next ones are kAtOnce apart.
    __device__ __forceinline__ EntryStream(const fgk_slices& a, std::int32_t place)
        : a_(a), next_place_(place), next_(facts_of(place)) {
        ask(next_, 0);
    }

    /// Go on to the next line: use_all(entries) with kTogether of them for as long as every lane has so many, then
    /// use_some(entries, together, own) of which `own` are the lane's, or more, and `together` some lane's.
    /// @param last there is no next line after this one. @return the line, -1 for none.
    template <typename UseAll, typename UseSome>
    __device__ __forceinline__ std::int32_t for_line(bool last, const UseAll& use_all, const UseSome& use_some) {
        const auto now = next_;
        next_place_ += kAtOnce;
        if (!last) next_ = facts_of(next_place_);
        const auto longest = __reduce_max_sync(kWholeWarp, now.length);
        const auto shortest = __reduce_min_sync(kWholeWarp, now.length);
        if (longest == 0 && !last) ask(next_, 0);
        for (std::int32_t e = 0; e < longest; e += kTogether) {
            uint2 entries[kTogether];
#pragma unroll
            for (int j = 0; j < kTogether; ++j) entries[j] = asked_[j];
            if (e + kTogether < longest) {
                ask(now, e + kTogether);
            } else if (!last) {
                ask(next_, 0);
            }
            if (e + kTogether <= shortest) {
                use_all(entries);
            } else {
                use_some(entries, longest - e, now.length - e);
            }
        }
        return now.line;
    }

private:
    struct Facts {
        std::int32_t line, begin, length;
    };
    __device__ __forceinline__ Facts facts_of(std::int32_t place) const {
        return {a_.line[place], static_cast<std::int32_t>(entry_of(a_, place, 0)), a_.length[place]};
    }
    __device__ __forceinline__ void ask(const Facts& of, std::int32_t e) {
        const auto* from = reinterpret_cast<const uint2*>(a_.entries) + (of.begin + e * FGK_SLICE_LINES);
#pragma unroll
        for (int j = 0; j < kTogether; ++j) {
            if (e + j < of.length) asked_[j] = from[j * FGK_SLICE_LINES];
        }
    }

    const fgk_slices& a_;
    std::int32_t next_place_;
    Facts next_;
    uint2 asked_[kTogether] = {};
};

template <typename X, typename Y, int kLanes, int kLaneBytes>
__global__ void __launch_bounds__(kProductThreads)
    sparse_product(const X* x, std::int64_t rows, std::int64_t k, fgk_slices a, std::int64_t n, const float* bias, Y* y,
                   bool x_whole, bool y_whole) {
    using Shape = Product<X, Y, kLanes, kLaneBytes>;
    using Column = typename Shape::Column;
    using Results = typename Shape::Results;
    auto* tile = shared_memory<Column>();  // [k, kLanes]
    const auto warp = static_cast<std::int64_t>(threadIdx.x) / kWarp;
    const auto lane = static_cast<int>(threadIdx.x) % kWarp;
    auto* results = reinterpret_cast<Results*>(reinterpret_cast<char*>(tile) + Shape::tile_bytes(k)) +
                    warp * FGK_SORTED_LINES * kLanes;
    auto* next_window = reinterpret_cast<std::int32_t*>(reinterpret_cast<char*>(tile) + Shape::next_window(k));
    if (threadIdx.x == 0) *next_window = kProductWarps;
    const auto first = static_cast<std::int64_t>(blockIdx.x) * Shape::kTokens;
    if (x_whole) {
        turn_rows<X, Shape::kTokens, true>(x, rows, k, first, reinterpret_cast<std::uint32_t*>(tile));
    } else {
        turn_rows<X, Shape::kTokens, false>(x, rows, k, first, reinterpret_cast<std::uint32_t*>(tile));
    }
    __syncthreads();
    const SharedReader<Column> own(tile + lane % kLanes);
    // A warp that is done takes the next window, for some have more entries than others.
    const auto take_window = [&] {
        const auto taken = lane == 0 ? atomicAdd(next_window, 1) : 0;
        return std::int64_t{__shfl_sync(kWholeWarp, taken, 0)} * FGK_SORTED_LINES;
    };
    for (auto window = warp * FGK_SORTED_LINES; window < n; window = take_window()) {
        using Entries = EntryStream<Shape::kAtOnce>;
        Entries entries(a, static_cast<std::int32_t>(window) + lane / kLanes);
#pragma unroll 1
        for (int first_line = 0; first_line < FGK_SORTED_LINES; first_line += Shape::kAtOnce) {
            float sums[Shape::kLaneTokens] = {};
            const auto column_of = [&](const uint2& entry) { return own[entry.x * kLanes]; };
            const auto add = [&](const uint2& entry, const Column& column) {
                const auto value = float_of(static_cast<std::int32_t>(entry.y));
#pragma unroll
                for (int t = 0; t < Shape::kLaneTokens; ++t) sums[t] += value * Shape::token_of(column, t);
            };
            using Together = const uint2(&)[Entries::kTogether];
            const auto line = entries.for_line(
                first_line + Shape::kAtOnce == FGK_SORTED_LINES,
                [&](Together now) {
                    Column columns[Entries::kTogether];
#pragma unroll
                    for (int j = 0; j < Entries::kTogether; ++j) columns[j] = column_of(now[j]);
#pragma unroll
                    for (int j = 0; j < Entries::kTogether; ++j) add(now[j], columns[j]);
                },
                [&](Together now, std::int32_t together, std::int32_t own_count) {
#pragma unroll
                    for (int j = 0; j < Entries::kTogether; ++j) {
                        if (j >= together) break;
                        const auto column = column_of(now[j]);
                        if (j < own_count) add(now[j], column);
                    }
                });
            if (line >= 0) {
                const auto offset = bias != nullptr ? bias[line] : 0.0F;
#pragma unroll
                for (int t = 0; t < Shape::kLaneTokens; ++t) sums[t] += offset;
                results[(line - window) * kLanes + lane % kLanes] = several_from_floats<Y, Shape::kLaneTokens>(sums);
            }
        }
        __syncwarp();
        const auto* words = reinterpret_cast<const std::uint32_t*>(results);
        if (y_whole) {
            write_rows<Y, Shape::kTokens, true>(words, rows, n, first, window, y);
        } else {
            write_rows<Y, Shape::kTokens, false>(words, rows, n, first, window, y);
        }
        __syncwarp();
    }
}

template <typename X, typename Y, int kLanes, int kLaneBytes>
std::int32_t multiply(const void* x, std::int64_t rows, std::int64_t k, const fgk_slices& a, std::int64_t n,
                      const float* bias, void* y, void* stream) {
    using Shape = Product<X, Y, kLanes, kLaneBytes>;
    FGK_LAUNCH(static_cast<unsigned>(divide_up<std::int64_t>(rows, Shape::kTokens)), kProductThreads,
               static_cast<std::size_t>(Shape::shared_bytes(k)), stream, (sparse_product<X, Y, kLanes, kLaneBytes>),
               static_cast<const X*>(x), rows, k, a, n, bias, static_cast<Y*>(y),
               in_sixteens(x, k * static_cast<std::int64_t>(sizeof(X))),
               in_sixteens(y, n * static_cast<std::int64_t>(sizeof(Y))));
    return 0;
}

/// The more tokens of a block, the fewer reads of the weight; a longer tile leaves room for fewer.
template <typename X, typename Y>
std::int32_t multiply_by_length(const void* x, std::int64_t rows, std::int64_t k, const fgk_slices& a, std::int64_t n,
                                const float* bias, void* y, void* stream) {
    std::int64_t most = 0;
    const auto known = most_shared_memory(most);
    if (known != 0) return known;
    if constexpr (sizeof(X) >= sizeof(Y)) {
        if (Product<X, Y, 4, 16>::shared_bytes(k) <= most) {
            return multiply<X, Y, 4, 16>(x, rows, k, a, n, bias, y, stream);
        }
    }
    if (Product<X, Y, 2, 16>::shared_bytes(k) <= most) {
        return multiply<X, Y, 2, 16>(x, rows, k, a, n, bias, y, stream);
    }
    if (Product<X, Y, 1, 16>::shared_bytes(k) <= most) {
        return multiply<X, Y, 1, 16>(x, rows, k, a, n, bias, y, stream);
    }
    FGK_EXPECTS((Product<X, Y, 1, 8>::shared_bytes(k) <= most),
                "fgk_sparse_product: rows of x do not fit into shared memory");
    return multiply<X, Y, 1, 8>(x, rows, k, a, n, bias, y, stream);
}

}  // namespace
}  // namespace filigree::cuda

std::int64_t fgk_places(std::int64_t lines) { return filigree::cuda::places_of(lines); }

std::int64_t fgk_slices_room(std::int64_t lines, std::int64_t longest, std::int64_t nonzeros) {
    using namespace filigree::cuda;
    // Of 64 sorted lines, a slice is as long as its first line, which no line of the slice before is shorter than. So
    // all slices but the first take no more than there are nonzeros, and the first of every 64 lines takes eight times
    // its longest one.
    const auto windows = divide_up<std::int64_t>(lines, FGK_SORTED_LINES);
    return nonzeros + FGK_SLICE_LINES * least(nonzeros, windows * longest);
}

std::int64_t fgk_take_nonzeros_workspace(std::int64_t m, std::int64_t n) {
    using namespace filigree::cuda;
    return (2 * m + divide_up(m, kSliceRows) * n + 2 * n) * static_cast<std::int64_t>(sizeof(std::int32_t));
}

std::int32_t fgk_take_nonzeros(const float* w, std::int64_t m, std::int64_t n, const fgk_slices* rows,
                               const fgk_slices* columns, void* workspace, void* stream) {
    using namespace filigree::cuda;
    FGK_EXPECTS(m >= 1 && n >= 1 && greatest(rows->capacity, columns->capacity) <= INT32_MAX - FGK_SLICE_LINES,
                "fgk_take_nonzeros: an empty matrix, or too large a one");
    const auto slices = divide_up(m, kSliceRows);
    FGK_EXPECTS(slices <= 65535, "fgk_take_nonzeros: too many rows");
    auto* of_rows = static_cast<std::int32_t*>(workspace);  // [m]
    auto* row_places = of_rows + m;                         // [m]
    auto* of_slices = row_places + m;                       // [slices, n]
    auto* of_columns = of_slices + slices * n;              // [n]
    auto* column_places = of_columns + n;                   // [n]
    const auto row_blocks = static_cast<unsigned>(divide_up<std::int64_t>(m, kThreads / kWarp));
    const auto column_blocks = static_cast<unsigned>(divide_up<std::int64_t>(n, kThreads));
    const dim3 column_grid(column_blocks, static_cast<unsigned>(slices));
    const auto known = [](const std::int32_t* x) { return x; };
    FGK_LAUNCH(row_blocks, kThreads, 0, stream, count_rows, w, m, n, of_rows);
    FGK_LAUNCH(1U, kScanners, sizeof(ArrangeScratch), stream, arrange_lines, known(of_rows), m, *rows, row_places);
    FGK_LAUNCH(row_blocks, kThreads, 0, stream, fill_rows, w, m, n, known(row_places), *rows);
    FGK_LAUNCH(column_grid, kThreads, 0, stream, count_columns, w, m, n, of_slices);
    const auto scanned = launch_scan_slices(of_slices, slices, n, of_columns, stream);
    if (scanned != 0) return scanned;
    FGK_LAUNCH(1U, kScanners, sizeof(ArrangeScratch), stream, arrange_lines, known(of_columns), n, *columns,
               column_places);
    FGK_LAUNCH(column_grid, kThreads, 0, stream, fill_columns, w, m, n, known(of_slices), known(column_places),
               *columns);
    for (const auto& [lines, slices_of_lines] : {std::pair(m, *rows), std::pair(n, *columns)}) {
        constexpr std::int64_t kWarps = kThreads / kWarp;
        FGK_LAUNCH(static_cast<unsigned>(divide_up(places_of(lines), kWarps)), kThreads,
                   kWarps * FGK_ORDERED_ENTRIES * sizeof(uint2), stream, order_entries, slices_of_lines,
                   places_of(lines));
    }
    return 0;
}

std::int64_t fgk_sparse_product_longest(std::int32_t x_type) {
    using namespace filigree::cuda;
    const auto results = x_type == FGK_F32 ? Product<float, float, 1, 8>::shared_bytes(0)
                                           : Product<std::uint16_t, float, 1, 8>::shared_bytes(0);
    std::int64_t most = 0;
    return most_shared_memory(most) == 0 ? greatest<std::int64_t>(0, most - results) / 8 : 0;
}

std::int32_t fgk_sparse_product(const void* x, std::int32_t x_type, std::int64_t rows, std::int64_t k,
                                const fgk_slices* a, std::int64_t n, const float* bias, void* y, std::int32_t y_type,
                                void* stream) {
    using namespace filigree::cuda;
    if (rows == 0 || n == 0) return 0;
    FGK_EXPECTS(is_type(x_type) && is_type(y_type), "fgk_sparse_product: unknown type");
    FGK_EXPECTS(k < (std::int64_t{1} << 24), "fgk_sparse_product: rows of x do not fit into shared memory");
    if (x_type == FGK_F32) {
        return y_type == FGK_F32 ? multiply_by_length<float, float>(x, rows, k, *a, n, bias, y, stream)
                                 : multiply_by_length<float, std::uint16_t>(x, rows, k, *a, n, bias, y, stream);
    }
    return y_type == FGK_F32 ? multiply_by_length<std::uint16_t, float>(x, rows, k, *a, n, bias, y, stream)
                             : multiply_by_length<std::uint16_t, std::uint16_t>(x, rows, k, *a, n, bias, y, stream);
}
