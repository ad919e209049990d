// SPDX-License-Identifier: Apache-2.0
// Matrix products that leave out the zeros of their left factor, over all threads. Every element of a result is one
// chain of multiply-adds in ascending index, whatever the number of threads; in fp32 also whichever of the two is
// called.
#pragma once

#include <cstdint>

#include "kernels/lines.hpp"
#include "ops/execution.hpp"

namespace filigree::ops {

/// A matrix in memory: element (i, j) is data[i * stride + j], or data[j * stride + i] when transposed.
struct Operand {
    const float* data = nullptr;
    std::int64_t stride = 0;
    bool transposed = false;
};

/// C = start + A B with A compressed on the fly. Sums are fp32.
struct DenseProduct {
    Operand a;  // [m, k]
    Operand b;  // [k, n]
    std::int64_t m = 0, n = 0, k = 0;
    float* c = nullptr;  // [m, n]
    kernels::Start start = kernels::Start::kZero;
    const float* bias = nullptr;
    /// With bf16 a dense A, and B with it, are rounded on the way. One with many zeros stays fp32: leaving them out
    /// saves more.
    Precision precision = Precision::kFp32;
};
void multiply(const DenseProduct& product);

/// sums[j] += the sum of column j of a matrix of contiguous rows, each a chain over its rows.
void add_column_sums(const float* matrix, std::int64_t rows, std::int64_t columns, float* sums);

/// Y = X A^T + bias for a matrix A given by its lines: every entry is one multiply-add on a block of rows of X.
struct SparseProduct {
    const float* x = nullptr;  // [rows, k]
    kernels::Lines a;          // [n, k]
    std::int64_t rows = 0, n = 0, k = 0;
    float* y = nullptr;           // [rows, n]
    const float* bias = nullptr;  ///< [n], or null for none
};
void multiply(const SparseProduct& product);

}  // namespace filigree::ops
