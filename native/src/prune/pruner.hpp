// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "ops/adam.hpp"
#include "prune/examples.hpp"
#include "prune/task_score.hpp"

namespace filigree {

/// One pruning run (method 4.2; docs/c-abi.md, pruner configuration).
struct PruneConfig {
    std::int64_t steps = 0;
    std::int64_t batch_pairs = 0;
    std::uint64_t seed = 0;
    double lr = 0.0;
    ops::AdamSettings adam;
    double weight_decay = 0.0;  ///< decoupled
    double k_coef = 0.0;        ///< price of an open node
    double init_scale = 0.0;    ///< mask parameters start at N(init_bias, init_scale^2)
    double init_bias = 0.0;
    double temperature = 1.0;  ///< of the surrogate slope
    double warmup = 0.0;       ///< fraction of steps
    double clip_rms = 0.0;     ///< gradients with a larger RMS are scaled down to it
};
[[nodiscard]] PruneConfig parse_prune_config(std::string_view json);

struct PruneReport {
    double task_loss = 0.0;  ///< two-way cross-entropy of the batch under the hard masks, nats per sequence
    double lr = 0.0;
};

/// The choice of fg_pruner_discretize().
struct Discretized {
    at::Tensor keep;  ///< fp32 [nodes] of 0 and 1
    std::int64_t nodes = 0;
    TaskScore score;  ///< on the validation examples
};

/// Learns which nodes a frozen model needs for a task (method 4, as published).
class Pruner {
public:
    /// @param means fp32 [nodes] on the model's device.
    Pruner(Examples examples, PruneConfig config, at::Tensor means);

    PruneReport step();
    [[nodiscard]] bool finished() const { return steps_done_ >= config_.steps; }
    [[nodiscard]] std::int64_t steps_done() const { return steps_done_; }
    [[nodiscard]] const at::Tensor& scores() const { return tau_; }  ///< fp32 [nodes], in [-1, 1]
    /// Replace the mask parameters, e.g. to start from another run's. @param tau fp32 [nodes], clamped to [-1, 1].
    void set_scores(const at::Tensor& tau);
    [[nodiscard]] Model& model() const { return *examples_.model; }

    /// Task loss plus price of the open nodes on a batch; leaves d(objective)/d(tau) in gradient().
    /// @return the task loss alone.
    double compute_gradient(const Examples& batch);
    [[nodiscard]] const at::Tensor& gradient() const { return gradient_; }

    /// Fewest nodes by score whose calibrated loss on `validation` is at most `target_loss` (method 4.5).
    [[nodiscard]] Discretized discretize(const Examples& validation, double target_loss);

private:
    [[nodiscard]] Examples batch() const;

    Examples examples_;
    PruneConfig config_;
    at::Tensor means_;
    at::Tensor tau_;
    at::Tensor gradient_;
    at::Tensor moment1_;
    at::Tensor moment2_;
    std::int64_t steps_done_ = 0;
};

}  // namespace filigree
