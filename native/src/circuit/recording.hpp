// SPDX-License-Identifier: Apache-2.0
// What a circuit, or the whole model, does on given sequences, for people to read.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "circuit/circuit_mask.hpp"

namespace filigree {

/// Activations of nodes, after AbsTopK and ablation. @param nodes flat indices.
/// @return fp32 [nodes, sequences, T] on the host; beyond the end of a sequence it is what padding makes.
[[nodiscard]] at::Tensor record_nodes(const Examples& examples, const CircuitMask& mask,
                                      const std::vector<std::int64_t>& nodes);

/// Attention weights of a head. @return fp32 [sequences, T, T + 1] on the host: query, key; the last column is the
/// sink's, 0 without sinks. Rows sum to 1.
[[nodiscard]] at::Tensor record_attention(const Examples& examples, const CircuitMask& mask, std::int64_t layer,
                                          std::int64_t head);

}  // namespace filigree
