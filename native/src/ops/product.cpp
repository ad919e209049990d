// SPDX-License-Identifier: Apache-2.0
#include "ops/product.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstring>

#include "kernels/kernels.hpp"
#include "ops/scratch.hpp"

namespace filigree::ops {
namespace {

using kernels::Start;

// A block of B is 64 rows of one tile of columns, 32 KiB with the longest vectors: it lies close together and stays in
// the first-level cache while the lines of A pass by. Results do not depend on these sizes.
constexpr std::int64_t kInner = 64;
std::int64_t tile_columns() { return kernels::kTileVectors * kernels::kernels().lanes; }
constexpr std::int64_t kLinesAtOnce = 256;
// Rows of X that go through a sparse matrix together: one row of A^T touches four vectors of 512 bits.
constexpr std::int64_t kBlock = 64;
constexpr std::int64_t kOutputs = 64;
constexpr std::int64_t kSerial = 1 << 16;  // multiply-adds below which threads cost more than they save

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
std::int64_t round_up(std::int64_t a, std::int64_t b) { return divide_up(a, b) * b; }

/// A block of entries in memory.
template <typename Entry>
struct Block {
    const Entry* data = nullptr;
    std::int64_t stride = 0;
};

/// Entries of fp32 are the numbers themselves.
struct Fp32 {
    using Entry = float;
    static constexpr std::int64_t kNumbers = 1;  // of an entry, along the inner index

    static Block<float> rows(const float* m, std::int64_t stride, std::int64_t /*count*/, std::int64_t /*columns*/,
                             float* /*room*/, std::int64_t /*room_stride*/) {
        return {m, stride};
    }
    static Block<float> lines(const float* m, std::int64_t stride, std::int64_t /*count*/, std::int64_t /*length*/,
                              float* /*room*/, std::int64_t /*room_stride*/) {
        return {m, stride};
    }
    static std::int32_t compress(const float* line, std::int64_t length, std::int32_t* index, float* value) {
        return kernels::kernels().compress_line(line, length, index, value);
    }
    static void multiply(const kernels::LineProduct& part, std::int64_t lines) {
        kernels::kernels().multiply_lines(part, 0, lines);
    }
};

/// Entries of bf16 are pairs, which have to be made.
struct Bf16 {
    using Entry = kernels::Pair;
    static constexpr std::int64_t kNumbers = 2;

    /// Pairs of rows. @return [count / 2 rounded up, columns].
    static Block<Entry> rows(const float* m, std::int64_t stride, std::int64_t count, std::int64_t columns, Entry* room,
                             std::int64_t room_stride) {
        for (std::int64_t i = 0; i < count; i += 2) {
            kernels::kernels().pair_rows(m + i * stride, i + 1 < count ? m + (i + 1) * stride : nullptr, columns,
                                         room + i / 2 * room_stride);
        }
        return {room, room_stride};
    }
    /// Pairs within each line. @return [count, length / 2 rounded up].
    static Block<Entry> lines(const float* m, std::int64_t stride, std::int64_t count, std::int64_t length, Entry* room,
                              std::int64_t room_stride) {
        for (std::int64_t i = 0; i < count; ++i) {
            kernels::kernels().pair_neighbours(m + i * stride, length, room + i * room_stride);
        }
        return {room, room_stride};
    }
    static std::int32_t compress(const Entry* line, std::int64_t length, std::int32_t* index, Entry* value) {
        return kernels::kernels().compress_pairs(line, length, index, value);
    }
    static void multiply(const kernels::PairProduct& part, std::int64_t lines) {
        kernels::kernels().multiply_pairs(part, 0, lines);
    }
};

/// What one thread works in.
template <typename Entry>
struct Workspace {
    Scratch<Entry> made;   // a block of A or B with the other index contiguous
    Scratch<Entry> lines;  // a block of A with its rows contiguous
    Scratch<Entry> value;  // its entries
    Scratch<Entry> b;      // a block of B
    Scratch<std::int32_t> index;
    std::int32_t begin[kLinesAtOnce];
    std::int32_t count[kLinesAtOnce];
};
template <typename Entry>
Workspace<Entry>& workspace() {
    thread_local Workspace<Entry> mine;
    return mine;
}

/// Compress lines [first, first + lines) x [from, from + inner) of A.
template <typename Kind>
auto compress(const DenseProduct& p, std::int64_t first, std::int64_t lines, std::int64_t from, std::int64_t inner,
              Workspace<typename Kind::Entry>& mine) -> kernels::LinesOf<typename Kind::Entry> {
    const auto entries = divide_up(inner, Kind::kNumbers);
    auto* made = mine.made.room(kLinesAtOnce * kInner);
    Block<typename Kind::Entry> block;
    if (p.a.transposed) {
        const auto rows =
            Kind::rows(p.a.data + from * p.a.stride + first, p.a.stride, inner, lines, made, kLinesAtOnce);
        auto* contiguous = mine.lines.room(kLinesAtOnce * kInner);
        kernels::kernels().transpose(rows.data, rows.stride, entries, lines, contiguous, kInner, /*far_source=*/true);
        block = {contiguous, kInner};
    } else {
        block = Kind::lines(p.a.data + first * p.a.stride + from, p.a.stride, lines, inner, made, kInner);
    }
    auto* index = mine.index.room(kLinesAtOnce * kInner + kernels::kLinePadding);
    auto* value = mine.value.room(kLinesAtOnce * kInner + kernels::kLinePadding);
    std::int32_t used = 0;
    for (std::int64_t r = 0; r < lines; ++r) {
        mine.begin[r] = used;
        mine.count[r] = Kind::compress(block.data + r * block.stride, entries, index + used, value + used);
        used += mine.count[r];
    }
    return {mine.begin, mine.count, index, value};
}

/// Copy [from, from + inner) x [column, column + columns) of B into rows of `stride`.
template <typename Kind>
void pack(const Operand& b, std::int64_t from, std::int64_t inner, std::int64_t column, std::int64_t columns,
          Workspace<typename Kind::Entry>& mine, typename Kind::Entry* packed, std::int64_t stride) {
    const auto entries = divide_up(inner, Kind::kNumbers);
    if (b.transposed) {
        const auto lines = Kind::lines(b.data + column * b.stride + from, b.stride, columns, inner,
                                       mine.made.room(kLinesAtOnce * kInner), kInner);
        kernels::kernels().transpose(lines.data, lines.stride, columns, entries, packed, stride, /*far_source=*/true);
        return;
    }
    const auto rows = Kind::rows(b.data + from * b.stride + column, b.stride, inner, columns, packed, stride);
    for (std::int64_t i = 0; rows.data != packed && i < entries; ++i) {
        std::memcpy(packed + i * stride, rows.data + i * rows.stride,
                    static_cast<std::size_t>(columns) * sizeof(*packed));
    }
}

/// Transposed blocks of a sparse product.
struct Turned {
    Scratch<float> x;  // rows of X
    Scratch<float> y;  // some columns of Y
};
Turned& turned() {
    thread_local Turned mine;
    return mine;
}

template <typename Kind>
void multiply_lines(const DenseProduct& p, std::int64_t first, std::int64_t lines) {
    using Entry = typename Kind::Entry;
    auto& mine = workspace<Entry>();
    const auto tile = tile_columns();
    auto* packed = mine.b.room(kInner * tile);
    constexpr auto kStep = kInner * Kind::kNumbers;
    for (std::int64_t from = 0; from < p.k; from += kStep) {
        const auto inner = std::min(kStep, p.k - from);
        kernels::LineProductOf<Entry> part;
        part.a = compress<Kind>(p, first, lines, from, inner, mine);
        part.b = packed;
        part.b_stride = tile;
        part.c_stride = p.n;
        part.start = from == 0 ? p.start : Start::kC;
        for (std::int64_t column = 0; column < p.n; column += tile) {
            part.n = std::min(tile, p.n - column);
            pack<Kind>(p.b, from, inner, column, part.n, mine, packed, tile);
            part.c = p.c + first * p.n + column;
            part.bias = part.start == Start::kColumnBias ? p.bias + column : p.bias;
            Kind::multiply(part, lines);
        }
    }
}

/// Whether so much of A is not zero that pairs take less time than leaving out the zeros one by one, judged by some of
/// its rows.
bool is_dense(const DenseProduct& p) {
    constexpr std::int64_t kSample = 64;
    constexpr double kAsFast = 0.375;      // nonzero fraction, measured with AVX-512
    constexpr std::int32_t kSmallest = 1;  // bits of the smallest magnitude above zero
    const auto rows = p.a.transposed ? p.k : p.m;
    const auto columns = p.a.transposed ? p.m : p.k;
    const auto step = divide_up(rows, kSample);
    std::int64_t nonzeros = 0;
    std::int64_t seen = 0;
    for (std::int64_t row = 0; row < rows; row += step) {
        std::int32_t none = 0;
        std::int64_t listed = 0;
        nonzeros += kernels::kernels().scan_magnitudes(p.a.data + row * p.a.stride, columns, kSmallest, kSmallest,
                                                       &none, &listed);
        seen += columns;
    }
    return static_cast<double>(nonzeros) > kAsFast * static_cast<double>(seen);
}

}  // namespace

void multiply(const DenseProduct& p) {
    const bool in_pairs = p.precision == Precision::kBf16 && is_dense(p);
    // As many blocks for one thread as for another.
    const auto wanted = round_up(divide_up(p.m, kLinesAtOnce), at::get_num_threads());
    const auto lines = std::max<std::int64_t>(8, round_up(divide_up(p.m, wanted), 8));
    const auto blocks = divide_up(p.m, lines);
    const auto grain = p.m * p.n * p.k < kSerial ? blocks : 1;
    at::parallel_for(0, blocks, grain, [&](std::int64_t begin, std::int64_t end) {
        for (auto block = begin; block < end; ++block) {
            const auto first = block * lines;
            const auto count = std::min(lines, p.m - first);
            if (in_pairs) {
                multiply_lines<Bf16>(p, first, count);
            } else {
                multiply_lines<Fp32>(p, first, count);
            }
        }
    });
}

void add_column_sums(const float* matrix, std::int64_t rows, std::int64_t columns, float* sums) {
    constexpr std::int64_t kStrip = 64;
    const auto strips = divide_up(columns, kStrip);
    const auto grain = rows * columns < kSerial ? strips : 1;
    at::parallel_for(0, strips, grain, [&](std::int64_t begin, std::int64_t end) {
        const auto first = begin * kStrip;
        const auto last = std::min(columns, end * kStrip);
        for (std::int64_t row = 0; row < rows; ++row) {
            for (auto column = first; column < last; ++column) {
                sums[column] += matrix[row * columns + column];
            }
        }
    });
}

void multiply(const SparseProduct& p) {
    const auto blocks = divide_up(p.rows, kBlock);
    const auto grain = p.rows * (p.n + p.k) < kSerial ? blocks : 1;
    at::parallel_for(0, blocks, grain, [&](std::int64_t begin, std::int64_t end) {
        const auto& kernels = kernels::kernels();
        auto& mine = turned();
        auto* x = mine.x.room(p.k * kBlock);
        auto* y = mine.y.room(kOutputs * kBlock);
        for (auto block = begin; block < end; ++block) {
            const auto first = block * kBlock;
            const auto rows = std::min(kBlock, p.rows - first);
            kernels.transpose(p.x + first * p.k, p.k, rows, p.k, x, kBlock, /*far_source=*/true);
            kernels::LineProduct part;
            part.a = p.a;
            part.b = x;
            part.b_stride = kBlock;
            part.n = rows;
            part.c = y;
            part.c_stride = kBlock;
            part.start = p.bias == nullptr ? Start::kZero : Start::kLineBias;
            part.bias = p.bias;
            for (std::int64_t output = 0; output < p.n; output += kOutputs) {
                const auto outputs = std::min(kOutputs, p.n - output);
                kernels.multiply_lines(part, output, output + outputs);
                kernels.transpose(y, kBlock, outputs, rows, p.y + first * p.n + output, p.n, /*far_source=*/false);
            }
        }
    });
}

}  // namespace filigree::ops
