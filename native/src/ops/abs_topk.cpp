// SPDX-License-Identifier: Apache-2.0
#include "ops/abs_topk.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <c10/core/GradMode.h>

#include "ops/keep_largest.hpp"

namespace filigree::ops {

at::Tensor abs_topk(const at::Tensor& x, std::int64_t k) {
    at::Tensor keep;  // bool [..., n]
    {
        const at::NoGradGuard no_grad;
        keep = keep_largest(x.abs(), k, -1);
    }
    return x * keep;
}

}  // namespace filigree::ops
