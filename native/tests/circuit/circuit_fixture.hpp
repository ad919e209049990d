// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include <memory>

#include "circuit/circuit_mask.hpp"
#include "support/small_models.hpp"
#include "train/evaluation.hpp"

namespace filigree {

/// A model that answers by its first token, and a circuit of about two thirds of its nodes.
class CircuitFixture : public testing::Test {
protected:
    static std::shared_ptr<Model> taught_model() {
        static const at::Tensor taught = [] {  // teaching takes seconds
            auto model = make_model(small_model_json());
            teach_cue(model);
            return model->values().clone();
        }();
        auto model = make_model(small_model_json());
        model->values().copy_(taught);
        return model;
    }
    static CircuitMask some_circuit(Model& model) {
        const auto tokens = learnable_tokens(500, 61);
        CircuitMask mask;
        mask.means = node_means(model, {tokens.data(), tokens.size(), 8, 0});
        mask.gates = at::empty({model.nodes().size()}, at::kFloat);
        RandomStream random(1, Purpose::kInitialMask, 3);
        for (std::int64_t i = 0; i < mask.gates.numel(); ++i) {
            mask.gates.mutable_data_ptr<float>()[i] = random.below(3) == 0 ? 0.0F : 1.0F;
        }
        return mask;
    }
    [[nodiscard]] CircuitMask whole() const { return {mask_.gates * 0 + 1, mask_.means}; }
    [[nodiscard]] std::vector<ScoredSequence> run(const CircuitMask& mask) const {
        CircuitHook hook(mask);
        return run_task(examples_, &hook).sequences;
    }

    std::shared_ptr<Model> model_ = taught_model();
    Examples examples_ = cue_examples(model_, 6);
    CircuitMask mask_ = some_circuit(*model_);
};

}  // namespace filigree
