// SPDX-License-Identifier: Apache-2.0
// A model cut down to what its open nodes can change. It is another set of weights and site widths for the one forward
// (model/forward.hpp) and gives what the whole model gives with all other nodes at their means, up to rounding:
//   - columns of closed sources are gone, their means folded into biases (circuit/edge_circuit.hpp);
//   - closed channels are gone where there is no AbsTopK. Where there is, those that something open feeds take part in
//     it, and those that nothing open feeds are constants: the ones that always are, or never are, among the k largest
//     are gone too, and k is less by the former, so at most as many constants stay as there are channels that vary;
//   - heads without an open query, key or value are gone: what they add depends on the position alone;
//   - a half layer without an open output is gone: it adds its means.
// The residual keeps its width, for RMSNorm and the AbsTopK after it need all of it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "circuit/edge_circuit.hpp"
#include "model/model.hpp"

namespace filigree {

class CompactModel {
public:
    /// @param means fp32 [nodes of the model] on its device.
    CompactModel(const Model& model, const EdgeCircuit& circuit, const at::Tensor& means);
    CompactModel(const CompactModel&) = delete;  // contexts refer to it
    CompactModel& operator=(const CompactModel&) = delete;
    ~CompactModel() = default;

    /// Its nodes are the circuit's, in the same order.
    [[nodiscard]] const NodeSpace& nodes() const { return nodes_; }
    /// Of every node, its number in the model. int64 [nodes().size()], on the host.
    [[nodiscard]] const std::vector<std::int64_t>& numbers() const { return numbers_; }
    [[nodiscard]] const at::Tensor& means() const { return means_; }  ///< fp32 [nodes().size()]
    /// Of a circuit that lists them, in the same order; sources and targets are numbers of nodes here.
    [[nodiscard]] const std::vector<Edge>& edges() const { return edges_; }

    [[nodiscard]] const Weights& weights() const { return weights_; }
    /// Weights of R variants in which edges() are open (1) or left out (0). @param gates fp32 [R, edges], with
    /// gradients if wanted.
    [[nodiscard]] Weights gated(const at::Tensor& gates) const;
    /// Forward over weights() or gated() ones, which must outlive it.
    [[nodiscard]] ForwardContext context(const Weights& weights) const;

private:
    /// The edges of one matrix of the forward and where they stand in it.
    struct Placed {
        std::int64_t first = 0, count = 0;  // of edges_
        at::Tensor entry;                   // int64 [count], row * columns + column
        at::Tensor row;                     // int64 [count]
        at::Tensor share;                   // int64 [count], row * heads + head; W_o of a model with sinks
        at::Tensor weight;                  // fp32 [count]
        at::Tensor given;                   // fp32 [count], weight * mean of the source
    };
    static constexpr std::size_t kProducts = 4;  // c_attn, o_proj, c_fc, c_proj

    const Model& model_;
    NodeSpace nodes_;
    std::vector<std::int64_t> numbers_;
    at::Tensor means_;
    std::vector<SiteRouting> routing_;
    Weights weights_;
    std::vector<Edge> edges_;
    std::vector<std::array<Placed, kProducts>> placed_;  // by layer

    friend class Compaction;
};

}  // namespace filigree
