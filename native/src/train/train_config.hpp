// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ops/adam.hpp"
#include "sparsity/revival.hpp"
#include "sparsity/schedule.hpp"
#include "train/distillation.hpp"

namespace filigree {

enum class GradientRule : std::uint8_t {
    kNormalize,  ///< always rescale to RMS 1 (method 2.1.5)
    kClip,       ///< only when the RMS is above 1
};

/// Several densities in one run: level i keeps ratio^i times as much as level 0, the final one. Each step sees the
/// weights as one of them would leave them, drawn at random; what is kept in between is what the densest keeps.
struct Levels {
    std::int64_t count = 1;  ///< 1 for the final density alone
    double ratio = 1.0;
    double settle = 0.0;  ///< fraction of all steps, at the end, with level 0 alone
};

/// One training run (docs/c-abi.md, trainer configuration).
struct TrainConfig {
    std::int64_t steps = 0;
    std::int64_t batch_size = 0;  ///< sequences per step
    std::int64_t accumulate = 1;  ///< equal parts that a batch is taken in, one after the other
    std::int64_t seq_len = 0;     ///< tokens per sequence
    std::uint64_t seed = 0;
    double lr = 0.0;      ///< peak learning rate, before the sharkfin factor
    double warmup = 0.0;  ///< fraction of steps
    ops::AdamSettings adam;
    double weight_decay = 0.0;
    GradientRule gradient = GradientRule::kNormalize;
    Fractions fractions;
    Anneal anneal;
    std::int64_t minimum_alive = 0;
    bool sharkfin = false;
    Revival revival;
    Levels levels;
    Distillation distillation;
    std::string json;  ///< the text this was read from

    /// Final fractions of a level.
    [[nodiscard]] Fractions fractions_of(std::int64_t level) const;
    /// Number of levels that are drawn from at a step; the densest of them is what is kept.
    [[nodiscard]] std::int64_t levels_at(std::int64_t step) const;
    /// Density of the block matrices at a step of one level.
    [[nodiscard]] double density_at(std::int64_t step, std::int64_t level) const {
        return matrix_density(anneal, fractions_of(level).matrix, step, steps);
    }
    /// Density of what is kept after a step.
    [[nodiscard]] double density_at(std::int64_t step) const { return density_at(step, levels_at(step) - 1); }
    [[nodiscard]] double lr_at(std::int64_t step) const;
};

/// Read the strict JSON form. @throws FG_INVALID_CONFIG.
[[nodiscard]] TrainConfig parse_train_config(std::string_view json);

}  // namespace filigree
