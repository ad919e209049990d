// SPDX-License-Identifier: Apache-2.0
// What the circuits of one task are judged by, and what is known of a circuit that was.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "circuit/edge_circuit.hpp"
#include "prune/calibration.hpp"
#include "prune/compact_model.hpp"
#include "prune/examples.hpp"
#include "prune/mask_optimizer.hpp"

namespace filigree {

/// One task to prune for.
struct PruneTask {
    Examples train;
    Examples validation;
};

/// Training and validation examples of one task, in batches of about equal length.
class Judge {
public:
    struct Batch {
        Examples examples;
        std::vector<at::Tensor> norms;  ///< by half layer, with frozen norms
    };

    /// @param pairs of the training and of the validation examples, fewer if there are fewer.
    Judge(const PruneTask& task, const PruneOptions& options, std::int64_t pairs);

    [[nodiscard]] const std::vector<Batch>& batches() const { return batches_; }
    [[nodiscard]] std::int64_t sequences() const { return static_cast<std::int64_t>(signs_.size()); }

    /// @param differences [R, sequences] on any device, batch after batch.
    [[nodiscard]] std::vector<Verdict> verdicts(const at::Tensor& differences) const;
    /// Of R variants of a model. @param gates,means what GateHook takes; nothing for all open.
    [[nodiscard]] std::vector<Verdict> verdicts(const ForwardContext& context, std::int64_t R,
                                                const at::Tensor& gates = {}, const at::Tensor& means = {}) const;

private:
    bool calibrate_;
    std::vector<Batch> batches_;
    std::vector<double> signs_;  // of every sequence
    std::vector<bool> fitted_;   // of every sequence, whether it is one of those that the calibration is fitted to
};

/// Those of one task.
struct Judges {
    Judge full;   ///< decides
    Judge quick;  ///< sees fewer examples, and says where to look
};

/// What a judge sees of a circuit.
struct View {
    std::vector<std::vector<at::Tensor>> residuals;  ///< of every batch, before every half layer
    Verdict verdict;
};

/// A circuit, cut out of the model, as both judges see it.
struct JudgedCircuit {
    EdgeCircuit circuit;
    std::unique_ptr<CompactModel> compact;
    View full;
    View quick;

    [[nodiscard]] double loss() const { return full.verdict.loss; }  ///< nats per sequence
};

/// @param means fp32 [nodes] on the model's device.
[[nodiscard]] JudgedCircuit judge_circuit(const Model& model, EdgeCircuit circuit, const at::Tensor& means,
                                          const Judges& judges);

}  // namespace filigree
