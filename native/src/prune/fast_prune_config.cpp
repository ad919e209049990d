// SPDX-License-Identifier: Apache-2.0
#include "prune/fast_prune_config.hpp"

#include <limits>

namespace filigree {

FastPruneConfig parse_fast_prune_config(std::string_view json) {
    auto reader = ConfigReader::parse(json, "fast");
    FastPruneConfig c;
    c.masks = read_mask_config(reader.object("masks"));
    auto options = reader.object("options");
    c.options = read_prune_options(options);
    if (c.options.ablation != AblationKind::kValues) {
        options.fail("ablation",
                     "must be \"mean\" or \"zero\" for this method: what donors hold cannot be folded into biases");
    }
    c.k_factors = reader.numbers("k_factors", 0.0, 1e12);
    c.targets = reader.numbers("targets", std::numeric_limits<double>::min(), 1e12);
    c.margin = reader.number("margin", 1e-3, 1.0);
    c.attribution_pairs = reader.integer("attribution_pairs", 1);
    c.candidate_factor = reader.number("candidate_factor", 1.0, 1e6);
    c.selection_pairs = reader.integer("selection_pairs", 1);
    c.ranking_pairs = reader.integer("ranking_pairs", 1);
    c.exact_parts = reader.integer("exact_parts", 0);
    c.edges = reader.boolean("edges");
    reader.finish();
    return c;
}

}  // namespace filigree
