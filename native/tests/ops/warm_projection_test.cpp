// SPDX-License-Identifier: Apache-2.0
// The projection of the fast plan keeps exactly the sets of the reference, warm or cold.
#include "ops/warm_projection.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "ops/keep_largest.hpp"
#include "support/expect_error.hpp"

namespace filigree::ops {
namespace {

constexpr double kDecay = 0.875;  // exact in fp32

void expect_same(WarmProjection& projection, const at::Tensor& w, std::int64_t k, AliveAxis axis,
                 std::int64_t minimum_alive) {
    const auto expected = w.clone();
    project(expected, k, axis, minimum_alive);
    expected.mul_(kDecay);
    const auto actual = w.clone();
    const auto columns = w.size(-1);
    projection.apply({actual.mutable_data_ptr<float>(), w.numel() / columns, columns}, k, axis, minimum_alive, kDecay);
    EXPECT_TRUE(at::equal(actual, expected)) << "k " << k << " of " << w.numel();
}

class WarmProjectionTest : public testing::TestWithParam<AliveAxis> {};

TEST_P(WarmProjectionTest, KeepsTheSetsOfTheReferenceWhileWeightsAndCountMove) {
    const auto axis = GetParam();
    for (const auto& [rows, columns] :
         {std::pair<std::int64_t, std::int64_t>{1, 1}, {17, 30}, {300, 70}, {64, 512}, {300, 700}, {1, 200003}}) {
        for (const std::int64_t minimum_alive : {0, 1, 4}) {
            WarmProjection projection;
            auto w = at::randn({rows, columns});
            for (int step = 0; step < 12; ++step) {
                const auto per_line = std::min(minimum_alive, axis == AliveAxis::kRows ? columns : rows);
                const auto needed =
                    axis == AliveAxis::kNone ? 0 : per_line * (axis == AliveAxis::kRows ? rows : columns);
                const auto k = std::max(needed, w.numel() * (12 - step) / 12 - step);
                expect_same(projection, w, k, axis, minimum_alive);
                // Small moves, and now and then one that the bracket of the last step cannot know.
                w = step % 4 == 3 ? at::randn({rows, columns}) * 10 : w + 0.01 * at::randn({rows, columns});
            }
        }
    }
}

TEST_P(WarmProjectionTest, BreaksTiesToTheLowerIndex) {
    WarmProjection projection;
    // Tensors of more than one part, which threads look through on their own.
    for (const std::int64_t k : {70'000, 65'536, 131'073}) {
        expect_same(projection, at::full({300, 700}, -0.5), k, GetParam(), 2);
        expect_same(projection, at::randint(-3, 4, {300, 700}, at::kFloat), k, GetParam(), 2);
    }
    for (const std::int64_t k : {200, 77, 40, 41, 199, 150}) {
        expect_same(projection, at::full({10, 20}, -0.5), k, GetParam(), 2);
        expect_same(projection, at::randint(-3, 4, {10, 20}, at::kFloat), k, GetParam(), 2);
    }
}

INSTANTIATE_TEST_SUITE_P(Axes, WarmProjectionTest,
                         testing::Values(AliveAxis::kNone, AliveAxis::kRows, AliveAxis::kColumns));

TEST(WarmProjection, TakesZerosAndNothingToKeep) {
    WarmProjection projection;
    expect_same(projection, at::zeros({5, 5}), 3, AliveAxis::kNone, 0);
    expect_same(projection, at::randn({5, 5}), 0, AliveAxis::kNone, 0);
    auto mostly_zero = at::zeros({40, 40});
    mostly_zero.select(0, 7).fill_(2.0);
    expect_same(projection, mostly_zero, 100, AliveAxis::kColumns, 2);
    expect_same(projection, mostly_zero, 100, AliveAxis::kRows, 2);
}

TEST(WarmProjection, RefusesMoreLiveWeightsThanItMayKeep) {
    WarmProjection projection;
    auto w = at::randn({4, 6});
    EXPECT_FG_ERROR(projection.apply({w.mutable_data_ptr<float>(), 4, 6}, 7, AliveAxis::kRows, 2, 1.0F),
                    FG_INVALID_ARGUMENT, "cannot keep 2 weights in each of 4 rows with only 7");
}

}  // namespace
}  // namespace filigree::ops
