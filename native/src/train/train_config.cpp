// SPDX-License-Identifier: Apache-2.0
#include "train/train_config.hpp"

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

}  // namespace

double TrainConfig::lr_at(std::int64_t step) const {
    const auto rate = learning_rate(lr, warmup, step, steps);
    return sharkfin ? rate * filigree::sharkfin(fractions.matrix, density_at(step)) : rate;
}

TrainConfig parse_train_config(std::string_view json) {
    auto reader = ConfigReader::parse(json, "train");
    TrainConfig c;
    c.steps = reader.integer("steps", 1);
    c.batch_size = reader.integer("batch_size", 1, 1 << 20);
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
    sparsity.finish();
    reader.finish();
    c.json = std::string(json);
    return c;
}

}  // namespace filigree
