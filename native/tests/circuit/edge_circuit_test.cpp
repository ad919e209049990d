// SPDX-License-Identifier: Apache-2.0
#include "circuit/edge_circuit.hpp"

#include <ATen/TensorOperators.h>

#include "circuit/circuit_fixture.hpp"

namespace filigree {
namespace {

/// The taught model with one in eight of the weights of its block matrices, and every other edge between two thirds of
/// its nodes.
class EdgeCircuits : public CircuitFixture {
protected:
    EdgeCircuits() {
        for (const auto& parameter : model_->table().parameters()) {
            if (parameter.family == Family::kMatrix) {
                const auto weight = model_->tensor(parameter);
                const auto least = std::get<0>(weight.abs().view({-1}).topk(weight.numel() / 8)).min();
                weight.mul_(weight.abs() >= least);
            }
        }
        circuit_.keep.assign(mask_.gates.const_data_ptr<float>(),
                             mask_.gates.const_data_ptr<float>() + mask_.gates.numel());
        std::vector<Edge> some;
        for (const auto& edge : circuit_edges(*model_, circuit_.keep.data())) {
            if ((edge.source + edge.target) % 2 == 0) {
                some.push_back(edge);
            }
        }
        circuit_.edges = std::move(some);
    }

    EdgeCircuit circuit_;
};

TEST_F(EdgeCircuits, AreMultipliedByTheirNonzerosAsTheModelIs) {
    auto edited = circuit_weights(*model_, circuit_, mask_.means);
    for (const auto& layer : edited.weights.layers) {
        for (const auto& matrix : {layer.c_attn, layer.o_proj, layer.c_fc, layer.c_proj}) {
            EXPECT_NE(edited.sparse.find(matrix), nullptr);
        }
    }
    mask_.weights = std::make_shared<const EditedWeights>(edited);
    const auto by_nonzeros = run(mask_);
    mask_.weights = std::make_shared<const EditedWeights>(
        EditedWeights{edited.weights, SparseWeights(std::vector<at::Tensor>(), Crossover{})});
    const auto dense = run(mask_);
    ASSERT_EQ(by_nonzeros.size(), dense.size());
    for (std::size_t i = 0; i < dense.size(); ++i) {
        EXPECT_EQ(by_nonzeros[i].difference, dense[i].difference);
    }
}

}  // namespace
}  // namespace filigree
