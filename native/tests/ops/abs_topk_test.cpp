// SPDX-License-Identifier: Apache-2.0
#include "ops/abs_topk.hpp"

#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace filigree {
namespace {

class AbsTopK : public testing::TestWithParam<std::pair<std::int64_t, std::int64_t>> {};

TEST_P(AbsTopK, KeepsTheLargestOfEveryRowAndPassesGradientOnlyToThem) {
    const auto [n, k] = GetParam();
    auto x = at::randn({5, n});
    x.set_requires_grad(true);
    const auto y = ops::abs_topk(x, k);
    y.backward(at::randn({5, n}).abs().add(1.0));  // no zeros, so a zero gradient means "not kept"

    for (std::int64_t row = 0; row < 5; ++row) {
        std::vector<float> magnitudes(x.data_ptr<float>() + row * n, x.data_ptr<float>() + (row + 1) * n);
        for (auto& value : magnitudes) value = std::abs(value);
        auto sorted = magnitudes;
        std::sort(sorted.begin(), sorted.end(), std::greater<>());
        const auto smallest_kept = sorted[static_cast<std::size_t>(k - 1)];
        for (std::int64_t j = 0; j < n; ++j) {
            const auto value = x.data_ptr<float>()[row * n + j];
            const bool kept = magnitudes[static_cast<std::size_t>(j)] >= smallest_kept;
            EXPECT_EQ(y.data_ptr<float>()[row * n + j], kept ? value : 0.0F);
            EXPECT_EQ(x.grad().data_ptr<float>()[row * n + j] != 0.0F, kept);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(OddSizes, AbsTopK,
                         testing::Values(std::pair(7, 1), std::pair(7, 6), std::pair(33, 8), std::pair(257, 64)));

TEST(AbsTopKOfEqualValues, KeepsExactlyKOfTheLowestIndices) {
    auto x = at::zeros({3, 12});
    x.set_requires_grad(true);
    const auto y = ops::abs_topk(x, 5);
    y.sum().backward();
    EXPECT_EQ(x.grad().narrow(1, 0, 5).sum().item<double>(), 3 * 5);
    EXPECT_EQ(x.grad().sum().item<double>(), 3 * 5);
}

}  // namespace
}  // namespace filigree
