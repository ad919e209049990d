// SPDX-License-Identifier: Apache-2.0
// What a circuit is, and its weights.
//
// A closed node stands at its mean, whatever feeds it; like in the published method it still takes part in the AbsTopK
// of its site with what it gets. An edge that the circuit leaves out gives its target what a closed source would give:
// w_ts mean_s instead of w_ts x_s; for W_o, whose source is a value channel seen through attention, w_ts mean_s S_h,
// with S_h the share of its attention that head h gives to tokens (1 without a sink). So a circuit with all edges is
// the one of its nodes alone, and a node that has lost all its edges gives to the others what it would give closed.
// The weights of a circuit are those of the model with entries zeroed and their means folded: into the bias, and for
// W_o with sinks into LayerWeights::o_share.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "circuit/block_matrix.hpp"
#include "circuit/edges.hpp"
#include "model/model.hpp"

namespace filigree {

struct EdgeCircuit {
    std::vector<std::uint8_t> keep;          ///< [nodes] of 0 and 1
    std::optional<std::vector<Edge>> edges;  ///< among kept nodes, nonzero entries of the model; nothing: all of them
};

/// Edges that a circuit lists.
[[nodiscard]] inline std::size_t edge_count(const EdgeCircuit& circuit) {
    return circuit.edges ? circuit.edges->size() : 0;
}

/// Check that edges join kept nodes over nonzero entries of the model. @throws FG_INVALID_ARGUMENT naming the edge.
void check_circuit(const Model& model, const EdgeCircuit& circuit);

/// One block matrix of a circuit, as wide as the model's.
struct FoldedMatrix {
    at::Tensor weight;  // [targets, sources], entries of open sources but edges that are left out
    at::Tensor bias;    // [targets], with the means of entries that do not
    at::Tensor share;   // [targets, H], W_o of a model with sinks: their means by head, not in the bias
};

/// @param means [nodes] on the model's device.
[[nodiscard]] std::vector<std::array<FoldedMatrix, kBlockMatrices>> fold(const Model& model, const EdgeCircuit& circuit,
                                                                         const at::Tensor& means);

/// The whole model with the weights of a circuit, and their nonzeros: run it with its closed nodes at their means.
[[nodiscard]] EditedWeights circuit_weights(const Model& model, const EdgeCircuit& circuit, const at::Tensor& means);

}  // namespace filigree
