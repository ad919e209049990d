// SPDX-License-Identifier: Apache-2.0
#include "prune/pruner.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/softplus.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <utility>

#include "core/config_reader.hpp"
#include "core/error.hpp"
#include "core/random.hpp"
#include "ops/gate.hpp"
#include "sparsity/schedule.hpp"

namespace filigree {

PruneConfig parse_prune_config(std::string_view json) {
    constexpr double kTiny = std::numeric_limits<double>::min();
    constexpr double kHuge = 1e12;
    auto reader = ConfigReader::parse(json, "prune");
    PruneConfig c;
    c.steps = reader.integer("steps", 1);
    c.batch_pairs = reader.integer("batch_pairs", 1);
    c.seed = static_cast<std::uint64_t>(reader.integer("seed", 0));
    c.lr = reader.number("lr", 0.0, kHuge);
    c.adam.beta1 = reader.number("beta1", 0.0, 1.0 - 1e-9);
    c.adam.beta2 = reader.number("beta2", 0.0, 1.0 - 1e-9);
    c.adam.eps = reader.number("eps", kTiny, kHuge);
    c.weight_decay = reader.number("weight_decay", 0.0, kHuge);
    c.k_coef = reader.number("k_coef", 0.0, kHuge);
    c.init_scale = reader.number("init_scale", 0.0, 1.0);
    c.init_bias = reader.number("init_bias", -1.0, 1.0);
    c.temperature = reader.number("temperature", kTiny, kHuge);
    c.warmup = reader.number("warmup", 0.0, 1.0);
    c.clip_rms = reader.number("clip_rms", kTiny, kHuge);
    reader.finish();
    return c;
}

Pruner::Pruner(Examples examples, PruneConfig config, at::Tensor means)
    : examples_(std::move(examples)), config_(config), means_(std::move(means)) {
    auto tau = at::empty({model().nodes().size()}, at::kFloat);
    RandomStream random(config_.seed, Purpose::kInitialMask, 0);
    auto* data = tau.mutable_data_ptr<float>();
    for (std::int64_t i = 0; i < tau.numel(); ++i) {
        data[i] = static_cast<float>(config_.init_bias + config_.init_scale * random.normal());
    }
    set_scores(tau);
    moment1_ = at::zeros_like(gradient_);
    moment2_ = at::zeros_like(gradient_);
}

void Pruner::set_scores(const at::Tensor& tau) {
    tau_ = tau.clamp(-1.0, 1.0).to(model().device());
    gradient_ = at::zeros_like(tau_);
}

Examples Pruner::batch() const {
    const auto pairs = examples_.pairs();
    const auto wanted = std::min(config_.batch_pairs, pairs);
    // The first `wanted` places of a Fisher-Yates shuffle.
    std::vector<std::int64_t> order(static_cast<std::size_t>(pairs));
    std::iota(order.begin(), order.end(), 0);
    RandomStream random(config_.seed, Purpose::kPruneBatch, static_cast<std::uint64_t>(steps_done_));
    auto rows = at::empty({2 * wanted}, at::kLong);
    auto* row = rows.mutable_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < wanted; ++i) {
        const auto other = i + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(pairs - i)));
        std::swap(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(other)]);
        row[2 * i] = 2 * order[static_cast<std::size_t>(i)];
        row[2 * i + 1] = row[2 * i] + 1;
    }
    return examples_.select(rows.to(model().device()));
}

double Pruner::compute_gradient(const Examples& batch) {
    auto tau = tau_.detach();
    tau.set_requires_grad(true);
    const auto gates = ops::heaviside_gate(tau, config_.temperature);
    GateHook hook(gates, means_);
    const auto differences = logit_differences(batch, answer_logits(batch, &hook));
    const auto task_loss = at::softplus(-answer_signs(batch) * differences).mean();
    (task_loss + config_.k_coef * gates.sum()).backward();
    gradient_ = tau.grad();
    return task_loss.item<double>();
}

PruneReport Pruner::step() {
    PruneReport report;
    report.task_loss = compute_gradient(batch());
    report.lr = learning_rate(config_.lr, config_.warmup, steps_done_, config_.steps);

    const at::NoGradGuard no_grad;
    const auto norm = at::linalg_vector_norm(gradient_).item<double>();
    FG_EXPECTS(std::isfinite(norm), FG_DIVERGED,
               "the mask gradient is not finite at step " + std::to_string(steps_done_));
    const auto rms = norm / std::sqrt(static_cast<double>(gradient_.numel()));
    if (rms > config_.clip_rms) {
        gradient_.mul_(config_.clip_rms / rms);
    }
    tau_.mul_(1.0 - report.lr * config_.weight_decay);
    ops::adam_step(tau_, moment1_, moment2_, gradient_, config_.adam, report.lr, steps_done_ + 1);
    tau_.clamp_(-1.0, 1.0);
    ++steps_done_;
    return report;
}

Discretized Pruner::discretize(const Examples& validation, double target_loss) {
    const at::NoGradGuard no_grad;
    const auto order = std::get<1>(tau_.sort(/*stable=*/true, /*dim=*/0, /*descending=*/true));
    const auto candidate = [&](std::int64_t nodes) {
        Discretized result;
        result.nodes = nodes;
        result.keep = at::zeros_like(tau_).index_fill_(0, order.narrow(0, 0, nodes), 1.0);
        GateHook hook(result.keep, means_);
        const auto calibration = fit_calibration(run_task(examples_, &hook).sequences);
        result.score = score_task(run_task(validation, &hook), calibration);
        return result;
    };

    const auto reaches = [&](const Discretized& circuit) { return circuit.score.loss <= target_loss; };

    // The number that training left open is a start, not a bound: the target may need more (method 4.5).
    const auto open = tau_.ge(0).sum().item<std::int64_t>();
    const auto left_open = candidate(open);
    auto best = left_open;
    std::int64_t too_few = 0;
    if (!reaches(left_open)) {
        best = candidate(tau_.numel());
        if (!reaches(best)) {
            return left_open;
        }
        too_few = open;
    }
    while (best.nodes - too_few > 1) {
        auto middle = candidate(too_few + (best.nodes - too_few) / 2);
        if (reaches(middle)) {
            best = std::move(middle);
        } else {
            too_few = middle.nodes;
        }
    }
    return best;
}

}  // namespace filigree
