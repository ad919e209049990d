// SPDX-License-Identifier: Apache-2.0
#include "ops/linear.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linear.h>

namespace filigree::ops {

at::Tensor linear(const at::Tensor& x, const at::Tensor& w, const at::Tensor& b, Precision precision) {
    if (precision == Precision::kFp32) {
        return at::linear(x, w, b);
    }
    const auto y = at::linear(x.to(at::kBFloat16), w.to(at::kBFloat16)).to(at::kFloat);
    return b.defined() ? y + b : y;
}

}  // namespace filigree::ops
