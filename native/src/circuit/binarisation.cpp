// SPDX-License-Identifier: Apache-2.0
#include "circuit/binarisation.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/softplus.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "circuit/node_edits.hpp"
#include "circuit/recording.hpp"
#include "core/config_reader.hpp"
#include "core/error.hpp"
#include "ops/adam.hpp"

namespace filigree {
namespace {

constexpr std::array<double, 3> kThresholds = {0.25, 0.5, 0.75};  // between the least and the largest activation
constexpr double kSharpening = 5.0;                               // t = (1 - progress)^kSharpening
constexpr ops::AdamSettings kAdam = {0.9, 0.95, 1e-8};

/// Open nodes of a circuit, as flat indices on the host and by site on the device.
class OpenNodes {
public:
    OpenNodes(const Model& model, const at::Tensor& gates) {
        for (const auto& site : model.nodes().sites()) {
            const auto channels = gates.narrow(0, site.offset, site.width).nonzero().squeeze(1);  // [n]
            by_site_.emplace(site.offset, Part{count_, channels});
            const auto host = channels.to(at::kCPU).contiguous();
            for (std::int64_t i = 0; i < host.numel(); ++i) {
                nodes_.push_back(site.offset + host.const_data_ptr<std::int64_t>()[i]);
            }
            count_ += host.numel();
        }
    }

    /// Open channels of one site, and where they begin among all open nodes.
    struct Part {
        std::int64_t first = 0;
        at::Tensor channels;  ///< int64
    };
    [[nodiscard]] const Part& at(const Site& site) const { return by_site_.at(site.offset); }
    [[nodiscard]] const std::vector<std::int64_t>& nodes() const { return nodes_; }
    [[nodiscard]] std::int64_t count() const { return count_; }

private:
    std::map<std::int64_t, Part> by_site_;
    std::vector<std::int64_t> nodes_;
    std::int64_t count_ = 0;
};

/// Open nodes say psi_t of what they would. @param low,high fp32 [open nodes].
class BinaryHook : public CircuitHook {
public:
    BinaryHook(const CircuitMask& mask, const OpenNodes& open, at::Tensor low, at::Tensor high, double t)
        : CircuitHook(mask), open_(open), low_(std::move(low)), high_(std::move(high)), t_(t) {}

    at::Tensor at_site(const Site& site, at::Tensor x) override {
        const auto& [first, channels] = open_.at(site);
        const auto n = channels.numel();
        if (n == 0) {
            return x;
        }
        const auto stepped =
            soft_step(x.index_select(-1, channels), low_.narrow(0, first, n), high_.narrow(0, first, n), t_);
        return x.index_copy(-1, channels, stepped);
    }

private:
    const OpenNodes& open_;
    at::Tensor low_;
    at::Tensor high_;
    double t_;
};

/// @param differences [sequences] on the host, of pairs.
double loss_of(const at::Tensor& differences, const Calibration& calibration) {
    std::vector<ScoredSequence> sequences;
    const auto* values = differences.const_data_ptr<float>();
    for (std::int64_t i = 0; i < differences.numel(); ++i) {
        sequences.push_back({values[i], i % 2 == 0 ? 1.0 : -1.0});
    }
    return mean_loss(sequences, calibration);
}

/// For every open node the threshold, of three, that costs least alone, and the means on its two sides.
/// @return fp32 [2, open nodes] on the host, low and high.
at::Tensor first_levels(const Examples& examples, const CircuitMask& mask, const OpenNodes& open,
                        const Calibration& calibration) {
    const auto recorded = record_nodes(examples, mask, open.nodes());  // [n, S, T]
    // Beyond the end of a sequence there is nothing to learn from.
    const auto inside =
        at::arange(recorded.size(2), at::kLong).unsqueeze(0) <= examples.positions.to(at::kCPU).unsqueeze(1);  // [S, T]
    std::vector<NodeEdit> edits;
    for (std::int64_t i = 0; i < open.count(); ++i) {
        const auto values = recorded.select(0, i).masked_select(inside);
        const auto least = values.min().item<double>();
        const auto span = values.max().item<double>() - least;
        for (const auto part : kThresholds) {
            const auto threshold = least + part * span;
            const auto below = values < threshold;
            const auto mean_where = [&](const at::Tensor& side) {
                return side.any().item<bool>() ? values.masked_select(side).mean().item<float>()
                                               : static_cast<float>(least);
            };
            edits.push_back({open.nodes()[static_cast<std::size_t>(i)], static_cast<float>(threshold),
                             mean_where(below), mean_where(below.logical_not())});
        }
    }
    const auto differences = run_edits(examples, mask, edits);
    auto levels = at::zeros({2, open.count()}, at::kFloat);
    for (std::int64_t i = 0; i < open.count(); ++i) {
        auto best = std::numeric_limits<double>::infinity();
        for (std::int64_t j = 0; j < static_cast<std::int64_t>(kThresholds.size()); ++j) {
            const auto at = i * static_cast<std::int64_t>(kThresholds.size()) + j;
            const auto loss = loss_of(differences.select(0, at), calibration);
            if (loss < best) {
                best = loss;
                levels.select(1, i).select(0, 0).fill_(edits[static_cast<std::size_t>(at)].low);
                levels.select(1, i).select(0, 1).fill_(edits[static_cast<std::size_t>(at)].high);
            }
        }
    }
    return levels;
}

/// The first `pairs` of the examples from pair `first` on, beginning again after the last.
Examples pairs_from(const Examples& examples, std::int64_t first, std::int64_t pairs) {
    const auto wanted = 2 * std::min(pairs, examples.pairs());
    const auto rows = at::arange(2 * first, 2 * first + wanted, examples.positions.options());
    return examples.select(rows.remainder(examples.sequences()));
}

}  // namespace

BinarisationConfig parse_binarisation_config(std::string_view json) {
    constexpr double kHuge = 1e12;
    auto reader = ConfigReader::parse(json, "binarisation");
    BinarisationConfig c;
    c.steps = reader.integer("steps", 0);
    c.batch_pairs = reader.integer("batch_pairs", 1);
    c.init_pairs = reader.integer("init_pairs", 1);
    c.lr = reader.number("lr", 0.0, kHuge);
    reader.finish();
    return c;
}

at::Tensor soft_step(const at::Tensor& x, const at::Tensor& low, const at::Tensor& high, double t) {
    const auto middle = (low + high) / 2;
    const auto width = high - low;  // with its sign: the step may go either way
    if (t <= 0.0) {
        return at::where((x - middle) * width < 0, low, high);
    }
    constexpr double kLeastWidth = 1e-12;  // a node whose levels are equal says that level
    const auto divisor = at::where(width.abs() < kLeastWidth, at::full_like(width, kLeastWidth), width) * t;
    const auto at_high = 1.0 / (1.0 + std::exp(-0.5 / t));
    const auto step = (at::sigmoid((x - middle) / divisor) - (1.0 - at_high)) / (2.0 * at_high - 1.0);
    return (low + width * step) * (1.0 - t) + x * t;
}

BinaryLevels binarise(const Examples& examples, const CircuitMask& mask, const Calibration& calibration,
                      const BinarisationConfig& config) {
    auto& model = *examples.model;
    const OpenNodes open(model, mask.gates);
    FG_EXPECTS(open.count() > 0, FG_INVALID_ARGUMENT, "a circuit without nodes has nothing to binarise");
    const auto start =
        first_levels(pairs_from(examples, 0, config.init_pairs), mask, open, calibration).to(model.device());
    const auto unit = (start.select(0, 1) - start.select(0, 0)).abs();  // [n]
    auto moved = at::zeros_like(start);                                 // [2, n], in these units
    auto moment1 = at::zeros_like(start);
    auto moment2 = at::zeros_like(start);
    for (std::int64_t step = 0; step < config.steps; ++step) {
        model.check_cancelled();
        const auto progress = static_cast<double>(step) / static_cast<double>(config.steps);
        const auto batch = pairs_from(examples, step * config.batch_pairs % examples.pairs(), config.batch_pairs);
        auto leaf = moved.detach();
        leaf.set_requires_grad(true);
        const auto levels = start + leaf * unit;
        BinaryHook hook(mask, open, levels.select(0, 0), levels.select(0, 1), std::pow(1.0 - progress, kSharpening));
        const auto differences = logit_differences(batch, answer_logits(batch, &hook));
        const auto z = differences * calibration.scale + calibration.shift;
        const auto loss = at::softplus(-answer_signs(batch) * z).mean();
        FG_EXPECTS(std::isfinite(loss.item<double>()), FG_DIVERGED, "the loss of binarisation is not finite at step ",
                   step);
        loss.backward();
        const at::NoGradGuard no_grad;
        ops::adam_step(moved, moment1, moment2, leaf.grad(), kAdam, config.lr * (1.0 - progress), step + 1);
    }
    const at::NoGradGuard no_grad;
    const auto levels = start + moved * unit;
    BinaryLevels result = {at::zeros_like(mask.gates), at::zeros_like(mask.gates)};
    for (const auto& site : model.nodes().sites()) {
        const auto& [first, channels] = open.at(site);
        const auto n = channels.numel();
        result.low.index_copy_(0, channels + site.offset, levels.select(0, 0).narrow(0, first, n));
        result.high.index_copy_(0, channels + site.offset, levels.select(0, 1).narrow(0, first, n));
    }
    return result;
}

TaskOutputs run_binarised(const Examples& examples, const CircuitMask& mask, const BinaryLevels& levels) {
    const OpenNodes open(*examples.model, mask.gates);
    const auto kept = mask.gates.nonzero().squeeze(1);
    BinaryHook hook(mask, open, levels.low.index_select(0, kept), levels.high.index_select(0, kept), 0.0);
    return run_task(examples, &hook);
}

}  // namespace filigree
