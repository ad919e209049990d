// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "prune/calibration.hpp"
#include "prune/examples.hpp"

namespace filigree {

/// Replaces closed nodes by their means at every site (method 4.1).
class GateHook : public ForwardHook {
public:
    /// Nothing is closed.
    GateHook() = default;
    /// @param gates fp32 [nodes], 1 = open, or [R, nodes] for R groups of sequences; undefined for all open.
    /// @param means fp32 [nodes].
    GateHook(at::Tensor gates, at::Tensor means) : gates_(std::move(gates)), means_(std::move(means)) {}

    /// Leave sites alone where nothing is closed. @param closed of every node, whether some group closes it.
    void only_where(std::vector<bool> closed) { closed_ = std::move(closed); }
    /// Use these factors in place of the residuals' own (method 4.4). @param inverse_rms by half layer; empty for none.
    void freeze_norms(std::vector<at::Tensor> inverse_rms) { inverse_rms_ = std::move(inverse_rms); }
    /// Take them from the unpruned forward of whatever forward() is called with.
    void freeze_norms_of_each_forward() { records_norms_ = true; }

    std::optional<Ablation> ablation_at(const Site& site) override;
    at::Tensor inverse_rms_at(std::int64_t half_layer) override;
    void before_forward(const ForwardContext& context, const at::Tensor& tokens, const at::Tensor& read_at) override;

private:
    at::Tensor gates_;
    at::Tensor means_;
    std::vector<bool> closed_;  // empty: not known
    std::vector<at::Tensor> inverse_rms_;
    bool records_norms_ = false;
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

/// The sequences of some examples, which begin with a pair's first member. @param differences [2P].
[[nodiscard]] std::vector<ScoredSequence> scored_sequences(const Examples& examples, const at::Tensor& differences);

/// Scores some rows of examples: int64 [n] on their device, pair by pair.
using ScoreRows = std::function<std::vector<ScoredSequence>(const at::Tensor& rows)>;

/// Score batches of about equal length. @return in the order of the examples. @throws FG_CANCELLED.
[[nodiscard]] std::vector<ScoredSequence> score_in_batches(const Examples& examples, const ScoreRows& score);

/// Run the examples through the model, `hook` may be null. @throws FG_CANCELLED.
[[nodiscard]] TaskOutputs run_task(const Examples& examples, ForwardHook* hook);

/// Differences and right sides of the same sequences alone, at the cost of the evaluated positions.
[[nodiscard]] std::vector<ScoredSequence> run_sequences(const Examples& examples, ForwardHook* hook);

[[nodiscard]] TaskScore score_task(const TaskOutputs& outputs, const Calibration& calibration);

}  // namespace filigree
