// SPDX-License-Identifier: Apache-2.0
#include "circuit/binarisation.hpp"

#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/zeros_like.h>

#include "circuit/circuit_fixture.hpp"
#include "support/expect_error.hpp"

namespace filigree {
namespace {

at::Tensor row(std::vector<double> values) {
    auto tensor = at::empty({static_cast<std::int64_t>(values.size())}, at::kFloat);
    for (std::size_t i = 0; i < values.size(); ++i) tensor.select(0, static_cast<std::int64_t>(i)).fill_(values[i]);
    return tensor;
}

TEST(SoftStep, GoesThroughItsLevelsAtEverySharpness) {
    const auto low = row({-1.0, 2.0});  // the second step goes down
    const auto high = row({3.0, -2.0});
    for (const double t : {1.0, 0.5, 0.1, 1e-3, 0.0}) {
        EXPECT_TRUE(at::allclose(soft_step(low, low, high, t), low, 1e-5, 1e-5)) << t;
        EXPECT_TRUE(at::allclose(soft_step(high, low, high, t), high, 1e-5, 1e-5)) << t;
    }
}

TEST(SoftStep, IsTheIdentityAtOneAndAStepAtZero) {
    const auto x = at::linspace(-4, 4, 33).unsqueeze(1);  // [33, 1]
    const auto low = row({-1.0});
    const auto high = row({3.0});
    EXPECT_TRUE(at::allclose(soft_step(x, low, high, 1.0), x));
    const auto sharp = soft_step(x, low, high, 0.0);
    EXPECT_TRUE(at::equal(sharp, at::where(x < 1.0, low, high).reshape({33, 1})));
    const auto nearly = soft_step(x, low, high, 1e-4);
    const auto beside = x.ne(1.0);  // at the step itself it is the middle
    EXPECT_TRUE(at::allclose(nearly.masked_select(beside), sharp.masked_select(beside), 0, 1e-3));
}

TEST(SoftStep, OfEqualLevelsIsThatLevel) {
    const auto level = row({0.25});
    const auto x = row({-1.0, 0.25, 1.0}).unsqueeze(1);
    for (const double t : {0.3, 0.0}) {
        const auto y = soft_step(x, level, level, t);
        EXPECT_TRUE(at::allclose(y, 0.25 * (1 - t) + x * t)) << t;
    }
}

using Binarisation = CircuitFixture;

TEST_F(Binarisation, NodesOfTheCircuitSayTheirLevelsAndNothingElse) {
    const auto levels = binarise(examples_, mask_, {}, {0, 4, 4, 0.0});
    EXPECT_TRUE(levels.low.masked_select(mask_.gates.eq(0)).eq(0).all().item<bool>());
    EXPECT_TRUE(levels.low.le(levels.high).all().item<bool>()) << "means below and above a threshold";

    // Levels that are the mean are an ablation.
    const BinaryLevels means = {mask_.means * mask_.gates, mask_.means * mask_.gates};
    const auto binarised = run_binarised(examples_, mask_, means).sequences;
    const auto none = run({at::zeros_like(mask_.gates), mask_.means});
    for (std::size_t i = 0; i < none.size(); ++i) EXPECT_NEAR(binarised[i].difference, none[i].difference, 1e-6);
}

TEST_F(Binarisation, LearningTheLevelsHelps) {
    const Calibration calibration;
    const auto loss = [&](const BinaryLevels& levels) {
        return score_task(run_binarised(examples_, mask_, levels), calibration).loss;
    };
    const auto start = loss(binarise(examples_, mask_, calibration, {0, 6, 6, 0.0}));
    const auto learnt = loss(binarise(examples_, mask_, calibration, {150, 6, 6, 0.03}));
    EXPECT_LT(learnt, start);
    const auto again = loss(binarise(examples_, mask_, calibration, {150, 6, 6, 0.03}));
    EXPECT_EQ(learnt, again);
}

TEST_F(Binarisation, NeedsANode) {
    const CircuitMask none = {at::zeros_like(mask_.gates), mask_.means};
    EXPECT_FG_ERROR(static_cast<void>(binarise(examples_, none, {}, {1, 1, 1, 0.1})), FG_INVALID_ARGUMENT,
                    "without nodes");
}

TEST(BinarisationConfig, IsStrict) {
    const auto config = parse_binarisation_config(R"({"steps":5,"batch_pairs":2,"init_pairs":3,"lr":0.1})");
    EXPECT_EQ(config.steps, 5);
    EXPECT_EQ(config.lr, 0.1);
    EXPECT_FG_ERROR(static_cast<void>(parse_binarisation_config(R"({"steps":5})")), FG_INVALID_CONFIG, "batch_pairs");
}

}  // namespace
}  // namespace filigree
