// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "model/model.hpp"

namespace filigree {

/// Consecutive windows of block_size tokens of a stream, evenly thinned to at most max_windows (0 = all).
struct EvaluationText {
    const std::uint16_t* tokens = nullptr;
    std::uint64_t count = 0;
    std::uint64_t batch = 1;
    std::uint64_t max_windows = 0;
};

struct HeldOutLoss {
    double loss = 0.0;  ///< nats per predicted token
    std::uint64_t predictions = 0;
};

/// @throws FG_INVALID_ARGUMENT for less than one window or a token that does not fit, FG_CANCELLED.
[[nodiscard]] HeldOutLoss held_out_loss(Model& model, const EvaluationText& text);

/// Mean activation of every node, after AbsTopK (method 4.4). @return fp32 [nodes] on the model's device.
/// @throws as held_out_loss().
[[nodiscard]] at::Tensor node_means(Model& model, const EvaluationText& text);

}  // namespace filigree
