// SPDX-License-Identifier: Apache-2.0
#include "ops/abs_topk.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/amin.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/topk.h>
#include <c10/core/GradMode.h>

#include <tuple>

#include "ops/keep_largest.hpp"

namespace filigree::ops {

at::Tensor abs_topk(const at::Tensor& x, std::int64_t k) {
    at::Tensor keep;  // bool [..., n]
    {
        const at::NoGradGuard no_grad;
        const auto magnitude = x.abs().view(at::kInt);  // bits of floats >= 0 are in the order of the floats
        const auto largest = std::get<0>(at::topk(magnitude, k, -1, /*largest=*/true, /*sorted=*/false));  // [..., k]
        keep = magnitude >= largest.amin(-1, /*keepdim=*/true);
        if (keep.sum().item<std::int64_t>() != largest.numel()) {
            keep = keep_largest(magnitude, k, -1);  // some row has equals on both sides of its threshold
        }
    }
    return x * keep;
}

}  // namespace filigree::ops
