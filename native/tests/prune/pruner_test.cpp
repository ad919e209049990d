// SPDX-License-Identifier: Apache-2.0
#include "prune/pruner.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/softplus.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "ops/gate.hpp"
#include "support/expect_error.hpp"
#include "support/small_models.hpp"
#include "train/evaluation.hpp"

namespace filigree {
namespace {

constexpr double kTemperature = 0.7;

class Pruning : public testing::Test {
protected:
    static nlohmann::json dense_model() {
        auto config = small_model_json();
        config["afrac"] = nullptr;  // finite differences across a top-k choice would measure its jump
        return config;
    }
    /// Fresh weights are too small for nodes to matter.
    static std::shared_ptr<Model> loud_model() {
        auto model = make_model(dense_model());
        const at::NoGradGuard no_grad;
        model->values().narrow(0, 0, model->table().decayed_size()).mul_(8.0);
        return model;
    }
    explicit Pruning(std::shared_ptr<Model> model = loud_model())
        : model_(std::move(model)), examples_(cue_examples(model_, 6)) {
        const auto tokens = learnable_tokens(500, 61);
        means_ = node_means(*model_, {tokens.data(), tokens.size(), 8, 0});
    }
    Pruner pruner(nlohmann::json config = small_prune_json()) const {
        return {examples_, prune_config(config), means_};
    }
    /// Task loss under real-valued gates, in fp32 throughout.
    double loss_under(const at::Tensor& gates) const {
        const at::NoGradGuard no_grad;
        GateHook hook(gates, means_);
        const auto difference = logit_differences(examples_, answer_logits(examples_, &hook)).to(at::kDouble);
        return at::softplus(-answer_signs(examples_).to(at::kDouble) * difference).mean().item<double>();
    }

    std::shared_ptr<Model> model_;
    Examples examples_;
    at::Tensor means_;
};

/// The same on a model that knows the answers, so that a circuit can do better than chance.
class TaughtModel : public Pruning {
protected:
    TaughtModel()
        : Pruning([] {
              auto model = make_model(small_model_json());
              teach_cue(model);
              return model;
          }()) {}
};

TEST_F(Pruning, MaskGradientIsTheGateDerivativeTimesTheSurrogateSlope) {
    auto config = small_prune_json();
    config["temperature"] = kTemperature;
    config["k_coef"] = 0.0;
    auto run = pruner(config);
    // A mixture of open and closed gates at various distances from the threshold.
    auto tau = at::zeros({model_->nodes().size()});
    RandomStream random(1, Purpose::kInitialMask, 1);
    for (std::int64_t i = 0; i < tau.numel(); ++i) {
        tau.mutable_data_ptr<float>()[i] = static_cast<float>(random.uniform() - 0.3);
    }
    run.set_scores(tau);
    static_cast<void>(run.compute_gradient(examples_));

    const auto gates = tau.ge(0).to(at::kFloat);
    constexpr double kStep = 0.02;
    std::int64_t checked = 0;
    for (std::int64_t node = 0; node < tau.numel(); node += 7) {
        auto up = gates.clone();
        auto down = gates.clone();
        up.select(0, node).add_(kStep);
        down.select(0, node).sub_(kStep);
        const auto derivative = (loss_under(up) - loss_under(down)) / (2 * kStep);
        const auto s = 1.0 / (1.0 + std::exp(-tau.data_ptr<float>()[node] / kTemperature));
        const auto expected = derivative * s * (1.0 - s) / kTemperature;
        // Central differences in fp32: rounding about 1e-7 / step, truncation about step^2.
        EXPECT_NEAR(run.gradient().data_ptr<float>()[node], expected, 2e-5 + 0.01 * std::abs(expected)) << node;
        checked += std::abs(expected) > 1e-4 ? 1 : 0;
    }
    EXPECT_GT(checked, 5) << "too few nodes mattered for this test to mean anything";
}

TEST_F(Pruning, EveryOpenNodeHasTheSamePrice) {
    auto free = small_prune_json();
    free["k_coef"] = 0.0;
    auto priced = small_prune_json();
    priced["k_coef"] = 0.5;
    priced["temperature"] = free["temperature"] = kTemperature;
    auto without = pruner(free);
    auto with = pruner(priced);
    static_cast<void>(without.compute_gradient(examples_));
    static_cast<void>(with.compute_gradient(examples_));
    const auto soft = (with.scores() / kTemperature).sigmoid();
    const auto expected = 0.5 * soft * (1 - soft) / kTemperature;
    EXPECT_LT((with.gradient() - without.gradient() - expected).abs().max().item<double>(), 1e-6);
}

TEST_F(Pruning, StartsOpenAndClosesNodesThatOnlyCost) {
    auto config = small_prune_json();
    config["steps"] = 60;
    config["lr"] = 0.05;
    config["k_coef"] = 1.0;
    auto run = pruner(config);
    EXPECT_TRUE(run.scores().ge(0).all().item<bool>());
    while (!run.finished()) static_cast<void>(run.step());
    EXPECT_LT(run.scores().ge(0).sum().item<std::int64_t>(), model_->nodes().size() / 10);
    EXPECT_LE(run.scores().abs().max().item<double>(), 1.0);
}

TEST_F(Pruning, LeavesTheModelAloneAndRepeatsItself) {
    const auto before = model_->values().clone();
    auto first = pruner();
    auto second = pruner();
    while (!first.finished()) {
        static_cast<void>(first.step());
        static_cast<void>(second.step());
    }
    EXPECT_TRUE(at::equal(first.scores(), second.scores()));
    EXPECT_TRUE(at::equal(model_->values(), before));
}

TEST_F(Pruning, SitesWhereNothingIsClosedGiveTheSameBitsWithoutGates) {
    const at::NoGradGuard no_grad;
    const auto n = model_->nodes().size();
    for (const auto& site : model_->nodes().sites()) {
        auto gates = at::ones({3, n});
        std::vector<bool> closed(static_cast<std::size_t>(n));
        for (std::int64_t r = 0; r < 3; ++r) {
            const auto node = site.offset + r % site.width;
            gates.select(0, r).select(0, node).zero_();
            closed[static_cast<std::size_t>(node)] = true;
        }
        GateHook everywhere(gates, means_);
        GateHook there(gates, means_);
        there.only_where(closed);
        const auto expected = answer_differences(model_->context(), examples_, 3, &everywhere);
        EXPECT_TRUE(at::equal(answer_differences(model_->context(), examples_, 3, &there), expected)) << site.offset;
        EXPECT_FALSE(at::equal(expected.select(0, 0), expected.select(0, 1))) << "the variants do not differ";
    }
}

TEST_F(TaughtModel, DiscretisesToTheFewestNodesThatReachTheTarget) {
    auto run = pruner();
    // Order the nodes: node 0 has the highest score, and half of them are open.
    const auto n = model_->nodes().size();
    auto tau = at::zeros({n});
    for (std::int64_t i = 0; i < n; ++i) {
        tau.mutable_data_ptr<float>()[i] = static_cast<float>(0.5 - static_cast<double>(i) / static_cast<double>(n));
    }
    run.set_scores(tau);
    const auto score_of = [&](std::int64_t k) {
        auto keep = at::zeros({n});
        keep.narrow(0, 0, k).fill_(1.0);
        GateHook hook(keep, means_);
        const auto outputs = run_task(examples_, &hook);
        return score_task(outputs, fit_calibration(outputs.sequences)).loss;
    };
    const auto none = score_of(0);
    const auto all = score_of(n);
    ASSERT_GT(none, all + 0.3);
    for (const double part : {0.2, 0.6, 0.95}) {
        const auto target = none + part * (all - none);
        const auto result = run.discretize(examples_, target);
        EXPECT_EQ(result.keep.sum().item<std::int64_t>(), result.nodes);
        EXPECT_TRUE(result.keep.narrow(0, 0, result.nodes).eq(1).all().item<bool>());
        EXPECT_NEAR(result.score.loss, score_of(result.nodes), 1e-5);  // the search computes the last position alone
        EXPECT_LE(result.score.loss, target);
        EXPECT_GT(score_of(result.nodes - 1), target);
    }
}

TEST_F(Pruning, KeepsTheOpenNodesWhenNothingReachesTheTarget) {
    auto run = pruner();
    auto tau = at::ones({model_->nodes().size()}) * -0.5;
    tau.narrow(0, 10, 7).fill_(0.5);
    run.set_scores(tau);
    const auto result = run.discretize(examples_, 1e-12);
    EXPECT_EQ(result.nodes, 7);
    EXPECT_GT(result.score.loss, 1e-12);
}

TEST_F(Pruning, BreaksEqualScoresByIndex) {
    auto run = pruner();
    run.set_scores(at::ones({model_->nodes().size()}));
    const auto result = run.discretize(examples_, 0.69);
    EXPECT_TRUE(result.keep.narrow(0, 0, result.nodes).eq(1).all().item<bool>());
}

TEST_F(Pruning, ExamplesAreChecked) {
    const std::vector<std::uint16_t> tokens = {1, 2, 3, 1, 2, 4};
    const auto make = [&](std::vector<std::int32_t> positions, std::vector<std::uint16_t> answers) {
        static_cast<void>(make_examples(model_, tokens.data(), 1, 3, positions.data(), answers.data()));
    };
    EXPECT_FG_ERROR(make({2, 3}, {5, 6}), FG_INVALID_ARGUMENT, "example 0b is evaluated at position 3 of 3");
    EXPECT_FG_ERROR(make({2, 2}, {5, 61}), FG_INVALID_ARGUMENT, "answer of example 0b");
    EXPECT_FG_ERROR(make({2, 2}, {5, 5}), FG_INVALID_ARGUMENT, "same answer");
}

TEST_F(Pruning, ScoresBothMembersOfEveryPair) {
    const auto outputs = run_task(examples_, nullptr);
    ASSERT_EQ(outputs.sequences.size(), 12U);
    for (std::size_t i = 0; i < outputs.sequences.size(); ++i) {
        EXPECT_EQ(outputs.sequences[i].sign, i % 2 == 0 ? 1.0 : -1.0);
    }
    const auto score = score_task(outputs, Calibration{});
    EXPECT_EQ(score.loss, score.raw_loss);
    EXPECT_NEAR(score.loss, loss_under(at::ones({model_->nodes().size()})), 1e-6);
    EXPECT_GT(score.full_loss, score.raw_loss) << "the whole vocabulary has more ways to be wrong";
}

TEST(PositionsAtOnce, KeepAnArrayOfActivationsOfADeviceBelow2GiB) {
    const at::Device device("cuda:0");  // nothing is asked of it
    for (const std::int64_t widest : {64, 1024, 8192, 16384}) {
        const auto positions = positions_at_once(device, widest);
        EXPECT_LE(positions * widest * 4, std::int64_t{1} << 31) << widest;
        EXPECT_GE(positions, 1 << 14) << widest;
    }
    EXPECT_EQ(positions_at_once(device, 64), 1 << 20);
}

TEST_F(Pruning, RunsExamplesOfAllLengthsInTheirOrder) {
    constexpr std::int64_t kPairs = 700;
    const auto T = model_->config().block_size;
    std::mt19937_64 random(7);
    std::vector<std::uint16_t> tokens;
    std::vector<std::int32_t> positions;
    std::vector<std::uint16_t> answers;
    for (std::int64_t row = 0; row < 2 * kPairs; ++row) {
        for (std::int64_t t = 0; t < T; ++t) {
            tokens.push_back(
                static_cast<std::uint16_t>(random() % static_cast<std::uint64_t>(model_->config().vocab_size)));
        }
        positions.push_back(static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(T)));
        answers.push_back(static_cast<std::uint16_t>(row % 2 == 0 ? 5 : 6));
    }
    const auto examples = make_examples(model_, tokens.data(), kPairs, T, positions.data(), answers.data());
    ASSERT_GT(batches_by_length(examples).size(), 1U) << "too few examples for several batches";
    const auto all = run_task(examples, nullptr);
    const auto without_logits = run_sequences(examples, nullptr);
    ASSERT_EQ(all.sequences.size(), static_cast<std::size_t>(2 * kPairs));
    double full_loss = 0.0;
    for (std::int64_t pair = 0; pair < kPairs; ++pair) {
        const auto alone = run_task(examples.select(at::arange(2 * pair, 2 * pair + 2)), nullptr);
        full_loss += alone.full_loss / static_cast<double>(kPairs);
        for (std::int64_t member = 0; member < 2; ++member) {
            const auto row = static_cast<std::size_t>(2 * pair + member);
            const auto& expected = alone.sequences[static_cast<std::size_t>(member)];
            EXPECT_NEAR(all.sequences[row].difference, expected.difference, 1e-4) << row;
            EXPECT_NEAR(without_logits[row].difference, expected.difference, 1e-4) << row;
            EXPECT_EQ(all.sequences[row].sign, expected.sign);
        }
    }
    EXPECT_NEAR(all.full_loss, full_loss, 1e-5);
}

// A run this short finds a small circuit in five models of eight, whichever plan computes it; rounding alone moves a
// model from one side to the other. So it is the best of four that has to be small.
TEST(TaughtModels, ArePrunedToASmallCircuitThatStillAnswers) {
    auto config = small_prune_json();
    config["steps"] = 120;
    config["lr"] = 0.03;
    config["k_coef"] = 0.003;
    const auto tokens = learnable_tokens(500, 61);
    std::int64_t nodes = 0;
    std::int64_t fewest = std::numeric_limits<std::int64_t>::max();
    for (const std::uint64_t seed : {1, 2, 3, 4}) {
        const auto model = make_model(small_model_json(), /*positions=*/false, seed);
        teach_cue(model);
        const auto validation = cue_examples(model, 32, 77);
        const auto whole = run_task(validation, nullptr);
        ASSERT_LT(score_task(whole, fit_calibration(whole.sequences)).loss, 0.05)
            << "model " << seed << " has not learnt the task";
        Pruner run(cue_examples(model, 64), prune_config(config),
                   node_means(*model, {tokens.data(), tokens.size(), 8, 0}));
        while (!run.finished()) static_cast<void>(run.step());
        const auto result = run.discretize(validation, 0.15);
        EXPECT_LE(result.score.loss, 0.15);
        nodes = model->nodes().size();
        fewest = std::min(fewest, result.nodes);
    }
    EXPECT_LT(fewest, nodes / 8);
}

TEST(NodeMeans, AreTakenAfterAbsTopK) {
    const at::NoGradGuard no_grad;
    const auto model = make_model();
    const auto tokens = learnable_tokens(17 * 5, 61);
    const auto means = node_means(*model, {tokens.data(), tokens.size(), 2, 0});

    class Sums : public ForwardHook {
    public:
        at::Tensor at_site(const Site& site, at::Tensor x) override {
            if (site.name == "1.mlp.post_act") sum = x.sum(1).sum(0);
            return x;
        }
        at::Tensor sum;
    } sums;
    static_cast<void>(forward(model->context(), model->upload_tokens(tokens.data(), 5, 17), &sums));
    const auto& site = model->nodes().site(1, SiteKind::kMlpNeuron);
    EXPECT_LT((means.narrow(0, site.offset, site.width) - sums.sum / 85.0).abs().max().item<double>(), 1e-7);
}

TEST(HeavisideGate, IsHardForwardAndSmoothBackward) {
    auto tau = at::zeros({3});
    tau.mutable_data_ptr<float>()[0] = -0.4F;
    tau.mutable_data_ptr<float>()[2] = 0.9F;
    tau.set_requires_grad(true);
    const auto gate = ops::heaviside_gate(tau, 0.5);
    EXPECT_EQ(gate.data_ptr<float>()[0], 0.0F);
    EXPECT_EQ(gate.data_ptr<float>()[1], 1.0F) << "a gate at 0 is open";
    EXPECT_EQ(gate.data_ptr<float>()[2], 1.0F);
    gate.sum().backward();
    const auto slope = [](double t) {
        const auto s = 1.0 / (1.0 + std::exp(-t / 0.5));
        return s * (1.0 - s) / 0.5;
    };
    EXPECT_NEAR(tau.grad().data_ptr<float>()[0], slope(-0.4), 1e-6);
    EXPECT_NEAR(tau.grad().data_ptr<float>()[1], 0.5, 1e-6);
    EXPECT_NEAR(tau.grad().data_ptr<float>()[2], slope(0.9), 1e-6);
}

}  // namespace
}  // namespace filigree
