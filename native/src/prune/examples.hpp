// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "model/model.hpp"

namespace filigree {

/// Pairs of sequences that differ in one cue and so in their right answer. Row 2p + m is member m of pair p.
struct Examples {
    std::shared_ptr<Model> model;  ///< whose device the tensors are on
    at::Tensor tokens;             ///< int64 [2P, T], right-padded
    at::Tensor positions;          ///< int64 [2P], where the answer is read
    at::Tensor answers;            ///< int64 [2P, 2], answers of the pair's members a and b

    [[nodiscard]] std::int64_t sequences() const { return tokens.size(0); }
    [[nodiscard]] std::int64_t pairs() const { return tokens.size(0) / 2; }
    /// The given rows only. @param rows int64 [n].
    [[nodiscard]] Examples select(const at::Tensor& rows) const;
};

/// Check and upload. Arguments as fg_examples_create(). @throws FG_INVALID_ARGUMENT.
[[nodiscard]] Examples make_examples(std::shared_ptr<Model> model, const std::uint16_t* tokens, std::int64_t pairs,
                                     std::int64_t length, const std::int32_t* positions, const std::uint16_t* answers);

/// Logits at the evaluated positions, with gradients if the hook's tensors ask for them. @return [2P, V].
[[nodiscard]] at::Tensor answer_logits(const Examples& examples, ForwardHook* hook);

/// The same from final residuals of the examples. @param x [2P, T, d]. @return [2P, V].
[[nodiscard]] at::Tensor answer_logits_of(const Examples& examples, const at::Tensor& x);

/// z_a - z_b for every sequence, whichever of the two is right. @param logits [2P, V]. @return [2P].
[[nodiscard]] at::Tensor logit_differences(const Examples& examples, const at::Tensor& logits);

/// Column of `answers` that is right in every row: 0 (a) or 1 (b). @return int64 [2P].
[[nodiscard]] at::Tensor right_columns(const Examples& examples);

/// +1 for rows whose right answer is a, -1 for b. @return fp32 [2P].
[[nodiscard]] at::Tensor answer_signs(const Examples& examples);

}  // namespace filigree
