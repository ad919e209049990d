// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include "prune/task_score.hpp"

namespace filigree {

/// What stays of a model (fg_circuit). Undefined tensors: the whole model.
struct CircuitMask {
    at::Tensor gates;  ///< fp32 [nodes] of 0 and 1
    at::Tensor means;  ///< fp32 [nodes], what closed nodes hold
};

/// A forward through a circuit. Hooks that watch or change one derive from it.
class CircuitHook : public GateHook {
public:
    explicit CircuitHook(const CircuitMask& mask) : GateHook(mask.gates, mask.means) {}
};

}  // namespace filigree
