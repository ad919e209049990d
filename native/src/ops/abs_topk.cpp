// SPDX-License-Identifier: Apache-2.0
#include "ops/abs_topk.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/topk.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <tuple>

namespace filigree::ops {

at::Tensor abs_topk(const at::Tensor& x, std::int64_t k) {
    at::Tensor keep;  // bool [..., n]
    {
        const at::NoGradGuard no_grad;
        const auto n = x.size(-1);
        const auto place = at::arange(n - 1, -1, -1, x.options().dtype(at::kLong));
        // Bits of floats >= 0 are in the order of the floats. With the place below them no two are equal.
        const auto order = x.abs().view(at::kInt).to(at::kLong).mul_(n).add_(place);
        const auto kept = std::get<1>(at::topk(order, k, -1, /*largest=*/true, /*sorted=*/false));  // [..., k]
        keep = at::zeros(x.sizes(), x.options().dtype(at::kBool)).scatter_(-1, kept, true);
    }
    return x * keep;
}

}  // namespace filigree::ops
