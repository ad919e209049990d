// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "model/model.hpp"

namespace filigree {

/// A nonzero weight between two kept nodes.
struct Edge {
    std::uint32_t source = 0;  ///< flat node index
    std::uint32_t target = 0;
    float weight = 0.0F;
};

/// The edge rule of method 3: nonzero entries of W_q, W_k, W_v (attn_in -> q, k, v), W_o (v -> attn_out), W_fc
/// (mlp_in -> neuron) and W_proj (neuron -> mlp_out) between kept nodes. Biases, the pairing of q and k, the residual,
/// norm gains and embeddings are not edges.
/// @param keep [nodes], nonzero = kept. @return ordered by layer, matrix, target, source.
[[nodiscard]] std::vector<Edge> circuit_edges(const Model& model, const std::uint8_t* keep);

}  // namespace filigree
