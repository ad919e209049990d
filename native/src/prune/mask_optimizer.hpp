// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "core/config_reader.hpp"
#include "model/node_space.hpp"
#include "ops/adam.hpp"

namespace filigree {

/// How mask parameters are learnt (method 4.2; docs/c-abi.md, pruner configuration).
struct MaskConfig {
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
[[nodiscard]] MaskConfig parse_mask_config(std::string_view json);
[[nodiscard]] MaskConfig read_mask_config(ConfigReader reader);

/// What closed nodes hold while a circuit is searched.
enum class AblationKind : std::uint8_t {
    kValues,  ///< "mean" and "zero": the values that come with the nodes
    kDonors,  ///< "resample": what they hold in another sequence (circuit/donors.hpp)
};

/// What both methods of pruning can do beside the published algorithm (docs/pruning.md).
struct PruneOptions {
    AblationKind ablation = AblationKind::kValues;
    bool calibrate = true;
    bool tied_qk = false;       ///< a query and the key of the same channel are open together
    bool frozen_norms = false;  ///< RMS factors are those of the whole model
};
[[nodiscard]] PruneOptions read_prune_options(ConfigReader reader);

/// For every node the mask parameter that opens it: its own, but a key's is that of its query when they are tied and
/// both are there.
struct MaskParameters {
    std::vector<std::int64_t> of_node;
    std::vector<float> sizes;  ///< by parameter, how many nodes it opens
};
/// @param nodes of a whole or of a compacted model. @param numbers of every node, its number in the whole model.
/// @param whole nodes of the whole model.
[[nodiscard]] MaskParameters mask_parameters(const NodeSpace& nodes, const std::vector<std::int64_t>& numbers,
                                             const NodeSpace& whole, bool tied_qk);

/// Start of the mask parameters of one job, clamped to [-1, 1]. @return fp32 [count] on the host.
[[nodiscard]] at::Tensor initial_scores(const MaskConfig& config, std::uint64_t seed, std::int64_t count);

/// The pairs of a step: distinct rows of `pairs`, both members, in a random order. @return int64 [2 * wanted] on the
/// host.
[[nodiscard]] at::Tensor draw_pairs(std::uint64_t seed, std::int64_t step, std::int64_t pairs, std::int64_t wanted);

/// Learns R masks at once, each with an objective of its own: task loss + price * sum of open gates.
class MaskOptimizer {
public:
    /// @param scores fp32 [R, P], clamped to [-1, 1]. @param k_coefs one per mask.
    /// @param sizes fp32 [P], how many nodes each parameter opens.
    MaskOptimizer(const at::Tensor& scores, MaskConfig config, const std::vector<double>& k_coefs, at::Tensor sizes);

    /// Gradient of all objectives in the scores. @param task_losses gates [R, P] -> losses [R].
    /// @return the losses, detached.
    at::Tensor compute_gradient(const std::function<at::Tensor(const at::Tensor&)>& task_losses);
    /// Step along gradient(). @throws FG_DIVERGED. @return the learning rate.
    double step();

    [[nodiscard]] const MaskConfig& config() const { return config_; }
    [[nodiscard]] bool finished() const { return steps_done_ >= config_.steps; }
    [[nodiscard]] std::int64_t steps_done() const { return steps_done_; }
    [[nodiscard]] const at::Tensor& scores() const { return scores_; }  ///< fp32 [R, P], in [-1, 1]
    [[nodiscard]] const at::Tensor& gradient() const { return gradient_; }
    void set_scores(const at::Tensor& scores);

private:
    MaskConfig config_;
    at::Tensor k_coefs_;  // [R, 1]
    at::Tensor sizes_;
    at::Tensor scores_;
    at::Tensor gradient_;
    at::Tensor moment1_;
    at::Tensor moment2_;
    std::int64_t steps_done_ = 0;
};

}  // namespace filigree
