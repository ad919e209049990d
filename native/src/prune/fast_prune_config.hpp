// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "prune/mask_optimizer.hpp"

namespace filigree {

struct FastPruneConfig {
    MaskConfig masks;
    std::vector<double> k_factors;       ///< one mask is learnt for each, with a price of so many times masks.k_coef
    std::vector<double> targets;         ///< nats per sequence
    double margin = 1.0;                 ///< part of the way from the best there is to a target that is aimed at
    std::int64_t attribution_pairs = 0;  ///< training pairs that attributions are averaged over
    double candidate_factor = 1.0;       ///< candidates for every node that the attribution needs
    std::int64_t selection_pairs = 0;    ///< training pairs, and as many validation pairs, that circuits are judged by
    std::int64_t ranking_pairs = 0;      ///< the same of those by which parts to leave out are looked for
    std::int64_t exact_parts = 0;        ///< parts that are ranked by runs without each; more at first by gradients
    bool edges = true;                   ///< leave out single edges
    PruneOptions options;                ///< with ablation to values, which alone can be folded
};

/// @throws FG_INVALID_CONFIG.
[[nodiscard]] FastPruneConfig parse_fast_prune_config(std::string_view json);

}  // namespace filigree
