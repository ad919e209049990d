// SPDX-License-Identifier: Apache-2.0
#include "ops/attention.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/triu.h>

#include <cmath>
#include <limits>
#include <vector>

namespace filigree::ops {

at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, std::int64_t n_head,
                     const at::Tensor& sink) {
    const auto B = q.size(0);
    const auto T = q.size(1);
    const auto dh = q.size(2) / n_head;
    const auto per_head = [&](const at::Tensor& x) {
        return x.view({B, T, n_head, dh}).transpose(1, 2);
    };  // [B,H,T,dh]

    auto scores = at::matmul(per_head(q) * (1.0 / std::sqrt(static_cast<double>(dh))),
                             per_head(k).transpose(-2, -1));                     // [B, H, T, T]
    const auto future = at::ones({T, T}, q.options().dtype(at::kBool)).triu(1);  // [T, T]
    scores = scores.masked_fill(future, -std::numeric_limits<double>::infinity());
    if (sink.defined()) {
        const auto column = sink.view({1, n_head, 1, 1}).expand({B, n_head, T, 1});
        scores = at::cat(std::vector<at::Tensor>{scores, column},
                         -1);  // [B, H, T, T + 1]; the sink's value is 0, so its weight is dropped
    }
    const auto weights = at::softmax(scores, -1).narrow(-1, 0, T);
    return at::matmul(weights, per_head(v)).transpose(1, 2).reshape({B, T, n_head * dh});
}

}  // namespace filigree::ops
