// SPDX-License-Identifier: Apache-2.0
#include "circuit/edges.hpp"

#include "circuit/block_matrix.hpp"

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
    std::vector<Edge> edges;
    for (std::int64_t layer = 0; layer < model.config().n_layer; ++layer) {
        for (const auto& matrix : block_matrices(model.context().weights.layers[static_cast<std::size_t>(layer)])) {
            const auto& source = model.nodes().site(layer, matrix.source);
            const auto& target = model.nodes().site(layer, matrix.target);
            const auto sources = kept_channels(source, keep);
            const auto host = matrix.weight.to(at::kCPU).contiguous();
            for (const auto t : kept_channels(target, keep)) {
                const auto* row = host.const_data_ptr<float>() + t * source.width;
                for (const auto s : sources) {
                    if (row[s] != 0.0F) {
                        edges.push_back({static_cast<std::uint32_t>(source.offset + s),
                                         static_cast<std::uint32_t>(target.offset + t), row[s]});
                    }
                }
            }
        }
    }
    return edges;
}

}  // namespace filigree
