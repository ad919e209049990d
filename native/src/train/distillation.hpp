// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "model/model.hpp"

namespace filigree {

/// How much a model learns from another one's predictions.
struct Distillation {
    double weight = 0.0;       ///< of the teacher in the objective, 0 for none
    double temperature = 1.0;  ///< by which the logits of both are divided
};

/// What a step comes to, with a teacher or without.
struct Objective {
    at::Tensor total;          ///< scalar, to be differentiated
    at::Tensor cross_entropy;  ///< scalar, nats per token, without the teacher
};

/// (1 - w) * next-token cross-entropy + w * t^2 * KL(teacher at temperature t || model at temperature t), means over
/// positions 0..T-2. Composed of LibTorch's operations under either plan.
/// @param student what is differentiated. @param tokens [B, T] int64.
[[nodiscard]] Objective distilled_loss(const ForwardContext& student, const Model& teacher, const at::Tensor& tokens,
                                       const Distillation& settings);

/// A number for the weights of a model, to tell it from another one.
[[nodiscard]] std::uint64_t fingerprint(const Model& model);

}  // namespace filigree
