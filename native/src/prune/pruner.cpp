// SPDX-License-Identifier: Apache-2.0
#include "prune/pruner.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/softplus.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "circuit/donors.hpp"
#include "core/config_reader.hpp"
#include "core/to_device.hpp"

namespace filigree {

namespace {

constexpr std::int64_t kLengths = 4;

MaskParameters parameters_of(const Model& model, bool tied_qk) {
    std::vector<std::int64_t> all(static_cast<std::size_t>(model.nodes().size()));
    std::iota(all.begin(), all.end(), 0);
    return mask_parameters(model.nodes(), all, model.nodes(), tied_qk);
}

}  // namespace

PruneConfig parse_prune_config(std::string_view json) {
    auto reader = ConfigReader::parse(json, "prune");
    const PruneConfig config = {read_mask_config(reader.object("masks")), read_prune_options(reader.object("options"))};
    reader.finish();
    return config;
}

Pruner::Pruner(Examples examples, const PruneConfig& config, at::Tensor means)
    : examples_(std::move(examples)),
      means_(std::move(means)),
      options_(config.options),
      parameter_of_(to_device(parameters_of(model(), options_.tied_qk).of_node, means_.device())),
      optimizer_([&] {
          const auto sizes = parameters_of(model(), options_.tied_qk).sizes;
          const auto count = static_cast<std::int64_t>(sizes.size());
          return MaskOptimizer(initial_scores(config.masks, config.masks.seed, count).unsqueeze(0).to(means_.device()),
                               config.masks, {config.masks.k_coef}, to_device(sizes, means_.device()));
      }()) {}

Examples Pruner::batch() const {
    const auto& config = optimizer_.config();
    const auto rows = draw_pairs(config.seed, optimizer_.steps_done(), examples_.pairs(), config.batch_pairs);
    return trimmed(examples_.select(rows.to(means_.device())));
}

at::Tensor Pruner::donors_of(const Examples& examples, Purpose purpose, std::int64_t index) const {
    return draw_donors(examples, RandomStream(optimizer_.config().seed, purpose, static_cast<std::uint64_t>(index)));
}

at::Tensor Pruner::differences_under(const at::Tensor& gates, const Examples& examples, const at::Tensor& rows,
                                     const at::Tensor& donors) const {
    if (donors.defined()) {
        DonorHook hook(gates, options_.frozen_norms);
        return differences_with_donors(examples, rows, donors.index_select(0, rows), hook);
    }
    GateHook hook(gates, means_);
    if (options_.frozen_norms) {
        hook.freeze_norms_of_each_forward();
    }
    return answer_differences(examples.model->context(), trimmed(examples.select(rows)), 1, &hook).squeeze(0);
}

std::vector<ScoredSequence> Pruner::run(const at::Tensor& gates, const Examples& examples) const {
    if (options_.ablation == AblationKind::kDonors) {
        return run_with_donors(examples, gates, donors_of(examples, Purpose::kJudgingDonors, 0), options_.frozen_norms);
    }
    GateHook hook(gates, means_);
    if (options_.frozen_norms) {
        hook.freeze_norms_of_each_forward();
    }
    return run_sequences(examples, &hook);
}

double Pruner::compute_gradient(const Examples& batch) {
    const auto donors = options_.ablation == AblationKind::kDonors
                            ? donors_of(batch, Purpose::kDonors, optimizer_.steps_done())
                            : at::Tensor();
    const auto signs = answer_signs(batch);
    // On a processor prompts of about equal length run together, so that few tokens are padding.
    const auto lengths = means_.device().is_cpu() ? kLengths : 1;
    const auto losses = optimizer_.compute_gradient([&](const at::Tensor& gates) {
        std::vector<at::Tensor> parts;
        for (const auto& rows : rows_by_length(batch, lengths)) {
            const auto differences = differences_under(of_nodes(gates), batch, rows, donors);
            parts.push_back(at::softplus(-signs.index_select(0, rows) * differences));
        }
        return at::cat(parts).mean().view({1});
    });
    return losses.item<double>();
}

PruneReport Pruner::step() {
    PruneReport report;
    report.task_loss = compute_gradient(batch());
    report.lr = optimizer_.step();
    return report;
}

Discretized Pruner::discretize(const Examples& validation, double target_loss) {
    const at::NoGradGuard no_grad;
    const auto scores = optimizer_.scores().select(0, 0);  // of parameters, so tied nodes come and go together
    const auto order = std::get<1>(scores.sort(/*stable=*/true, /*dim=*/0, /*descending=*/true));
    struct Candidate {
        std::int64_t parameters = 0;
        double loss = 0.0;
        Calibration calibration;
    };
    const auto keep_first = [&](std::int64_t parameters) {
        return of_nodes(at::zeros_like(scores).index_fill_(0, order.narrow(0, 0, parameters), 1.0).unsqueeze(0));
    };
    const auto candidate = [&](std::int64_t parameters) {
        const auto keep = keep_first(parameters);
        const auto calibration = options_.calibrate ? fit_calibration(run(keep, examples_)) : Calibration{};
        return Candidate{parameters, mean_loss(run(keep, validation), calibration), calibration};
    };
    const auto finish = [&](const Candidate& chosen) {
        Discretized result;
        result.keep = keep_first(chosen.parameters);
        result.nodes = result.keep.sum().item<std::int64_t>();
        GateHook hook(result.keep, means_);
        if (options_.frozen_norms) {
            hook.freeze_norms_of_each_forward();
        }
        result.score = score_task(run_task(validation, &hook), chosen.calibration);
        result.score.loss = chosen.loss;  // with donors another than by the values of the hook
        return result;
    };
    const auto reaches = [&](const Candidate& circuit) { return circuit.loss <= target_loss; };

    // The number that training left open is a start, not a bound: the target may need more (method 4.5).
    const auto open = scores.ge(0).sum().item<std::int64_t>();
    const auto left_open = candidate(open);
    auto best = left_open;
    std::int64_t too_few = 0;
    if (!reaches(left_open)) {
        best = candidate(scores.numel());
        if (!reaches(best)) {
            return finish(left_open);
        }
        too_few = open;
    }
    while (best.parameters - too_few > 1) {
        auto middle = candidate(too_few + (best.parameters - too_few) / 2);
        if (reaches(middle)) {
            best = std::move(middle);
        } else {
            too_few = middle.parameters;
        }
    }
    return finish(best);
}

}  // namespace filigree
