// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

namespace filigree::ops {

/// The tensor that collects the gradient of an input, when it is a leaf that has one: a backward that adds to it in
/// place and reports no gradient saves a tensor of that size and a pass over it. Undefined for every other input.
[[nodiscard]] inline at::Tensor own_gradient(const at::Tensor& input) {
    return input.defined() && input.requires_grad() && input.is_leaf() ? input.grad() : at::Tensor();
}

}  // namespace filigree::ops
