// SPDX-License-Identifier: Apache-2.0
// Matrix products in fp32 that leave out the zeros of their left factor, over all threads. Every element of a result is
// one chain of multiply-adds in ascending index, whatever the number of threads and whichever of the two is called.
#pragma once

#include <cstdint>

#include "kernels/lines.hpp"

namespace filigree::ops {

/// A matrix in memory: element (i, j) is data[i * stride + j], or data[j * stride + i] when transposed.
struct Operand {
    const float* data = nullptr;
    std::int64_t stride = 0;
    bool transposed = false;
};

/// C = start + A B with A compressed on the fly.
struct DenseProduct {
    Operand a;  // [m, k]
    Operand b;  // [k, n]
    std::int64_t m = 0, n = 0, k = 0;
    float* c = nullptr;  // [m, n]
    kernels::Start start = kernels::Start::kZero;
    const float* bias = nullptr;
    float* a_sums = nullptr;  ///< [m], += the sum of every row of A; null when not wanted
};
void multiply(const DenseProduct& product);

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
