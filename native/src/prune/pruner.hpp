// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "core/random.hpp"
#include "prune/examples.hpp"
#include "prune/mask_optimizer.hpp"
#include "prune/task_score.hpp"

namespace filigree {

/// One pruning run (method 4.2; docs/c-abi.md, pruner configuration).
struct PruneConfig {
    MaskConfig masks;
    PruneOptions options;
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
    Pruner(Examples examples, const PruneConfig& config, at::Tensor means);

    PruneReport step();
    [[nodiscard]] bool finished() const { return optimizer_.finished(); }
    [[nodiscard]] std::int64_t steps_done() const { return optimizer_.steps_done(); }
    [[nodiscard]] at::Tensor scores() const { return of_nodes(optimizer_.scores()); }  ///< fp32 [nodes], in [-1, 1]
    /// Replace the mask parameters, e.g. to start from another run's. @param tau fp32 [parameters], one a node unless
    /// queries and keys are tied; clamped to [-1, 1].
    void set_scores(const at::Tensor& tau) { optimizer_.set_scores(tau.to(model().device()).unsqueeze(0)); }
    [[nodiscard]] Model& model() const { return *examples_.model; }

    /// Task loss plus price of the open nodes on a batch; leaves d(objective)/d(tau) in gradient().
    /// @return the task loss alone.
    double compute_gradient(const Examples& batch);
    [[nodiscard]] at::Tensor gradient() const { return optimizer_.gradient().select(0, 0); }  ///< fp32 [parameters]

    /// Fewest nodes by score whose calibrated loss on `validation` is at most `target_loss` (method 4.5).
    [[nodiscard]] Discretized discretize(const Examples& validation, double target_loss);

private:
    [[nodiscard]] Examples batch() const;
    /// @param parameters [1, parameters]. @return [nodes].
    [[nodiscard]] at::Tensor of_nodes(const at::Tensor& parameters) const {
        return parameters.select(0, 0).index_select(0, parameter_of_);
    }
    [[nodiscard]] at::Tensor donors_of(const Examples& examples, Purpose purpose, std::int64_t index) const;
    /// z_a - z_b of some rows under gates [nodes], with gradients. @param donors int64 [sequences] of all examples;
    /// undefined where closed nodes hold their means. @return [rows].
    [[nodiscard]] at::Tensor differences_under(const at::Tensor& gates, const Examples& examples,
                                               const at::Tensor& rows, const at::Tensor& donors) const;
    [[nodiscard]] std::vector<ScoredSequence> run(const at::Tensor& gates, const Examples& examples) const;

    Examples examples_;
    at::Tensor means_;
    PruneOptions options_;
    at::Tensor parameter_of_;  // int64 [nodes]
    MaskOptimizer optimizer_;
};

}  // namespace filigree
