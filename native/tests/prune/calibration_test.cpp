// SPDX-License-Identifier: Apache-2.0
#include "prune/calibration.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace filigree {
namespace {

/// Logit differences of pairs, `signal` in the right direction plus noise of the given size.
std::vector<ScoredSequence> random_pairs(std::mt19937& random, double signal, double noise) {
    std::normal_distribution<double> normal;
    std::vector<ScoredSequence> sequences;
    const auto offset = normal(random);
    for (int pair = 0; pair < 5; ++pair) {
        for (const double sign : {1.0, -1.0})
            sequences.push_back({offset + sign * signal + noise * normal(random), sign});
    }
    return sequences;
}

TEST(TwoWayLoss, MatchesHandComputedValues) {
    EXPECT_NEAR(two_way_loss({0.0, 1.0}, {}), std::log(2.0), 1e-15);
    EXPECT_NEAR(two_way_loss({2.0, 1.0}, {}), std::log1p(std::exp(-2.0)), 1e-15);
    EXPECT_NEAR(two_way_loss({2.0, -1.0}, {}), 2.0 + std::log1p(std::exp(-2.0)), 1e-15);
    EXPECT_NEAR(two_way_loss({2.0, -1.0}, {0.5, -3.0}), std::log1p(std::exp(-2.0)), 1e-15);
    EXPECT_EQ(two_way_loss({-1000.0, 1.0}, {}), 1000.0) << "no overflow";
}

TEST(Calibration, StaysFiniteWhereTheAnswersAreSeparable) {
    const auto c = fit_calibration({{1.0, 1.0}, {-1.0, -1.0}});
    EXPECT_GT(c.scale, 3.0);
    EXPECT_LT(c.scale, 50.0);
    EXPECT_NEAR(c.shift, 0.0, 1e-9);
}

TEST(Calibration, NoOtherScaleAndShiftAreBetter) {
    std::mt19937 random(1);
    for (int trial = 0; trial < 200; ++trial) {
        const auto sequences = random_pairs(random, 0.3, 1.0);
        const auto fit = fit_calibration(sequences);
        // The ridge may cost what it weighs at the other point: 1e-4 / 2 * squared distance from (1, 0).
        for (const double scale : {0.0, 0.5 * fit.scale, 0.9 * fit.scale, 1.1 * fit.scale, fit.scale + 0.2}) {
            for (const double shift : {fit.shift - 0.3, fit.shift - 0.1, fit.shift, fit.shift + 0.1, 0.0}) {
                const auto ridge = 0.5e-4 * ((scale - 1.0) * (scale - 1.0) + shift * shift);
                EXPECT_LE(mean_loss(sequences, fit), mean_loss(sequences, {scale, shift}) + ridge)
                    << "trial " << trial << ": fit " << fit.scale << ", " << fit.shift << " against " << scale << ", "
                    << shift;
            }
        }
    }
}

TEST(Calibration, WrongWayRoundAnswersAreIgnored) {
    std::mt19937 random(2);
    for (int trial = 0; trial < 200; ++trial) {
        const auto sequences = random_pairs(random, -3.0, 1.0);
        const auto fit = fit_calibration(sequences);
        EXPECT_EQ(fit.scale, 0.0) << "trial " << trial;
        EXPECT_NEAR(fit.shift, 0.0, 1e-6) << "trial " << trial;
        EXPECT_NEAR(mean_loss(sequences, fit), std::log(2.0), 1e-6) << "trial " << trial;
    }
}

}  // namespace
}  // namespace filigree
