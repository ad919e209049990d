// SPDX-License-Identifier: Apache-2.0
#include "ops/keep_largest.hpp"

#include <ATen/ops/abs.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/logical_not.h>
#include <ATen/ops/topk.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <limits>
#include <string>
#include <tuple>

#include "core/error.hpp"

namespace filigree::ops {

at::Tensor keep_largest(const at::Tensor& scores, std::int64_t k, std::int64_t dim) {
    if (k >= scores.size(dim)) {
        return at::full_like(scores, 1, scores.options().dtype(at::kBool));
    }
    if (k <= 0) {
        return at::full_like(scores, 0, scores.options().dtype(at::kBool));
    }
    const auto last = scores.dim() - 1;
    if (dim >= 0 && dim != last) {  // lines in one piece are read several times as fast
        return keep_largest(scores.transpose(dim, last).contiguous(), k, -1).transpose(dim, last);
    }
    // Bits of floats >= 0 are in the order of the floats. With the place below them no two are equal.
    const auto n = scores.size(-1);
    const auto place = at::arange(n - 1, -1, -1, scores.options().dtype(at::kLong));
    const auto order = scores.view(at::kInt).to(at::kLong).mul_(n).add_(place);
    const auto kept = std::get<1>(at::topk(order, k, -1, /*largest=*/true, /*sorted=*/false));
    return at::zeros(scores.sizes(), scores.options().dtype(at::kBool)).scatter_(-1, kept, true);
}

void project(const at::Tensor& weight, std::int64_t k, AliveAxis axis, std::int64_t minimum_alive) {
    const at::NoGradGuard no_grad;
    auto scores = weight.abs();
    if (axis != AliveAxis::kNone && minimum_alive > 0) {
        const auto across = axis == AliveAxis::kRows ? 1 : 0;  // the dimension that a line runs along
        const auto per_line = std::min(minimum_alive, weight.size(across));
        const auto needed = per_line * weight.size(1 - across);
        if (needed > k) {
            throw Error(FG_INVALID_ARGUMENT, "cannot keep " + std::to_string(per_line) + " weights in each of " +
                                                 std::to_string(weight.size(1 - across)) +
                                                 (axis == AliveAxis::kRows ? " rows" : " columns") + " with only " +
                                                 std::to_string(k) + " weights in all");
        }
        scores.masked_fill_(keep_largest(scores, per_line, across), std::numeric_limits<float>::infinity());
    }
    weight.masked_fill_(keep_largest(scores.flatten(), k, 0).view_as(weight).logical_not(), 0.0);
}

}  // namespace filigree::ops
