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
