// SPDX-License-Identifier: Apache-2.0
// What single nodes matter: a circuit, or the whole model, with one node changed at a time. Nothing before the
// half-layer of a node depends on it, so each run starts there from recorded residuals; many runs share a batch.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "circuit/circuit_mask.hpp"

namespace filigree {

/// One node, at every position, becomes `low` where it is below `threshold`, else `high`. Ablation: both are its mean.
struct NodeEdit {
    std::int64_t node = 0;  ///< flat index
    float threshold = 0.0F;
    float low = 0.0F;
    float high = 0.0F;
};

/// z_a - z_b of every sequence under each edit alone. @throws FG_CANCELLED. @return fp32 [edits, sequences] on the
/// host.
[[nodiscard]] at::Tensor run_edits(const Examples& examples, const CircuitMask& mask,
                                   const std::vector<NodeEdit>& edits);

}  // namespace filigree
