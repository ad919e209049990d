// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

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

/// The first pairs, all of them if there are fewer.
[[nodiscard]] Examples first_pairs(const Examples& examples, std::int64_t pairs);

/// Those of a, then those of b, padded to one length.
[[nodiscard]] Examples joined(const Examples& a, const Examples& b);

/// Without the columns that no evaluated position reads.
[[nodiscard]] Examples trimmed(const Examples& examples);

/// Positions of one forward: what fits the caches of a processor, or fills a GPU, of whose memory an array of
/// activations takes 2 GiB at most. @param widest activations of a position in one array.
[[nodiscard]] std::int64_t positions_at_once(const at::Device& device, std::int64_t widest);
/// Of a whole model. A compacted one is as wide as its residual.
[[nodiscard]] std::int64_t positions_at_once(const Model& model);

/// The rows of all sequences, pair by pair, in so many batches of about equal length and number, fewer where there are
/// fewer pairs. int64, on their device.
[[nodiscard]] std::vector<at::Tensor> rows_by_length(const Examples& examples, std::int64_t batches);

/// The numbers of all sequences, pair by pair, those of about equal length together, in batches of at most
/// positions_at_once() or one pair.
[[nodiscard]] std::vector<std::vector<std::int64_t>> batches_by_length(const Examples& examples);

/// The examples `times` times, one after the other.
[[nodiscard]] Examples repeated(const Examples& examples, std::int64_t times);

/// z_a - z_b for every sequence, whichever of the two is right, for R variants of a model at once: the batch is the
/// examples R times, and weights or gates of the context and the hook tell the variants apart.
/// @param residual [sequences, T, d] before `first_half_layer`, the same for all variants; undefined to begin with the
/// tokens. @return [R, sequences], with gradients if the hook's tensors ask for them.
[[nodiscard]] at::Tensor answer_differences(const ForwardContext& context, const Examples& examples, std::int64_t R,
                                            ForwardHook* hook, std::int64_t first_half_layer = 0,
                                            const at::Tensor& residual = {});

/// 1 / RMS of the residual in the unpruned forward, [B, T, 1] for every norm and with read_at [B, 1, 1] for the last
/// two: what ForwardHook::inverse_rms_at() returns. Arguments as forward().
[[nodiscard]] std::vector<at::Tensor> record_norms(const ForwardContext& context, const at::Tensor& tokens,
                                                   const at::Tensor& read_at);
/// The same for the batch `times` times.
[[nodiscard]] std::vector<at::Tensor> repeated(const std::vector<at::Tensor>& norms, std::int64_t times);

/// Logits at the evaluated positions, with gradients if the hook's tensors ask for them. Of the last layer no more is
/// computed than they need: hooks see [2P, 1, w] after its keys and values. @return [2P, V].
[[nodiscard]] at::Tensor answer_logits(const Examples& examples, ForwardHook* hook);

/// z_a - z_b for every sequence, whichever of the two is right. @param logits [2P, V]. @return [2P].
[[nodiscard]] at::Tensor logit_differences(const Examples& examples, const at::Tensor& logits);

/// Column of `answers` that is right in every row: 0 (a) or 1 (b). @return int64 [2P].
[[nodiscard]] at::Tensor right_columns(const Examples& examples);

/// +1 for rows whose right answer is a, -1 for b. @return fp32 [2P].
[[nodiscard]] at::Tensor answer_signs(const Examples& examples);

}  // namespace filigree
