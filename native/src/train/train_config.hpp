// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ops/adam.hpp"
#include "sparsity/schedule.hpp"

namespace filigree {

enum class GradientRule : std::uint8_t {
    kNormalize,  ///< always rescale to RMS 1 (method 2.1.5)
    kClip,       ///< only when the RMS is above 1
};

/// One training run (docs/c-abi.md, trainer configuration).
struct TrainConfig {
    std::int64_t steps = 0;
    std::int64_t batch_size = 0;  ///< sequences per step
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
    std::string json;  ///< the text this was read from

    [[nodiscard]] double density_at(std::int64_t step) const {
        return matrix_density(anneal, fractions.matrix, step, steps);
    }
    [[nodiscard]] double lr_at(std::int64_t step) const;
};

/// Read the strict JSON form. @throws FG_INVALID_CONFIG.
[[nodiscard]] TrainConfig parse_train_config(std::string_view json);

}  // namespace filigree
