// SPDX-License-Identifier: Apache-2.0
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <filigree/filigree.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "capi/handles.hpp"
#include "circuit/edges.hpp"

using namespace filigree;
using namespace filigree::capi;

namespace {

/// A flat host array over the nodes as fp32 on the model's device.
template <typename Value>
at::Tensor upload_nodes(const Model& model, const Value* values) {
    auto host = at::empty({model.nodes().size()}, at::kFloat);
    std::copy_n(values, host.numel(), host.mutable_data_ptr<float>());
    return host.to(model.device());
}

void check_keep(const std::uint8_t* keep, std::uint64_t nodes) {
    FG_EXPECTS(std::all_of(keep, keep + nodes, [](std::uint8_t k) { return k <= 1; }), FG_INVALID_ARGUMENT,
               "keep must hold 0 and 1 only");
}

void check_means(const float* means, std::uint64_t nodes) {
    FG_EXPECTS(std::all_of(means, means + nodes, [](float mean) { return std::isfinite(mean); }), FG_INVALID_ARGUMENT,
               "means must be finite");
}

void fill(fg_task_stats* out_stats, const TaskScore& score, std::int64_t nodes, std::int64_t sequences) {
    out_stats->nodes = static_cast<std::uint64_t>(nodes);
    out_stats->sequences = static_cast<std::uint64_t>(sequences);
    out_stats->loss = score.loss;
    out_stats->raw_loss = score.raw_loss;
    out_stats->full_loss = score.full_loss;
    out_stats->accuracy = score.accuracy;
    out_stats->scale = score.calibration.scale;
    out_stats->shift = score.calibration.shift;
}

/// Examples that a call on `model` may use.
std::shared_ptr<Examples> examples_for(const Model& model, const fg_examples* handle) {
    auto examples = object_of(handle);
    FG_EXPECTS(examples->model.get() == &model, FG_INVALID_ARGUMENT, "the examples were made for another model");
    return examples;
}

/// Run the examples through the circuit `keep`, NULL for the whole model, which the caller holds.
TaskOutputs run_circuit(const Model& model, const Examples& examples, const float* means, const std::uint8_t* keep,
                        std::uint64_t nodes) {
    require_nodes(model, nodes);
    if (keep == nullptr) {
        return run_task(examples, nullptr);
    }
    require(means, "means");
    check_keep(keep, nodes);
    check_means(means, nodes);
    GateHook hook(upload_nodes(model, keep), upload_nodes(model, means));
    return run_task(examples, &hook);
}

/// Score the circuit `keep` (NULL for the whole model) with a calibration, or with one fitted here.
void evaluate(fg_model* model, fg_examples* examples, const float* means, const std::uint8_t* keep, std::uint64_t nodes,
              const std::optional<Calibration>& given, fg_task_stats* out_stats) {
    const auto object = object_of(model);
    const auto lock = occupy(*object);
    const auto chosen = examples_for(*object, examples);
    require_stats(out_stats);
    const auto outputs = run_circuit(*object, *chosen, means, keep, nodes);
    const auto kept = keep == nullptr ? static_cast<std::int64_t>(nodes) : std::count(keep, keep + nodes, 1);
    fill(out_stats, score_task(outputs, given ? *given : fit_calibration(outputs.sequences)), kept,
         chosen->sequences());
}

}  // namespace

fg_status fg_examples_create(fg_model* model, const uint16_t* tokens, uint64_t pairs, uint64_t length,
                             const int32_t* eval_positions, const uint16_t* answers, fg_examples** out_examples) {
    return guard([&] {
        const auto object = object_of(model);
        const auto lock = occupy(*object);
        require(tokens, "tokens");
        require(eval_positions, "eval_positions");
        require(answers, "answers");
        require(out_examples, "out_examples");
        *out_examples = make_handle<fg_examples>(std::make_shared<Examples>(make_examples(
            object, tokens, to_size(pairs, "pairs"), to_size(length, "length"), eval_positions, answers)));
    });
}

void fg_examples_destroy(fg_examples* examples) { Registry<fg_examples>::instance().remove(examples); }

fg_status fg_pruner_create(fg_model* model, const char* config_json, fg_examples* examples, const float* means,
                           uint64_t nodes, fg_pruner** out_pruner) {
    return guard([&] {
        const auto object = object_of(model);
        const auto lock = occupy(*object);
        require(config_json, "config_json");
        require(means, "means");
        require(out_pruner, "out_pruner");
        require_nodes(*object, nodes);
        check_means(means, nodes);
        const auto chosen = examples_for(*object, examples);
        *out_pruner = make_handle<fg_pruner>(
            std::make_shared<Pruner>(*chosen, parse_prune_config(config_json), upload_nodes(*object, means)));
    });
}

fg_status fg_pruner_step(fg_pruner* pruner, uint64_t n_steps, fg_prune_stats* out_stats) {
    return guard([&] {
        const auto object = object_of(pruner);
        const auto lock = occupy(object->model());
        require_stats(out_stats);
        FG_EXPECTS(n_steps >= 1, FG_INVALID_ARGUMENT, "n_steps must be at least 1");
        FG_EXPECTS(!object->finished(), FG_INVALID_STATE, "all ", object->steps_done(), " steps are done");
        PruneReport report;
        for (std::uint64_t i = 0; i < n_steps && !object->finished(); ++i) {
            object->model().check_cancelled();
            report = object->step();
        }
        out_stats->step = static_cast<std::uint64_t>(object->steps_done());
        out_stats->task_loss = report.task_loss;
        out_stats->lr = report.lr;
        out_stats->nodes = static_cast<std::uint64_t>(object->scores().ge(0).sum().item<std::int64_t>());
    });
}

fg_status fg_pruner_scores(fg_pruner* pruner, uint64_t nodes, float* out_scores) {
    return guard([&] {
        const auto object = object_of(pruner);
        const auto lock = occupy(object->model());
        require(out_scores, "out_scores");
        require_nodes(object->model(), nodes);
        const auto host = object->scores().to(at::kCPU);
        std::copy_n(host.const_data_ptr<float>(), nodes, out_scores);
    });
}

fg_status fg_pruner_discretize(fg_pruner* pruner, fg_examples* validation, double target_loss, uint64_t nodes,
                               uint8_t* out_keep, fg_task_stats* out_stats) {
    return guard([&] {
        const auto object = object_of(pruner);
        const auto lock = occupy(object->model());
        const auto chosen = examples_for(object->model(), validation);
        FG_EXPECTS(target_loss > 0.0, FG_INVALID_ARGUMENT, "target_loss must be above 0");
        require_nodes(object->model(), nodes);
        require(out_keep, "out_keep");
        require_stats(out_stats);
        const auto result = object->discretize(*chosen, target_loss);
        const auto keep = result.keep.to(at::kCPU, at::kByte);
        std::copy_n(keep.const_data_ptr<std::uint8_t>(), nodes, out_keep);
        fill(out_stats, result.score, result.nodes, chosen->sequences());
    });
}

void fg_pruner_destroy(fg_pruner* pruner) { Registry<fg_pruner>::instance().remove(pruner); }

fg_status fg_circuit_evaluate(fg_model* model, fg_examples* examples, const float* means, const uint8_t* keep,
                              uint64_t nodes, double scale, double shift, fg_task_stats* out_stats) {
    return guard([&] {
        FG_EXPECTS(std::isfinite(scale) && std::isfinite(shift), FG_INVALID_ARGUMENT, "scale and shift must be finite");
        evaluate(model, examples, means, keep, nodes, Calibration{scale, shift}, out_stats);
    });
}

fg_status fg_circuit_calibrate(fg_model* model, fg_examples* examples, const float* means, const uint8_t* keep,
                               uint64_t nodes, fg_task_stats* out_stats) {
    return guard([&] { evaluate(model, examples, means, keep, nodes, std::nullopt, out_stats); });
}

fg_status fg_circuit_differences(fg_model* model, fg_examples* examples, const float* means, const uint8_t* keep,
                                 uint64_t nodes, uint64_t count, float* out_differences) {
    return guard([&] {
        const auto object = object_of(model);
        const auto lock = occupy(*object);
        const auto chosen = examples_for(*object, examples);
        require(out_differences, "out_differences");
        FG_EXPECTS(count == static_cast<std::uint64_t>(chosen->sequences()), FG_INVALID_ARGUMENT, "count is ", count,
                   ", the examples have ", chosen->sequences(), " sequences");
        const auto outputs = run_circuit(*object, *chosen, means, keep, nodes);
        std::transform(outputs.sequences.begin(), outputs.sequences.end(), out_differences,
                       [](const ScoredSequence& sequence) { return static_cast<float>(sequence.difference); });
    });
}

fg_status fg_circuit_edges(fg_model* model, const uint8_t* keep, uint64_t nodes, fg_buffer** out_edges) {
    return guard([&] {
        const auto object = object_of(model);
        const auto lock = occupy(*object);
        require(keep, "keep");
        require(out_edges, "out_edges");
        require_nodes(*object, nodes);
        check_keep(keep, nodes);
        auto buffer = std::make_shared<Buffer>();
        for (const auto& edge : circuit_edges(*object, keep)) {
            const fg_edge c_edge = {edge.source, edge.target, edge.weight};
            const auto* bytes = reinterpret_cast<const char*>(&c_edge);
            buffer->bytes.insert(buffer->bytes.end(), bytes, bytes + sizeof(c_edge));
        }
        buffer->size = buffer->bytes.size();
        *out_edges = make_handle<fg_buffer>(std::move(buffer));
    });
}
