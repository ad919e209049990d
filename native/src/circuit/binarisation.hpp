// SPDX-License-Identifier: Apache-2.0
// Binarisation (method 6.3): does a circuit still work when each of its nodes says one of two things? The activation x
// of a node is replaced by psi_t(x), a mix of x itself and a step from l to r at (l + r) / 2 that grows sharp as t
// falls from 1 to 0; l and r are learnt meanwhile. psi_t(l) = l and psi_t(r) = r for every t.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "circuit/circuit_mask.hpp"

namespace filigree {

/// Settings of fg_circuit_binarise().
struct BinarisationConfig {
    std::int64_t steps = 0;
    std::int64_t batch_pairs = 0;
    std::int64_t init_pairs = 0;  ///< first thresholds are chosen on so many pairs
    double lr = 0.0;              ///< of the levels, in units of their first distance
};
[[nodiscard]] BinarisationConfig parse_binarisation_config(std::string_view json);

/// The two things that every node of the circuit says; fp32 [nodes], 0 for nodes outside.
struct BinaryLevels {
    at::Tensor low;   ///< l: below the middle of the two
    at::Tensor high;  ///< r
};

/// psi_t(x), elementwise; t = 0 is the step. @param x [..., w]. @param low,high [w].
[[nodiscard]] at::Tensor soft_step(const at::Tensor& x, const at::Tensor& low, const at::Tensor& high, double t);

/// Learn the levels on examples. The circuit has at least one open node. @throws FG_CANCELLED, FG_DIVERGED.
[[nodiscard]] BinaryLevels binarise(const Examples& examples, const CircuitMask& mask, const Calibration& calibration,
                                    const BinarisationConfig& config);

/// Run examples through the circuit with every open node at one of its two levels.
[[nodiscard]] TaskOutputs run_binarised(const Examples& examples, const CircuitMask& mask, const BinaryLevels& levels);

}  // namespace filigree
