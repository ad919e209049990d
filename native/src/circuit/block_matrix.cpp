// SPDX-License-Identifier: Apache-2.0
#include "circuit/block_matrix.hpp"

namespace filigree {

std::array<BlockMatrix, kBlockMatrices> block_matrices(const LayerWeights& w) {
    const auto A = w.o_proj.size(1);
    const auto of_attention = [&](SiteKind target, std::int64_t part) {
        return BlockMatrix{SiteKind::kAttnIn, target, w.c_attn.narrow(0, part * A, A),
                           w.c_attn_bias.narrow(0, part * A, A)};
    };
    return {of_attention(SiteKind::kAttnQ, 0),
            of_attention(SiteKind::kAttnK, 1),
            of_attention(SiteKind::kAttnV, 2),
            {SiteKind::kAttnV, SiteKind::kAttnOut, w.o_proj, w.o_proj_bias},
            {SiteKind::kMlpIn, SiteKind::kMlpNeuron, w.c_fc, w.c_fc_bias},
            {SiteKind::kMlpNeuron, SiteKind::kMlpOut, w.c_proj, w.c_proj_bias}};
}

}  // namespace filigree
