// SPDX-License-Identifier: Apache-2.0
#include <filigree/filigree.h>

#include <algorithm>

#include "capi/task_arguments.hpp"

using namespace filigree;
using namespace filigree::capi;

fg_status fg_examples_create(fg_model* model, const uint16_t* tokens, uint64_t pairs, uint64_t length,
                             const int32_t* eval_positions, const uint16_t* answers, fg_examples** out_examples) {
    return guard([&] {
        const auto object = object_of(model);
        const Occupied lock(*object);
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
        const Occupied lock(*object);
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
        const Occupied lock(object->model());
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
        const Occupied lock(object->model());
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
        const Occupied lock(object->model());
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

fg_status fg_fast_pruner_create(fg_model* model, const char* config_json, const fg_prune_task* tasks, uint64_t n_tasks,
                                const float* means, uint64_t nodes, fg_fast_pruner** out_pruner) {
    return guard([&] {
        const auto object = object_of(model);
        const Occupied lock(*object);
        require(config_json, "config_json");
        require(tasks, "tasks");
        require(means, "means");
        require(out_pruner, "out_pruner");
        require_nodes(*object, nodes);
        check_means(means, nodes);
        std::vector<PruneTask> chosen;
        for (std::int64_t i = 0; i < to_size(n_tasks, "n_tasks"); ++i) {
            chosen.push_back({*examples_for(*object, tasks[i].train), *examples_for(*object, tasks[i].validation)});
        }
        *out_pruner = make_handle<fg_fast_pruner>(std::make_shared<FastPruner>(
            std::move(chosen), parse_fast_prune_config(config_json), upload_nodes(*object, means)));
    });
}

fg_status fg_fast_pruner_advance(fg_fast_pruner* pruner, fg_fast_prune_stats* out_stats) {
    return guard([&] {
        const auto object = object_of(pruner);
        const Occupied lock(object->model());
        require_stats(out_stats);
        object->advance();
        out_stats->phase = static_cast<std::int32_t>(object->phase());
        out_stats->pieces = static_cast<std::uint64_t>(object->pieces_done());
        out_stats->nodes = static_cast<std::uint64_t>(object->nodes());
        out_stats->edges = static_cast<std::uint64_t>(object->edges());
        out_stats->loss = object->loss();
    });
}

fg_status fg_fast_pruner_circuit(fg_fast_pruner* pruner, uint64_t task, uint64_t target, uint64_t nodes,
                                 uint8_t* out_keep, fg_buffer** out_edges, fg_found_circuit* out_found) {
    return guard([&] {
        const auto object = object_of(pruner);
        const Occupied lock(object->model());
        require(out_keep, "out_keep");
        require(out_edges, "out_edges");
        require_stats(out_found);
        require_nodes(object->model(), nodes);
        FG_EXPECTS(object->finished(), FG_INVALID_STATE, "the search is not finished");
        FG_EXPECTS(task < object->tasks() && target < object->targets(), FG_INVALID_ARGUMENT, "there is no circuit ",
                   task, ", ", target, " of ", object->tasks(), " tasks and ", object->targets(), " targets");
        const auto& found = object->found(task, target);
        const auto& circuit = found.circuit;
        std::copy(circuit.keep.begin(), circuit.keep.end(), out_keep);
        *out_edges =
            make_edge_buffer(circuit.edges ? *circuit.edges : circuit_edges(object->model(), circuit.keep.data()));
        out_found->reached = found.reached ? 1 : 0;
        out_found->scale = found.calibration.scale;
        out_found->shift = found.calibration.shift;
    });
}

void fg_fast_pruner_destroy(fg_fast_pruner* pruner) { Registry<fg_fast_pruner>::instance().remove(pruner); }
