// SPDX-License-Identifier: Apache-2.0
#include "ops/keep_largest.hpp"

#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "support/expect_error.hpp"

namespace filigree {
namespace {

/// Indices of the k largest |values| among `candidates`, equal ones by index: a stable sort, the rule in its plainest
/// form.
std::vector<std::int64_t> largest(const std::vector<float>& values, std::vector<std::int64_t> candidates,
                                  std::int64_t k) {
    std::stable_sort(candidates.begin(), candidates.end(), [&](std::int64_t a, std::int64_t b) {
        return std::abs(values[static_cast<std::size_t>(a)]) > std::abs(values[static_cast<std::size_t>(b)]);
    });
    candidates.resize(static_cast<std::size_t>(k));
    return candidates;
}

std::vector<bool> expected_kept(const at::Tensor& weight, std::int64_t k, AliveAxis axis, std::int64_t minimum_alive) {
    const auto rows = weight.size(0);
    const auto columns = weight.dim() > 1 ? weight.size(1) : 1;
    const std::vector<float> values(weight.data_ptr<float>(), weight.data_ptr<float>() + weight.numel());
    std::vector<bool> kept(values.size(), false);
    if (axis != AliveAxis::kNone) {
        const auto lines = axis == AliveAxis::kRows ? rows : columns;
        const auto length = axis == AliveAxis::kRows ? columns : rows;
        for (std::int64_t line = 0; line < lines; ++line) {
            std::vector<std::int64_t> candidates;
            for (std::int64_t i = 0; i < length; ++i) {
                candidates.push_back(axis == AliveAxis::kRows ? line * columns + i : i * columns + line);
            }
            for (const auto index : largest(values, candidates, std::min(minimum_alive, length))) {
                kept[static_cast<std::size_t>(index)] = true;
            }
        }
    }
    std::vector<std::int64_t> others;
    for (std::int64_t i = 0; i < weight.numel(); ++i) {
        if (!kept[static_cast<std::size_t>(i)]) others.push_back(i);
    }
    const auto forced = std::count(kept.begin(), kept.end(), true);
    for (const auto index : largest(values, others, k - forced)) kept[static_cast<std::size_t>(index)] = true;
    return kept;
}

struct Case {
    std::int64_t rows, columns, k;
    AliveAxis axis;
    std::int64_t minimum_alive;
};

class Projection : public testing::TestWithParam<Case> {
protected:
    static void check(const at::Tensor& weight, const Case& c) {
        const auto before = weight.clone();
        const auto kept = expected_kept(before, c.k, c.axis, c.minimum_alive);
        ASSERT_EQ(std::count(kept.begin(), kept.end(), true), c.k);
        ops::project(weight, c.k, c.axis, c.minimum_alive);
        for (std::int64_t i = 0; i < weight.numel(); ++i) {
            EXPECT_EQ(weight.data_ptr<float>()[i],
                      kept[static_cast<std::size_t>(i)] ? before.data_ptr<float>()[i] : 0.0F)
                << "at " << i;
        }
    }
};

TEST_P(Projection, KeepsExactlyTheLargest) {
    const auto c = GetParam();
    const auto weight = at::randn({c.rows, c.columns});
    check(weight, c);
    EXPECT_EQ(weight.count_nonzero().item<std::int64_t>(), c.k);
}

TEST_P(Projection, GivesTiesToTheLowerIndex) {
    const auto c = GetParam();
    check(at::randint(-2, 3, {c.rows, c.columns}).to(at::kFloat), c);
}

INSTANTIATE_TEST_SUITE_P(OddSizes, Projection,
                         testing::Values(Case{13, 7, 30, AliveAxis::kNone, 0}, Case{13, 7, 91, AliveAxis::kNone, 0},
                                         Case{13, 7, 0, AliveAxis::kNone, 0}, Case{13, 7, 30, AliveAxis::kRows, 2},
                                         Case{13, 7, 30, AliveAxis::kColumns, 3},
                                         Case{13, 7, 26, AliveAxis::kRows, 2},   // the rule uses up all of k
                                         Case{3, 11, 33, AliveAxis::kColumns, 4} /* lines shorter than the rule */
                                         ));

TEST(ProjectionOfAVector, KeepsTheLargest) {
    auto bias = at::randn({41});
    ops::project(bias, 10, AliveAxis::kNone, 0);
    EXPECT_EQ(bias.count_nonzero().item<std::int64_t>(), 10);
}

TEST(ProjectionThatCannotKeepEnough, SaysSo) {
    const auto weight = at::randn({10, 20});
    EXPECT_FG_ERROR(ops::project(weight, 39, AliveAxis::kRows, 4), FG_INVALID_ARGUMENT, "4 weights in each of 10 rows");
    EXPECT_EQ(weight.count_nonzero().item<std::int64_t>(), 200) << "the weight must be untouched";
}

TEST(KeepLargest, WorksAlongEitherDimensionOfATallMatrix) {
    const auto scores = at::randn({11, 4}).abs();
    EXPECT_TRUE(ops::keep_largest(scores, 3, 0).sum(0).eq(3).all().item<bool>());
    EXPECT_TRUE(ops::keep_largest(scores, 3, 1).sum(1).eq(3).all().item<bool>());
}

}  // namespace
}  // namespace filigree
