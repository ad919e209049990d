// SPDX-License-Identifier: Apache-2.0
#include "ops/cross_entropy.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/embedding.h>

namespace filigree::ops {

at::Tensor add_bigram(const at::Tensor& logits, const at::Tensor& table, const at::Tensor& tokens) {
    return table.defined() ? logits + at::embedding(table, tokens) : logits;
}

at::Tensor cross_entropy(const at::Tensor& logits, const at::Tensor& targets) {
    return at::cross_entropy_loss(logits, targets);
}

}  // namespace filigree::ops
