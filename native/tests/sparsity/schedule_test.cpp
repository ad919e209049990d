// SPDX-License-Identifier: Apache-2.0
#include "sparsity/schedule.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace filigree {
namespace {

constexpr std::int64_t kSteps = 1000;

TEST(LinearAnneal, MatchesHandComputedValues) {
    const Anneal anneal{AnnealShape::kLinear, 0.01, 0.5, 1.0};
    EXPECT_EQ(matrix_density(anneal, 1.0 / 16, 0, kSteps), 1.0);
    EXPECT_EQ(matrix_density(anneal, 1.0 / 16, 10, kSteps), 1.0);                          // u = 0
    EXPECT_NEAR(matrix_density(anneal, 1.0 / 16, 255, kSteps), 0.53125, 1e-12);            // u = 1/2: (1 + 1/16) / 2
    EXPECT_NEAR(matrix_density(anneal, 1.0 / 16, 59, kSteps), 1.0 - 0.9375 * 0.1, 1e-12);  // u = 49/490
    EXPECT_EQ(matrix_density(anneal, 1.0 / 16, 500, kSteps), 1.0 / 16);
    EXPECT_EQ(matrix_density(anneal, 1.0 / 16, 999, kSteps), 1.0 / 16);
}

TEST(LinearAnneal, WithAnExponentFallsFasterAtFirst) {
    const Anneal anneal{AnnealShape::kLinear, 0.0, 0.5, 2.0};
    EXPECT_NEAR(matrix_density(anneal, 0.2, 250, kSteps), 1.0 - 0.8 * 0.75, 1e-12);  // 1 - (1 - 1/2)^2 = 3/4
}

TEST(PowerLawAnneal, IsLinearInLogarithms) {
    const Anneal anneal{AnnealShape::kPowerLaw, 0.01, 0.16, 1.0};
    EXPECT_EQ(matrix_density(anneal, 1.0 / 16, 10, kSteps), 1.0);
    // From step 10 to 160 the step grows 16-fold while the density falls 16-fold: density = 10 / step.
    EXPECT_NEAR(matrix_density(anneal, 1.0 / 16, 20, kSteps), 1.0 / 2, 1e-12);
    EXPECT_NEAR(matrix_density(anneal, 1.0 / 16, 40, kSteps), 1.0 / 4, 1e-12);
    EXPECT_EQ(matrix_density(anneal, 1.0 / 16, 160, kSteps), 1.0 / 16);
}

TEST(FamilyDensity, StartsAndArrivesWithTheMatrices) {
    Fractions fractions;
    fractions.matrix = 1.0 / 16;
    fractions.embedding = 1.0 / 4;
    fractions.bias = 1.0 / 4;
    EXPECT_EQ(family_density(fractions, Family::kEmbedding, 1.0), 1.0);
    EXPECT_EQ(family_density(fractions, Family::kEmbedding, 1.0 / 16), 1.0 / 4);
    EXPECT_NEAR(family_density(fractions, Family::kBias, 0.53125), 0.625, 1e-12);  // half way: (1 + 1/4) / 2
    EXPECT_EQ(family_density(fractions, Family::kNorm, 1.0 / 16), 1.0);
    EXPECT_EQ(family_density(fractions, Family::kBigram, 1.0 / 16), 1.0);
}

TEST(FamilyDensity, EqualsThePublishedFormInExpansionFactors) {
    // Method 2.2 with e = e_mlp = 4, p_final = 1/4: matrices p / e^2, the others p' / e.
    const double e = 4.0;
    const double p_final = 0.25;
    Fractions fractions;
    fractions.matrix = p_final / (e * e);
    fractions.embedding = p_final / e;
    for (const double p : {16.0, 9.0, 3.0, 0.25}) {
        const auto published = p_final + (e - p_final) * (p - p_final) / (e * e - p_final);
        EXPECT_NEAR(family_density(fractions, Family::kEmbedding, p / (e * e)), published / e, 1e-12);
    }
}

TEST(KeptEntries, TruncatesAsThePublishedCodeDoes) {
    EXPECT_EQ(kept_entries(0.25, 391), 97);
    EXPECT_EQ(kept_entries(1.0, 391), 391);
    EXPECT_EQ(kept_entries(1.5, 391), 391);
}

TEST(LearningRate, WarmsUpAndFallsLinearly) {
    EXPECT_EQ(learning_rate(2.0, 0.01, 0, kSteps), 0.0);
    EXPECT_NEAR(learning_rate(2.0, 0.01, 5, kSteps), 1.0, 1e-12);
    EXPECT_NEAR(learning_rate(2.0, 0.01, 10, kSteps), 2.0, 1e-12);
    EXPECT_NEAR(learning_rate(2.0, 0.01, 505, kSteps), 1.0, 1e-12);
    EXPECT_NEAR(learning_rate(2.0, 0.0, 0, kSteps), 2.0, 1e-12);
}

TEST(Sharkfin, ReproducesFigure11OfThePaper) {
    // p_final / p_0 = (1/4) / 16: flat at about 0.127, a peak of 0.505 at half of the run, then linear to 0.
    const Anneal anneal{AnnealShape::kLinear, 0.01, 0.5, 1.0};
    const double final_density = 0.25 / 16.0;
    const auto rate = [&](std::int64_t step) {
        return learning_rate(1.0, 0.01, step, kSteps) *
               sharkfin(final_density, matrix_density(anneal, final_density, step, kSteps));
    };
    EXPECT_NEAR(rate(10), 0.125, 1e-9);
    EXPECT_NEAR(rate(100), 0.125 * (900.0 / 990.0) / std::sqrt(1.0 - (1.0 - 1.0 / 64) * 90.0 / 490.0), 1e-9);
    EXPECT_NEAR(rate(100), 0.127, 2e-3);
    EXPECT_NEAR(rate(500), 0.5 / 0.99, 1e-9);
    EXPECT_NEAR(rate(500), 0.505, 1e-3);
    EXPECT_NEAR(rate(750), 0.25 / 0.99, 1e-9);
    for (std::int64_t step = 11; step < kSteps; ++step) EXPECT_LE(rate(step), rate(500)) << step;
}

}  // namespace
}  // namespace filigree
