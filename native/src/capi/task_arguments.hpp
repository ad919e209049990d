// SPDX-License-Identifier: Apache-2.0
// Arguments that the calls on tasks and circuits have in common: checked, copied to the device, or filled.
#pragma once

#include <ATen/ops/empty.h>
#include <filigree/filigree.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "capi/handles.hpp"
#include "circuit/edges.hpp"
#include "prune/task_score.hpp"

namespace filigree::capi {

/// A flat host array over the nodes as fp32 on the model's device.
template <typename Value>
[[nodiscard]] at::Tensor upload_nodes(const Model& model, const Value* values) {
    auto host = at::empty({model.nodes().size()}, at::kFloat);
    std::copy_n(values, host.numel(), host.mutable_data_ptr<float>());
    return host.to(model.device());
}

/// @throws FG_INVALID_ARGUMENT.
inline void check_keep(const std::uint8_t* keep, std::uint64_t nodes) {
    FG_EXPECTS(std::all_of(keep, keep + nodes, [](std::uint8_t k) { return k <= 1; }), FG_INVALID_ARGUMENT,
               "keep must hold 0 and 1 only");
}

/// @throws FG_INVALID_ARGUMENT.
inline void check_means(const float* means, std::uint64_t nodes) {
    FG_EXPECTS(std::all_of(means, means + nodes, [](float mean) { return std::isfinite(mean); }), FG_INVALID_ARGUMENT,
               "means must be finite");
}

/// Examples that a call on `model` may use. @throws FG_INVALID_ARGUMENT.
[[nodiscard]] inline std::shared_ptr<Examples> examples_for(const Model& model, const fg_examples* handle) {
    auto examples = object_of(handle);
    FG_EXPECTS(examples->model.get() == &model, FG_INVALID_ARGUMENT, "the examples were made for another model");
    return examples;
}

inline void fill(fg_task_stats* out_stats, const TaskScore& score, std::int64_t nodes, std::int64_t sequences) {
    out_stats->nodes = static_cast<std::uint64_t>(nodes);
    out_stats->sequences = static_cast<std::uint64_t>(sequences);
    out_stats->loss = score.loss;
    out_stats->raw_loss = score.raw_loss;
    out_stats->full_loss = score.full_loss;
    out_stats->accuracy = score.accuracy;
    out_stats->scale = score.calibration.scale;
    out_stats->shift = score.calibration.shift;
}

/// A buffer of fg_edge.
[[nodiscard]] inline fg_buffer* make_edge_buffer(const std::vector<Edge>& edges) {
    auto buffer = std::make_shared<Buffer>();
    for (const auto& edge : edges) {
        const fg_edge c_edge = {edge.source, edge.target, edge.weight};
        const auto* bytes = reinterpret_cast<const char*>(&c_edge);
        buffer->bytes.insert(buffer->bytes.end(), bytes, bytes + sizeof(c_edge));
    }
    buffer->size = buffer->bytes.size();
    return make_handle<fg_buffer>(std::move(buffer));
}

}  // namespace filigree::capi
