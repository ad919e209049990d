// SPDX-License-Identifier: Apache-2.0
#include "ops/abs_topk.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/topk.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <tuple>

namespace filigree::ops {

at::Tensor abs_topk(const at::Tensor& x, std::int64_t k) {
    at::Tensor keep;  // [..., n] of 0 and 1
    {
        const at::NoGradGuard no_grad;
        const auto kept = std::get<1>(at::topk(x.abs(), k, -1, /*largest=*/true, /*sorted=*/false));  // [..., k]
        keep = at::zeros_like(x).scatter_(-1, kept, 1.0);
    }
    return x * keep;
}

}  // namespace filigree::ops
