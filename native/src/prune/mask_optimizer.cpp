// SPDX-License-Identifier: Apache-2.0
#include "prune/mask_optimizer.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "core/random.hpp"
#include "ops/gate.hpp"
#include "sparsity/schedule.hpp"

namespace filigree {

MaskConfig parse_mask_config(std::string_view json) { return read_mask_config(ConfigReader::parse(json, "masks")); }

MaskConfig read_mask_config(ConfigReader reader) {
    constexpr double kTiny = std::numeric_limits<double>::min();
    constexpr double kHuge = 1e12;
    MaskConfig c;
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

PruneOptions read_prune_options(ConfigReader reader) {
    PruneOptions options;
    options.ablation =
        reader.choice("ablation", {"mean", "zero", "resample"}) < 2 ? AblationKind::kValues : AblationKind::kDonors;
    options.calibrate = reader.boolean("calibrate");
    options.tied_qk = reader.boolean("tied_qk");
    options.frozen_norms = reader.boolean("frozen_norms");
    reader.finish();
    return options;
}

MaskParameters mask_parameters(const NodeSpace& nodes, const std::vector<std::int64_t>& numbers, const NodeSpace& whole,
                               bool tied_qk) {
    MaskParameters parameters;
    std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> queries;  // layer and channel -> parameter
    for (const auto& site : nodes.sites()) {
        for (std::int64_t i = 0; i < site.width; ++i) {
            const std::pair channel(site.layer, numbers[static_cast<std::size_t>(site.offset + i)] -
                                                    whole.site(site.layer, site.kind).offset);
            if (const auto query = queries.find(channel);
                tied_qk && site.kind == SiteKind::kAttnK && query != queries.end()) {
                parameters.of_node.push_back(query->second);
                parameters.sizes[static_cast<std::size_t>(query->second)] += 1.0F;
                continue;
            }
            const auto own = static_cast<std::int64_t>(parameters.sizes.size());
            if (site.kind == SiteKind::kAttnQ) {
                queries[channel] = own;
            }
            parameters.of_node.push_back(own);
            parameters.sizes.push_back(1.0F);
        }
    }
    return parameters;
}

at::Tensor initial_scores(const MaskConfig& config, std::uint64_t seed, std::int64_t count) {
    auto scores = at::empty({count}, at::kFloat);
    RandomStream random(seed, Purpose::kInitialMask, 0);
    auto* score = scores.mutable_data_ptr<float>();
    for (std::int64_t i = 0; i < count; ++i) {
        score[i] = static_cast<float>(config.init_bias) + static_cast<float>(config.init_scale) * random.normal();
    }
    return scores.clamp_(-1.0, 1.0);
}

at::Tensor draw_pairs(std::uint64_t seed, std::int64_t step, std::int64_t pairs, std::int64_t wanted) {
    wanted = std::min(wanted, pairs);
    // The first `wanted` places of a Fisher-Yates shuffle.
    std::vector<std::int64_t> order(static_cast<std::size_t>(pairs));
    std::iota(order.begin(), order.end(), 0);
    RandomStream random(seed, Purpose::kPruneBatch, static_cast<std::uint64_t>(step));
    auto rows = at::empty({2 * wanted}, at::kLong);
    auto* row = rows.mutable_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < wanted; ++i) {
        const auto other = i + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(pairs - i)));
        std::swap(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(other)]);
        row[2 * i] = 2 * order[static_cast<std::size_t>(i)];
        row[2 * i + 1] = row[2 * i] + 1;
    }
    return rows;
}

MaskOptimizer::MaskOptimizer(const at::Tensor& scores, MaskConfig config, const std::vector<double>& k_coefs,
                             at::Tensor sizes)
    : config_(config), sizes_(std::move(sizes)) {
    set_scores(scores);
    auto prices = at::empty({static_cast<std::int64_t>(k_coefs.size()), 1}, at::kFloat);
    std::transform(k_coefs.begin(), k_coefs.end(), prices.mutable_data_ptr<float>(),
                   [](double k_coef) { return static_cast<float>(k_coef); });
    k_coefs_ = prices.to(scores.device());
    moment1_ = at::zeros_like(scores_);
    moment2_ = at::zeros_like(scores_);
}

void MaskOptimizer::set_scores(const at::Tensor& scores) {
    scores_ = scores.clamp(-1.0, 1.0).contiguous();
    gradient_ = at::zeros_like(scores_);
}

at::Tensor MaskOptimizer::compute_gradient(const std::function<at::Tensor(const at::Tensor&)>& task_losses) {
    auto scores = scores_.detach();
    scores.set_requires_grad(true);
    const auto gates = ops::heaviside_gate(scores, config_.temperature);
    const auto losses = task_losses(gates);
    (losses.sum() + (k_coefs_ * gates * sizes_).sum()).backward();
    gradient_ = scores.grad();
    return losses.detach();
}

double MaskOptimizer::step() {
    const at::NoGradGuard no_grad;
    const auto lr = learning_rate(config_.lr, config_.warmup, steps_done_, config_.steps);
    const auto rms = gradient_.square().mean(-1, /*keepdim=*/true).sqrt();  // [R, 1]
    FG_EXPECTS(rms.isfinite().all().item<bool>(), FG_DIVERGED,
               "the mask gradient is not finite at step " + std::to_string(steps_done_));
    gradient_.mul_((config_.clip_rms / rms).clamp_max(1.0));
    scores_.mul_(1.0 - lr * config_.weight_decay);
    ops::adam_step(scores_, moment1_, moment2_, gradient_, config_.adam, lr, steps_done_ + 1);
    scores_.clamp_(-1.0, 1.0);
    ++steps_done_;
    return lr;
}

}  // namespace filigree
