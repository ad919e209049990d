// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/where.h>

#include <memory>

#include "prune/task_score.hpp"

namespace filigree {

/// What stays of a model (fg_circuit). Undefined tensors: the whole model.
struct CircuitMask {
    at::Tensor gates;                              ///< fp32 [nodes] of 0 and 1
    at::Tensor means;                              ///< fp32 [nodes], what closed nodes hold
    std::shared_ptr<const EditedWeights> weights;  ///< of a circuit that leaves out edges (edge_circuit.hpp), else null
    bool frozen_norms = false;                     ///< RMS factors are those of the whole model
    at::Tensor tokens;                             ///< bool [V], those that are embedded as they are; undefined for all
    at::Tensor embedding;                          ///< fp32 [d], what the others are embedded as
};

/// A forward through a circuit. Hooks that watch or change one derive from it.
class CircuitHook : public GateHook {
public:
    explicit CircuitHook(const CircuitMask& mask)
        : GateHook(mask.gates, mask.means), weights_(mask.weights), tokens_(mask.tokens), embedding_(mask.embedding) {
        if (mask.frozen_norms) {
            freeze_norms_of_each_forward();
        }
    }
    [[nodiscard]] const EditedWeights* weights() const override { return weights_.get(); }
    at::Tensor at_embedding(const at::Tensor& tokens, at::Tensor x) override {
        return tokens_.defined()
                   ? at::where(tokens_.index_select(0, tokens.reshape({-1})).view(tokens.sizes()).unsqueeze(-1), x,
                               embedding_)
                   : x;
    }

private:
    std::shared_ptr<const EditedWeights> weights_;
    at::Tensor tokens_;
    at::Tensor embedding_;
};

}  // namespace filigree
