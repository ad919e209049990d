// SPDX-License-Identifier: Apache-2.0
#include "circuit/edges.hpp"

namespace filigree {
namespace {

std::vector<std::int64_t> kept_channels(const Site& site, const std::uint8_t* keep) {
    std::vector<std::int64_t> channels;
    for (std::int64_t c = 0; c < site.width; ++c) {
        if (keep[site.offset + c] != 0) {
            channels.push_back(c);
        }
    }
    return channels;
}

}  // namespace

std::vector<Edge> circuit_edges(const Model& model, const std::uint8_t* keep) {
    const auto& config = model.config();
    const auto A = config.attention_width();
    std::vector<Edge> edges;
    for (std::int64_t layer = 0; layer < config.n_layer; ++layer) {
        // `weight` is [targets, sources], rows from `first_row`.
        const auto collect = [&](const at::Tensor& weight, std::int64_t first_row, SiteKind from, SiteKind to) {
            const auto& source = model.nodes().site(layer, from);
            const auto& target = model.nodes().site(layer, to);
            const auto sources = kept_channels(source, keep);
            const auto host = weight.to(at::kCPU).contiguous();
            const auto* values = host.const_data_ptr<float>();
            for (const auto t : kept_channels(target, keep)) {
                const auto* row = values + (first_row + t) * source.width;
                for (const auto s : sources) {
                    if (row[s] != 0.0F) {
                        edges.push_back({static_cast<std::uint32_t>(source.offset + s),
                                         static_cast<std::uint32_t>(target.offset + t), row[s]});
                    }
                }
            }
        };
        const auto& w = model.context().weights.layers[static_cast<std::size_t>(layer)];
        collect(w.c_attn, 0, SiteKind::kAttnIn, SiteKind::kAttnQ);
        collect(w.c_attn, A, SiteKind::kAttnIn, SiteKind::kAttnK);
        collect(w.c_attn, 2 * A, SiteKind::kAttnIn, SiteKind::kAttnV);
        collect(w.o_proj, 0, SiteKind::kAttnV, SiteKind::kAttnOut);
        collect(w.c_fc, 0, SiteKind::kMlpIn, SiteKind::kMlpNeuron);
        collect(w.c_proj, 0, SiteKind::kMlpNeuron, SiteKind::kMlpOut);
    }
    return edges;
}

}  // namespace filigree
