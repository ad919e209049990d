// SPDX-License-Identifier: Apache-2.0
// Exact top-k selection with a deterministic tie rule, and the weight projection built on it (method 2.2, 2.3).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "model/parameter_table.hpp"

namespace filigree::ops {

/// Mark the k largest entries of every line along `dim`; equal values go to the lower index.
/// @param scores fp32 of any shape, at least 0, contiguous; a NaN counts as the largest. @param k in [0, size of dim].
/// @return bool, same shape, exactly k per line.
[[nodiscard]] at::Tensor keep_largest(const at::Tensor& scores, std::int64_t k, std::int64_t dim);

/// Zero all but k entries of `weight` in place, those of largest magnitude, equal ones to the lower flat index.
/// @param axis  with kRows or kColumns, the `minimum_alive` largest entries of every row or column are kept first;
///              they count inside k.
/// @throws FG_INVALID_ARGUMENT when k is below minimum_alive * lines.
void project(const at::Tensor& weight, std::int64_t k, AliveAxis axis, std::int64_t minimum_alive);

}  // namespace filigree::ops
