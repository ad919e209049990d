// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "model/model.hpp"

namespace filigree {

/// Number of parameters that L0 looks at: the trainable ones without the bigram table.
[[nodiscard]] std::int64_t count_parameters(const Model& model);

/// How many of them are not zero.
[[nodiscard]] std::int64_t count_nonzeros(const Model& model);

/// Weight statistics of method 2.7 as a JSON object. Definitions, chosen so that they give the published figures:
///  - L0: nonzeros of all trainable tensors but the bigram table; L0_non_LN: of those without norm gains, biases and
///    sinks; L0_non_embed: of the block matrices and lm_head.
///  - weight_sparsity: 1 - L0 / (number of parameters that L0 looks at).
///  - num_alive_neurons/c_fc/layer_i: neurons with a nonzero incoming weight.
///  - dead_qk/layer_i: q/k channels whose query or whose key is always 0 (no weight and no bias).
///  - empirical_L0_frac/<tensor>: nonzero fraction. param_norm: L2 norm of all trainable parameters.
[[nodiscard]] std::string weight_statistics_json(const Model& model);

}  // namespace filigree
