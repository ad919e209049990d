// SPDX-License-Identifier: Apache-2.0
#include "train/train_config.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/config_reader.hpp"
#include "core/error.hpp"

namespace filigree {
namespace {

constexpr double kTiny = std::numeric_limits<double>::min();
constexpr double kHuge = 1e12;

Fractions parse_fractions(ConfigReader reader) {
    Fractions f;
    f.matrix = reader.number("matrix", kTiny, 1.0);
    f.embedding = reader.number("embedding", kTiny, 1.0);
    f.unembedding = reader.number("unembedding", kTiny, 1.0);
    f.bias = reader.number("bias", 0.0, 1.0);
    f.position = reader.number("position", kTiny, 1.0);
    reader.finish();
    return f;
}

Anneal parse_anneal(ConfigReader reader) {
    Anneal a;
    a.shape = reader.choice("shape", {"linear", "power_law"}) == 0 ? AnnealShape::kLinear : AnnealShape::kPowerLaw;
    a.start = reader.number("start", 0.0, 1.0);
    a.end = reader.number("end", 0.0, 1.0);
    a.exponent = reader.number("exponent", kTiny, kHuge);
    reader.finish();
    if (a.end < a.start) {
        reader.fail("end", "must not be before start");
    }
    if (a.shape == AnnealShape::kPowerLaw && a.start <= 0.0 && a.end > 0.0) {
        reader.fail("start", "must be above 0 for a power law");
    }
    return a;
}

Revival parse_revival(ConfigReader reader) {
    Revival r;
    r.every = reader.integer("every", 0);
    r.until = reader.number("until", 0.0, 1.0);
    r.weights = reader.integer("weights", 1, 1 << 20);
    r.share = reader.number("share", 0.0, 1.0);
    reader.finish();
    return r;
}

Levels parse_levels(ConfigReader reader) {
    Levels l;
    l.count = reader.integer("count", 1, 16);
    l.ratio = reader.number("ratio", 1.0, kHuge);
    l.settle = reader.number("settle", 0.0, 1.0);
    reader.finish();
    if (l.count > 1 && (l.ratio <= 1.0 || l.settle <= 0.0)) {
        reader.fail(l.ratio <= 1.0 ? "ratio" : "settle", "must be larger for several levels");
    }
    return l;
}

Distillation parse_distillation(ConfigReader reader) {
    Distillation d;
    d.weight = reader.number("weight", 0.0, 1.0);
    d.temperature = reader.number("temperature", kTiny, kHuge);
    reader.finish();
    return d;
}

}  // namespace

Fractions TrainConfig::fractions_of(std::int64_t level) const {
    const auto factor = std::pow(levels.ratio, static_cast<double>(level));
    const auto scaled = [&](double fraction) { return std::min(1.0, fraction * factor); };
    return {scaled(fractions.matrix), scaled(fractions.embedding), scaled(fractions.unembedding),
            scaled(fractions.bias), scaled(fractions.position)};
}

std::int64_t TrainConfig::levels_at(std::int64_t step) const {
    return static_cast<double>(step) < (1.0 - levels.settle) * static_cast<double>(steps) ? levels.count : 1;
}

double TrainConfig::lr_at(std::int64_t step) const {
    const auto rate = learning_rate(lr, warmup, step, steps);
    return sharkfin ? rate * filigree::sharkfin(fractions.matrix, density_at(step)) : rate;
}

TrainConfig parse_train_config(std::string_view json) {
    auto reader = ConfigReader::parse(json, "train");
    TrainConfig c;
    c.steps = reader.integer("steps", 1);
    c.batch_size = reader.integer("batch_size", 1, 1 << 20);
    c.accumulate = reader.integer("accumulate", 1, 1 << 20);
    if (c.batch_size % c.accumulate != 0) {
        reader.fail("accumulate", "must divide batch_size");
    }
    c.seq_len = reader.integer("seq_len", 2, 1 << 24);
    c.seed = static_cast<std::uint64_t>(reader.integer("seed", 0));
    c.lr = reader.number("lr", 0.0, kHuge);
    c.warmup = reader.number("warmup", 0.0, 1.0);
    c.weight_decay = reader.number("weight_decay", 0.0, kHuge);
    const auto gradient = reader.choice("gradient", {"normalize", "clip"});
    c.gradient = gradient == 0 ? GradientRule::kNormalize : GradientRule::kClip;

    auto adam = reader.object("adam");
    c.adam.beta1 = adam.number("beta1", 0.0, 1.0 - 1e-9);
    c.adam.beta2 = adam.number("beta2", 0.0, 1.0 - 1e-9);
    c.adam.eps = adam.number("eps", kTiny, kHuge);
    adam.finish();

    auto sparsity = reader.object("sparsity");
    c.fractions = parse_fractions(sparsity.object("fractions"));
    c.anneal = parse_anneal(sparsity.object("anneal"));
    c.minimum_alive = sparsity.integer("minimum_alive", 0, 1 << 20);
    c.sharkfin = sparsity.boolean("sharkfin");
    c.revival = parse_revival(sparsity.object("revive"));
    c.levels = parse_levels(sparsity.object("levels"));
    sparsity.finish();
    c.distillation = parse_distillation(reader.object("distill"));
    reader.finish();
    c.json = std::string(json);
    return c;
}

}  // namespace filigree
