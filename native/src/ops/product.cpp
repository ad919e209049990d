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

// A block of B is 64 x 128 floats, 32 KiB: it stays in the first-level cache while the lines of A pass by. Results do
// not depend on these sizes.
constexpr std::int64_t kInner = 64;
constexpr std::int64_t kColumns = 128;
constexpr std::int64_t kLinesAtOnce = 256;
// Rows of X that go through a sparse matrix together: one row of A^T touches four vectors of 512 bits.
constexpr std::int64_t kBlock = 64;
constexpr std::int64_t kOutputs = 64;
constexpr std::int64_t kSerial = 1 << 16;  // multiply-adds below which threads cost more than they save

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
std::int64_t round_up(std::int64_t a, std::int64_t b) { return divide_up(a, b) * b; }

/// What one thread works in.
struct Workspace {
    Scratch<float> lines;    // a block of A with its rows contiguous
    Scratch<float> value;    // its entries
    Scratch<float> b;        // a block of B
    Scratch<float> rows;     // a block of X, transposed
    Scratch<float> outputs;  // some columns of Y, transposed
    Scratch<std::int32_t> index;
    std::int32_t begin[kLinesAtOnce];
    std::int32_t count[kLinesAtOnce];
};
Workspace& workspace() {
    thread_local Workspace mine;
    return mine;
}

/// Compress lines [first, first + lines) x [from, from + inner) of A.
kernels::Lines compress(const DenseProduct& p, std::int64_t first, std::int64_t lines, std::int64_t from,
                        std::int64_t inner, Workspace& mine) {
    const auto& kernels = kernels::kernels();
    const auto* source = p.a.data + first * p.a.stride + from;
    auto stride = p.a.stride;
    if (p.a.transposed) {
        auto* contiguous = mine.lines.room(kLinesAtOnce * kInner);
        kernels.transpose(p.a.data + from * p.a.stride + first, p.a.stride, inner, lines, contiguous, kInner,
                          /*far_source=*/true);
        source = contiguous;
        stride = kInner;
    }
    auto* index = mine.index.room(kLinesAtOnce * kInner + kernels::kLinePadding);
    auto* value = mine.value.room(kLinesAtOnce * kInner + kernels::kLinePadding);
    std::int32_t used = 0;
    for (std::int64_t r = 0; r < lines; ++r) {
        mine.begin[r] = used;
        mine.count[r] = kernels.compress_line(source + r * stride, inner, index + used, value + used);
        if (p.a_sums != nullptr) {
            float sum = 0.0F;
            for (auto e = used; e < used + mine.count[r]; ++e) {
                sum += value[e];
            }
            p.a_sums[first + r] += sum;
        }
        used += mine.count[r];
    }
    return {mine.begin, mine.count, index, value};
}

/// Copy [from, from + inner) x [column, column + columns) of B into rows of kColumns.
void pack(const Operand& b, std::int64_t from, std::int64_t inner, std::int64_t column, std::int64_t columns,
          float* packed) {
    if (b.transposed) {
        kernels::kernels().transpose(b.data + column * b.stride + from, b.stride, columns, inner, packed, kColumns,
                                     /*far_source=*/true);
    } else {
        for (std::int64_t i = 0; i < inner; ++i) {
            std::memcpy(packed + i * kColumns, b.data + (from + i) * b.stride + column,
                        static_cast<std::size_t>(columns) * sizeof(float));
        }
    }
}

void multiply_lines(const DenseProduct& p, std::int64_t first, std::int64_t lines) {
    auto& mine = workspace();
    auto* packed = mine.b.room(kInner * kColumns);
    for (std::int64_t from = 0; from < p.k; from += kInner) {
        const auto inner = std::min(kInner, p.k - from);
        kernels::LineProduct part;
        part.a = compress(p, first, lines, from, inner, mine);
        part.b = packed;
        part.b_stride = kColumns;
        part.c_stride = p.n;
        part.start = from == 0 ? p.start : Start::kC;
        for (std::int64_t column = 0; column < p.n; column += kColumns) {
            part.n = std::min(kColumns, p.n - column);
            pack(p.b, from, inner, column, part.n, packed);
            part.c = p.c + first * p.n + column;
            part.bias = part.start == Start::kColumnBias ? p.bias + column : p.bias;
            kernels::kernels().multiply_lines(part, 0, lines);
        }
    }
}

}  // namespace

void multiply(const DenseProduct& p) {
    const auto lines = std::clamp(round_up(divide_up(p.m, at::get_num_threads()), 8), std::int64_t{8}, kLinesAtOnce);
    const auto blocks = divide_up(p.m, lines);
    const auto grain = p.m * p.n * p.k < kSerial ? blocks : 1;
    at::parallel_for(0, blocks, grain, [&](std::int64_t begin, std::int64_t end) {
        for (auto block = begin; block < end; ++block) {
            multiply_lines(p, block * lines, std::min(lines, p.m - block * lines));
        }
    });
}

void multiply(const SparseProduct& p) {
    const auto blocks = divide_up(p.rows, kBlock);
    const auto grain = p.rows * (p.n + p.k) < kSerial ? blocks : 1;
    at::parallel_for(0, blocks, grain, [&](std::int64_t begin, std::int64_t end) {
        const auto& kernels = kernels::kernels();
        auto& mine = workspace();
        auto* x = mine.rows.room(p.k * kBlock);
        auto* y = mine.outputs.room(kOutputs * kBlock);
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
