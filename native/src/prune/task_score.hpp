// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "prune/calibration.hpp"
#include "prune/examples.hpp"

namespace filigree {

/// Replaces closed nodes by their means at every site (method 4.1).
class GateHook : public ForwardHook {
public:
    /// @param gates fp32 [nodes], 1 = open; undefined for all open. @param means fp32 [nodes].
    GateHook(at::Tensor gates, at::Tensor means) : gates_(std::move(gates)), means_(std::move(means)) {}
    std::optional<Ablation> ablation_at(const Site& site) override;

private:
    at::Tensor gates_;
    at::Tensor means_;
};

/// Sequences of one forward pass: bounds the memory of activations; even, so pairs stay whole.
inline constexpr std::int64_t kRowsPerForward = 256;

/// What a forward says about every sequence of a set of examples, on the host.
struct TaskOutputs {
    std::vector<ScoredSequence> sequences;
    double full_loss = 0.0;  ///< mean cross-entropy over the whole vocabulary, nats
};

struct TaskScore {
    double loss = 0.0;      ///< mean two-way cross-entropy after calibration, nats per sequence
    double raw_loss = 0.0;  ///< without calibration
    double full_loss = 0.0;
    double accuracy = 0.0;
    Calibration calibration;
};

/// The sequences of some examples, which begin with a pair's first member. @param logits [2P, V].
[[nodiscard]] std::vector<ScoredSequence> scored_sequences(const Examples& examples, const at::Tensor& logits);

/// Run the examples through the model, `hook` may be null. @throws FG_CANCELLED.
[[nodiscard]] TaskOutputs run_task(const Examples& examples, ForwardHook* hook);

[[nodiscard]] TaskScore score_task(const TaskOutputs& outputs, const Calibration& calibration);

}  // namespace filigree
