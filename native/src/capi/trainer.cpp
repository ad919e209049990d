// SPDX-License-Identifier: Apache-2.0
#include <filigree/filigree.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <mutex>

#include "capi/handles.hpp"
#include "sparsity/weight_statistics.hpp"

using namespace filigree;
using namespace filigree::capi;

namespace {

std::vector<TokenStream> to_streams(const fg_corpus* corpora, std::uint64_t count) {
    FG_EXPECTS(corpora != nullptr || count == 0, FG_INVALID_ARGUMENT, "corpora must not be NULL");
    std::vector<TokenStream> streams;
    for (std::uint64_t i = 0; i < count; ++i) {
        streams.push_back({corpora[i].tokens, corpora[i].count, corpora[i].share});
    }
    return streams;
}

/// Hold the teacher of a trainer, if it has one, for the length of a call.
std::unique_ptr<Occupied> occupy_teacher(const Trainer& trainer) {
    return trainer.teacher() == nullptr ? nullptr : std::make_unique<Occupied>(*trainer.teacher());
}

/// Run steps with `run` and fill the statistics.
void run_steps(Trainer& trainer, const std::function<Progress()>& run, fg_train_stats* out_stats) {
    FG_EXPECTS(!trainer.finished(), FG_INVALID_STATE, "all ", trainer.config().steps, " steps are done");
    const auto start = std::chrono::steady_clock::now();
    const auto progress = run();
    out_stats->step = static_cast<std::uint64_t>(trainer.steps_done());
    out_stats->tokens = static_cast<std::uint64_t>(trainer.tokens_seen());
    out_stats->loss = progress.last.loss;
    out_stats->mean_loss = progress.mean_loss;
    out_stats->lr = progress.last.lr;
    out_stats->grad_norm = progress.last.grad_norm;
    out_stats->density = progress.last.density;
    out_stats->nonzeros = static_cast<std::uint64_t>(count_nonzeros(trainer.model()));
    out_stats->seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

fg_status fg_trainer_create(fg_model* model, const char* config_json, const fg_corpus* corpora, uint64_t n_corpora,
                            fg_trainer** out_trainer) {
    return guard([&] {
        auto object = object_of(model);
        const Occupied lock(*object);
        require(config_json, "config_json");
        require(out_trainer, "out_trainer");
        *out_trainer = make_handle<fg_trainer>(
            std::make_shared<Trainer>(object, parse_train_config(config_json), to_streams(corpora, n_corpora)));
    });
}

fg_status fg_trainer_resume(fg_model* model, const char* folder, const fg_corpus* corpora, uint64_t n_corpora,
                            fg_trainer** out_trainer) {
    return guard([&] {
        auto object = object_of(model);
        const Occupied lock(*object);
        require(folder, "folder");
        require(out_trainer, "out_trainer");
        *out_trainer = make_handle<fg_trainer>(
            std::shared_ptr<Trainer>(Trainer::resume(object, folder, to_streams(corpora, n_corpora))));
    });
}

fg_status fg_trainer_set_teacher(fg_trainer* trainer, fg_model* teacher) {
    return guard([&] {
        const auto object = object_of(trainer);
        const Occupied lock(object->model());
        object->set_teacher(object_of(teacher));
    });
}

fg_status fg_trainer_step(fg_trainer* trainer, uint64_t n_steps, fg_train_stats* out_stats) {
    return guard([&] {
        const auto object = object_of(trainer);
        const Occupied lock(object->model());
        const auto teacher_lock = occupy_teacher(*object);
        require_stats(out_stats);
        FG_EXPECTS(n_steps >= 1, FG_INVALID_ARGUMENT, "n_steps must be at least 1");
        const auto steps =
            static_cast<std::int64_t>(std::min(n_steps, static_cast<std::uint64_t>(object->config().steps)));
        run_steps(
            *object, [&] { return object->steps(steps); }, out_stats);
    });
}

fg_status fg_trainer_step_on(fg_trainer* trainer, const uint16_t* tokens, uint64_t batch, uint64_t length,
                             fg_train_stats* out_stats) {
    return guard([&] {
        const auto object = object_of(trainer);
        const Occupied lock(object->model());
        const auto teacher_lock = occupy_teacher(*object);
        require(tokens, "tokens");
        require_stats(out_stats);
        const auto block_size = object->model().config().block_size;
        FG_EXPECTS(length >= 2 && length <= static_cast<std::uint64_t>(block_size), FG_INVALID_ARGUMENT, "length is ",
                   length, ", a batch needs 2 to block_size (", block_size, ") tokens in a row");
        const auto ids = object->model().upload_tokens(tokens, to_size(batch, "batch"), to_size(length, "length"));
        run_steps(
            *object,
            [&] {
                const auto report = object->step_on(ids);
                return Progress{report, report.loss};
            },
            out_stats);
    });
}

fg_status fg_trainer_metrics(fg_trainer* trainer, fg_buffer** out_json) {
    return guard([&] {
        const auto object = object_of(trainer);
        const Occupied lock(object->model());
        require(out_json, "out_json");
        *out_json = make_json_buffer(object->metrics_json());
    });
}

fg_status fg_trainer_profile(fg_trainer* trainer, fg_buffer** out_json) {
    return guard([&] {
        const auto object = object_of(trainer);
        const Occupied lock(object->model());
        require(out_json, "out_json");
        *out_json = make_json_buffer(object->profile_json());
    });
}

fg_status fg_trainer_save(fg_trainer* trainer, const char* folder) {
    return guard([&] {
        const auto object = object_of(trainer);
        const Occupied lock(object->model());
        require(folder, "folder");
        object->save(folder);
    });
}

void fg_trainer_destroy(fg_trainer* trainer) { Registry<fg_trainer>::instance().remove(trainer); }
