// SPDX-License-Identifier: Apache-2.0
#include "ops/attention.hpp"

#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace filigree {
namespace {

/// The formula of method 1.4 in doubles, one element at a time.
double reference(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& sink, std::int64_t dh,
                 std::int64_t b, std::int64_t i, std::int64_t c) {
    const auto head = c / dh;
    const auto at = [&](const at::Tensor& x, std::int64_t t, std::int64_t channel) {
        return static_cast<double>(x.data_ptr<float>()[(b * x.size(1) + t) * x.size(2) + channel]);
    };
    std::vector<double> scores;
    for (std::int64_t j = 0; j <= i; ++j) {
        double s = 0.0;
        for (std::int64_t e = head * dh; e < (head + 1) * dh; ++e) s += at(q, i, e) * at(k, j, e);
        scores.push_back(s / std::sqrt(static_cast<double>(dh)));
    }
    double denominator = sink.defined() ? std::exp(static_cast<double>(sink.data_ptr<float>()[head])) : 0.0;
    double numerator = 0.0;
    for (std::int64_t j = 0; j <= i; ++j) {
        denominator += std::exp(scores[static_cast<std::size_t>(j)]);
        numerator += std::exp(scores[static_cast<std::size_t>(j)]) * at(v, j, c);
    }
    return numerator / denominator;
}

class Attention : public testing::TestWithParam<bool> {};

TEST_P(Attention, FollowsTheFormula) {
    const std::int64_t B = 2;
    const std::int64_t T = 7;
    const std::int64_t H = 3;
    const std::int64_t dh = 5;
    const auto q = at::randn({B, T, H * dh});
    const auto k = at::randn({B, T, H * dh});
    const auto v = at::randn({B, T, H * dh});
    const auto sink = GetParam() ? at::randn({H}) : at::Tensor();
    const auto y = ops::attention(q, k, v, H, sink);
    for (std::int64_t b = 0; b < B; ++b) {
        for (std::int64_t i = 0; i < T; ++i) {
            for (std::int64_t c = 0; c < H * dh; ++c) {
                EXPECT_NEAR(y.data_ptr<float>()[(b * T + i) * H * dh + c], reference(q, k, v, sink, dh, b, i, c), 1e-5);
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(SinkOrNot, Attention, testing::Bool());

TEST(AttentionSink, OfZeroLogitTakesTheShareOfOneKeyWithScoreZero) {
    // With q = 0 every score is 0: position i averages i + 1 values over i + 2 keys.
    const auto q = at::zeros({1, 4, 2});
    const auto v = at::zeros({1, 4, 2}).fill_(1.0);
    const auto y = ops::attention(q, q, v, 1, at::zeros({1}));
    for (std::int64_t i = 0; i < 4; ++i) {
        EXPECT_NEAR(y.data_ptr<float>()[i * 2], static_cast<double>(i + 1) / static_cast<double>(i + 2), 1e-6);
    }
}

}  // namespace
}  // namespace filigree
