// SPDX-License-Identifier: Apache-2.0
// Matrix product with a (mostly zero) weight: y = x w^T + b, x and y fp32, the product in the given precision with
// fp32 accumulation. Both gradients are dense. The CUDA kernels take x of bf16 too, which y is of then.
//
// The fast plan leaves out zeros: those of the weight where its sparse form is given, else those that AbsTopK left in x
// and dy, and those of dy in dw. It sums every element in ascending index, so in fp32 both ways give the same bits.
// With bf16 products whose left factor has few zeros round their factors; all others stay fp32, where leaving out zeros
// saves more than rounding would.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "ops/execution.hpp"
#include "ops/sparse_matrix.hpp"

namespace filigree::ops {

/// @param x [..., n]. @param w [m, n]. @param b [m], or undefined for none. With w [R, m, n] and b [R, m] the rows of x
/// are R equal groups, in order, each with a product of its own, by either plan a composition of LibTorch's.
/// @param sparse the nonzeros of w, or null for none; used by the fast plan. @return [..., m].
/// The gradients of leaves w and b that have one already are added to it in place.
[[nodiscard]] at::Tensor linear(const at::Tensor& x, const at::Tensor& w, const at::Tensor& b,
                                const Execution& execution, const std::shared_ptr<const SparseMatrix>& sparse = {});

/// The same without bias for the unembedding: the values are fp32 always, as a bf16 logit has only three digits, too
/// few for a loss; the precision is that of the gradients.
[[nodiscard]] at::Tensor logits(const at::Tensor& x, const at::Tensor& w, const Execution& execution,
                                const std::shared_ptr<const SparseMatrix>& sparse = {});

}  // namespace filigree::ops
