// SPDX-License-Identifier: Apache-2.0
// The list of kernels (kernels.hpp says how to add one).
#pragma once

#include "kernels/attention.hpp"
#include "kernels/lines.hpp"
#include "kernels/loss.hpp"
#include "kernels/optimizer.hpp"
#include "kernels/site.hpp"

namespace filigree::kernels {

// X(function type, name)
#define FILIGREE_KERNELS(X)                  \
    X(SiteForward, abs_topk_forward)         \
    X(SiteForward, rms_norm_topk_forward)    \
    X(SiteForward, gelu_topk_forward)        \
    X(SiteBackward, abs_topk_backward)       \
    X(SiteBackward, rms_norm_topk_backward)  \
    X(SiteBackward, gelu_topk_backward)      \
    X(AttentionForward, attention_forward)   \
    X(AttentionBackward, attention_backward) \
    X(CrossEntropy, cross_entropy)           \
    X(MultiplyLines, multiply_lines)         \
    X(MultiplyPairs, multiply_pairs)         \
    X(CompressLine, compress_line)           \
    X(CompressPairs, compress_pairs)         \
    X(PairRows, pair_rows)                   \
    X(PairNeighbours, pair_neighbours)       \
    X(Transpose, transpose)                  \
    X(SumOfSquares, sum_of_squares)          \
    X(AdamStep, adam_step)                   \
    X(ScanMagnitudes, scan_magnitudes)       \
    X(CountColumns, count_columns)           \
    X(ExceedCutoffs, exceed_cutoffs)         \
    X(KeepLarge, keep_large)

/// The kernels of one instruction set.
struct Kernels {
    const char* isa;     ///< "avx512", "avx2" or "portable"
    std::int64_t lanes;  ///< floats of a vector
#define FILIGREE_KERNEL_MEMBER(type, name) type* name;
    FILIGREE_KERNELS(FILIGREE_KERNEL_MEMBER)
#undef FILIGREE_KERNEL_MEMBER
};

}  // namespace filigree::kernels
