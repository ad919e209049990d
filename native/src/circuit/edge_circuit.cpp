// SPDX-License-Identifier: Apache-2.0
#include "circuit/edge_circuit.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <string>
#include <utility>

#include "core/error.hpp"

namespace filigree {
namespace {

/// 1 where an entry of the matrix passes its source on. @return fp32 [targets, sources].
at::Tensor passing(const EdgeCircuit& circuit, const at::Tensor& keep, const Site& source, const Site& target) {
    const auto open_source = keep.narrow(0, source.offset, source.width);
    auto passes = open_source.expand({target.width, source.width});
    if (!circuit.edges) {
        return passes;
    }
    std::vector<std::int64_t> listed;
    for (const auto& edge : *circuit.edges) {
        const auto s = static_cast<std::int64_t>(edge.source) - source.offset;
        const auto t = static_cast<std::int64_t>(edge.target) - target.offset;
        if (s >= 0 && s < source.width && t >= 0 && t < target.width) {
            listed.push_back(t * source.width + s);
        }
    }
    auto places = at::empty({static_cast<std::int64_t>(listed.size())}, at::kLong);
    std::copy(listed.begin(), listed.end(), places.mutable_data_ptr<std::int64_t>());
    const auto closed_target = 1 - keep.narrow(0, target.offset, target.width);
    passes = passes * closed_target.unsqueeze(1);
    return passes.view({-1}).index_fill(0, places.to(keep.device()), 1.0).view(passes.sizes());
}

}  // namespace

void check_circuit(const Model& model, const EdgeCircuit& circuit) {
    if (!circuit.edges) {
        return;
    }
    const auto ends = [](const std::vector<Edge>& edges) {
        std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs;
        pairs.reserve(edges.size());
        for (const auto& edge : edges) {
            pairs.emplace_back(edge.source, edge.target);
        }
        std::sort(pairs.begin(), pairs.end());
        return pairs;
    };
    const auto there = ends(circuit_edges(model, circuit.keep.data()));
    auto next = there.begin();
    for (const auto& edge : ends(*circuit.edges)) {
        next = std::lower_bound(next, there.end(), edge);
        // An edge that is listed twice is not there the second time.
        FG_EXPECTS(next != there.end() && *next == edge, FG_INVALID_ARGUMENT, "the edge ", edge.first, " -> ",
                   edge.second, " is listed twice, or is no nonzero weight between two nodes of the circuit");
        ++next;
    }
}

std::vector<std::array<FoldedMatrix, kBlockMatrices>> fold(const Model& model, const EdgeCircuit& circuit,
                                                           const at::Tensor& means) {
    const at::NoGradGuard no_grad;
    const auto& config = model.config();
    const auto& weights = model.context().weights;
    auto host_keep = at::empty({model.nodes().size()}, at::kFloat);
    std::copy(circuit.keep.begin(), circuit.keep.end(), host_keep.mutable_data_ptr<float>());
    const auto keep = host_keep.to(model.device());
    std::vector<std::array<FoldedMatrix, kBlockMatrices>> layers;
    for (std::int64_t layer = 0; layer < config.n_layer; ++layer) {
        auto& folded = layers.emplace_back();
        const auto matrices = block_matrices(weights.layers[static_cast<std::size_t>(layer)]);
        for (std::size_t i = 0; i < kBlockMatrices; ++i) {
            const auto& matrix = matrices.at(i);
            const auto& source = model.nodes().site(layer, matrix.source);
            const auto& target = model.nodes().site(layer, matrix.target);
            auto& into = folded.at(i);
            into.weight = matrix.weight * passing(circuit, keep, source, target);
            // What the sources of all other entries give when they are closed.
            const auto given = (matrix.weight - into.weight) * means.narrow(0, source.offset, source.width);
            if (matrix.source == SiteKind::kAttnV && config.sink) {
                into.bias = matrix.bias;
                into.share = given.view({target.width, config.n_head, config.d_head}).sum(-1);
            } else {
                into.bias = matrix.bias + given.sum(-1);
            }
        }
    }
    return layers;
}

EditedWeights circuit_weights(const Model& model, const EdgeCircuit& circuit, const at::Tensor& means) {
    const auto context = model.context();
    auto weights = context.weights;
    std::vector<at::Tensor> matrices;
    const auto folded = fold(model, circuit, means);
    for (std::size_t layer = 0; layer < folded.size(); ++layer) {
        const auto& [q, k, v, o, fc, proj] = folded[layer];
        auto& w = weights.layers[layer];
        w.c_attn = at::cat(std::vector<at::Tensor>{q.weight, k.weight, v.weight}, 0);
        w.c_attn_bias = at::cat(std::vector<at::Tensor>{q.bias, k.bias, v.bias}, 0);
        w.o_proj = o.weight;
        w.o_proj_bias = o.bias;
        w.o_share = o.share;
        w.c_fc = fc.weight;
        w.c_fc_bias = fc.bias;
        w.c_proj = proj.weight;
        w.c_proj_bias = proj.bias;
        if (context.sparse_weights != nullptr) {
            matrices.insert(matrices.end(), {w.c_attn, w.o_proj, w.c_fc, w.c_proj});
        }
    }
    const auto crossover = context.sparse_weights == nullptr ? Crossover{} : context.sparse_weights->crossover();
    return {std::move(weights), SparseWeights(matrices, crossover)};
}

}  // namespace filigree
