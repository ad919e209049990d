// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <array>

#include "model/forward.hpp"

namespace filigree {

/// The six matrices of a layer whose entries are edges (method 3), in the order of circuit_edges().
inline constexpr std::size_t kBlockMatrices = 6;

/// One of them: row t is target channel t, column s source channel s.
struct BlockMatrix {
    SiteKind source = SiteKind::kAttnIn;
    SiteKind target = SiteKind::kAttnQ;
    at::Tensor weight;  // [width of target, width of source]
    at::Tensor bias;    // [width of target]
};

/// Views of W_q, W_k, W_v (attn_in -> q, k, v), W_o (v, through its head, -> attn_out), W_fc (mlp_in -> neuron) and
/// W_proj (neuron -> mlp_out).
[[nodiscard]] std::array<BlockMatrix, kBlockMatrices> block_matrices(const LayerWeights& weights);

}  // namespace filigree
