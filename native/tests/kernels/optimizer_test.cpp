// SPDX-License-Identifier: Apache-2.0
// The passes over the flat weights against plain loops, on every instruction set.
#include "kernels/optimizer.hpp"

#include <bit>
#include <cmath>
#include <limits>

#include "kernels/every_isa.hpp"

namespace filigree::kernels {
namespace {

constexpr double kEps = std::numeric_limits<float>::epsilon();

std::int32_t magnitude(float x) { return std::bit_cast<std::int32_t>(std::abs(x)); }

class OptimizerKernels : public EveryIsa {};

TEST_P(OptimizerKernels, SumOfSquaresIsNearTheOneInDouble) {
    for (const std::int64_t n : {0, 1, 15, 64, 1000, 4097}) {
        const auto x = random_values(n);
        double expected = 0.0;
        for (const auto value : x) expected += static_cast<double>(value) * value;
        EXPECT_NEAR(table().sum_of_squares(x.data(), n), expected, expected * kEps * static_cast<double>(n));
    }
    const std::vector<float> huge(20, 1e30F);
    EXPECT_TRUE(std::isinf(table().sum_of_squares(huge.data(), 20)));
}

TEST_P(OptimizerKernels, AdamMatchesItsFormulaInDouble) {
    AdamPass pass;
    pass.scale = 3.0F;
    pass.beta1 = 0.9F;
    pass.one_minus_beta1 = 0.1F;
    pass.beta2 = 0.95F;
    pass.one_minus_beta2 = 0.05F;
    pass.step = 0.02F;
    pass.root = 1.7F;
    pass.eps = 0.1F;
    pass.decay = 0.99F;
    for (const std::int64_t n : {1, 16, 53}) {
        auto w = random_values(n);
        auto m = random_values(n);
        auto v = random_values(n);
        for (auto& value : v) value = std::abs(value);
        auto g = random_values(n);
        const auto old_w = w;
        const auto old_m = m;
        const auto old_v = v;
        const auto old_g = g;
        table().adam_step(pass, n, w.data(), m.data(), v.data(), g.data());
        for (std::size_t i = 0; i < w.size(); ++i) {
            const double gradient = static_cast<double>(old_g[i]) * pass.scale;
            const double first = static_cast<double>(pass.beta1) * old_m[i] + pass.one_minus_beta1 * gradient;
            const double second =
                static_cast<double>(pass.beta2) * old_v[i] + pass.one_minus_beta2 * gradient * gradient;
            const double move = pass.step * first / (std::sqrt(second) * pass.root + pass.eps);
            EXPECT_NEAR(m[i], first, 4 * kEps * (std::abs(old_m[i]) + std::abs(gradient)));
            EXPECT_NEAR(v[i], second, 4 * kEps * second);
            EXPECT_NEAR(w[i], (old_w[i] - move) * pass.decay,
                        8 * kEps * (std::abs(old_w[i]) + std::abs(old_m[i]) + 1.0));
            EXPECT_EQ(g[i], 0.0F);
        }
    }
}

TEST_P(OptimizerKernels, ScanListsTheBracketAndCountsWhatIsAbove) {
    for (const std::int64_t n : {1, 16, 250}) {
        const auto w = random_values(n);
        const auto low = magnitude(0.3F);
        const auto high = magnitude(0.9F);
        std::vector<std::int32_t> expected;
        std::int64_t above = 0;
        for (std::size_t i = 0; i < w.size(); ++i) {
            above += magnitude(w[i]) >= high ? 1 : 0;
            if (magnitude(w[i]) >= low && magnitude(w[i]) < high) expected.push_back(static_cast<std::int32_t>(i));
        }
        std::vector<std::int32_t> found(static_cast<std::size_t>(n + 16));
        std::int64_t listed = 0;
        EXPECT_EQ(table().scan_magnitudes(w.data(), n, low, high, found.data(), &listed), above);
        found.resize(static_cast<std::size_t>(listed));
        EXPECT_EQ(found, expected);
    }
}

TEST_P(OptimizerKernels, ColumnsAreCountedAndCutOffOneByOne) {
    const std::int64_t rows = 6;
    const std::int64_t n = 37;
    const auto w = random_values(rows * (n + 2));
    const auto high = magnitude(0.5F);
    std::vector<std::int32_t> counts(static_cast<std::size_t>(n), 100);
    table().count_columns(w.data(), n + 2, rows, n, high, counts.data());
    auto cutoffs = counts;
    for (std::int64_t j = 0; j < n; ++j) {
        std::int32_t expected = 100;
        for (std::int64_t i = 0; i < rows; ++i) {
            expected += magnitude(w[static_cast<std::size_t>(i * (n + 2) + j)]) >= high ? 1 : 0;
        }
        EXPECT_EQ(counts[static_cast<std::size_t>(j)], expected);
        cutoffs[static_cast<std::size_t>(j)] = magnitude(0.1F * static_cast<float>(j % 7));
    }
    cutoffs[3] = magnitude(w[3]);  // equal is not above
    std::vector<std::int32_t> expected;
    for (std::int32_t j = 0; j < n; ++j) {
        if (magnitude(w[static_cast<std::size_t>(j)]) > cutoffs[static_cast<std::size_t>(j)]) expected.push_back(j);
    }
    std::vector<std::int32_t> found(static_cast<std::size_t>(n + 16));
    found.resize(static_cast<std::size_t>(table().exceed_cutoffs(w.data(), n, cutoffs.data(), found.data())));
    EXPECT_EQ(found, expected);
}

TEST_P(OptimizerKernels, KeepLargeClearsTheRestAndDecays) {
    for (const std::int64_t n : {1, 16, 61}) {
        auto w = random_values(n);
        const auto before = w;
        const auto high = magnitude(before[0]);
        table().keep_large(w.data(), n, high, 0.75F);
        for (std::size_t i = 0; i < w.size(); ++i) {
            EXPECT_EQ(w[i], magnitude(before[i]) >= high ? before[i] * 0.75F : 0.0F);
        }
    }
}

FILIGREE_EVERY_ISA(OptimizerKernels);

}  // namespace
}  // namespace filigree::kernels
