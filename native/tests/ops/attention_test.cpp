// SPDX-License-Identifier: Apache-2.0
#include "ops/attention.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/isnan.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <tuple>
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

/// Whether there is a sink, and the plan.
class Attention : public testing::TestWithParam<std::tuple<bool, Plan>> {};

TEST_P(Attention, FollowsTheFormula) {
    const std::int64_t B = 2;
    const std::int64_t T = 7;
    const std::int64_t H = 3;
    const std::int64_t dh = 5;
    const auto q = at::randn({B, T, H * dh});
    const auto k = at::randn({B, T, H * dh});
    const auto v = at::randn({B, T, H * dh});
    const auto sink = std::get<0>(GetParam()) ? at::randn({H}) : at::Tensor();
    const auto y = ops::attention(q, k, v, H, sink, std::get<1>(GetParam()));
    for (std::int64_t b = 0; b < B; ++b) {
        for (std::int64_t i = 0; i < T; ++i) {
            for (std::int64_t c = 0; c < H * dh; ++c) {
                EXPECT_NEAR(y.data_ptr<float>()[(b * T + i) * H * dh + c], reference(q, k, v, sink, dh, b, i, c), 1e-5);
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(SinkAndPlan, Attention,
                         testing::Combine(testing::Bool(), testing::Values(Plan::kFast, Plan::kReference)));

TEST(AttentionSink, OfZeroLogitTakesTheShareOfOneKeyWithScoreZero) {
    // With q = 0 every score is 0: position i averages i + 1 values over i + 2 keys.
    const auto q = at::zeros({1, 4, 2});
    const auto v = at::zeros({1, 4, 2}).fill_(1.0);
    const auto y = ops::attention(q, q, v, 1, at::zeros({1}), Plan::kFast);
    for (std::int64_t i = 0; i < 4; ++i) {
        EXPECT_NEAR(y.data_ptr<float>()[i * 2], static_cast<double>(i + 1) / static_cast<double>(i + 2), 1e-6);
    }
}

struct Gradients {
    at::Tensor y, dq, dk, dv, dsink;
};

/// y and the gradients of sum(y * dy) under a plan.
Gradients attend(const at::Tensor& qkv, const at::Tensor& sink, const at::Tensor& dy, std::int64_t H, Plan plan) {
    const auto leaf = [](const at::Tensor& values) {
        auto copy = values.detach().clone();
        copy.set_requires_grad(true);
        return copy;
    };
    const auto A = qkv.size(2) / 3;
    const auto whole = leaf(qkv);  // q, k and v are strided views of one tensor
    const auto own_sink = sink.defined() ? leaf(sink) : sink;
    const auto y =
        ops::attention(whole.narrow(2, 0, A), whole.narrow(2, A, A), whole.narrow(2, 2 * A, A), H, own_sink, plan);
    (y * dy).sum().backward();
    return {y.detach(), whole.grad().narrow(2, 0, A), whole.grad().narrow(2, A, A), whole.grad().narrow(2, 2 * A, A),
            sink.defined() ? own_sink.grad() : at::Tensor()};
}

// Largest difference over the largest magnitude expected: dot products over dh and sums over up to 130 keys in another
// order than LibTorch's, each of which may be 130 roundings of 6e-8 off. The sink's gradient is a sum over all rows, in
// which most may cancel.
constexpr double kBound = 8e-6;
constexpr double kSinkBound = 2e-4;

double relative_error(const at::Tensor& actual, const at::Tensor& expected) {
    return ((actual - expected).abs().max() / expected.abs().max()).item<double>();
}

TEST(AttentionOfTheFastPlan, MatchesTheReferenceAndItsGradients) {
    for (const std::int64_t T : {1, 2, 15, 16, 17, 64, 130}) {
        for (const std::int64_t dh : {1, 5, 16, 24, 64}) {
            for (const bool with_sink : {false, true}) {
                SCOPED_TRACE("T " + std::to_string(T) + ", dh " + std::to_string(dh) + (with_sink ? ", sink" : ""));
                constexpr std::int64_t kHeads = 3;
                const auto qkv = at::randn({2, T, 3 * kHeads * dh}) * 1.5;
                const auto dy = at::randn({2, T, kHeads * dh});
                const auto sink = with_sink ? at::randn({kHeads}) : at::Tensor();
                const auto fast = attend(qkv, sink, dy, kHeads, Plan::kFast);
                const auto reference = attend(qkv, sink, dy, kHeads, Plan::kReference);
                EXPECT_LE(relative_error(fast.y, reference.y), kBound);
                EXPECT_LE(relative_error(fast.dv, reference.dv), kBound);
                if (T > 1 || with_sink) {  // one key without a sink has weight 1, whatever the score
                    EXPECT_LE(relative_error(fast.dq, reference.dq), kBound);
                    EXPECT_LE(relative_error(fast.dk, reference.dk), kBound);
                }
                if (with_sink) {
                    EXPECT_LE(relative_error(fast.dsink, reference.dsink), kSinkBound);
                }
                const auto again = attend(qkv, sink, dy, kHeads, Plan::kFast);
                EXPECT_TRUE(at::equal(again.dq, fast.dq) && at::equal(again.dk, fast.dk) &&
                            at::equal(again.dv, fast.dv));
                const at::NoGradGuard no_grad;
                const auto A = kHeads * dh;
                EXPECT_TRUE(at::equal(ops::attention(qkv.narrow(2, 0, A), qkv.narrow(2, A, A), qkv.narrow(2, 2 * A, A),
                                                     kHeads, sink, Plan::kFast),
                                      fast.y));
            }
        }
    }
}

TEST(AttentionOfTheFastPlan, SurvivesALargeSinkWhateverTheNumberOfQueries) {
    for (const std::int64_t T : {1, 16, 17, 31}) {
        const auto qkv = at::randn({1, T, 3 * 16});
        const auto dy = at::randn({1, T, 16});
        const auto sink = at::zeros({1}).fill_(100.0);  // exp(100) is no fp32 number
        const auto fast = attend(qkv, sink, dy, 1, Plan::kFast);
        EXPECT_TRUE(at::isfinite(fast.y).all().item<bool>()) << T;
        EXPECT_TRUE(at::isfinite(fast.dq).all().item<bool>()) << T;
        EXPECT_TRUE(at::isfinite(fast.dsink).all().item<bool>()) << T;
    }
}

TEST(AttentionOfTheFastPlan, SurvivesLargeScoresAndPassesNaNOn) {
    auto qkv = at::randn({1, 20, 3 * 16}) * 40.0;
    const auto dy = at::randn({1, 20, 16});
    const auto fast = attend(qkv, at::zeros({1}), dy, 1, Plan::kFast);
    const auto reference = attend(qkv, at::zeros({1}), dy, 1, Plan::kReference);
    // Scores of 16 products of up to 16,000 are off by 16,000 * 6e-8 / sqrt(16) for each, and exp carries that.
    EXPECT_LE(relative_error(fast.y, reference.y), 4e-3);
    EXPECT_TRUE(at::isfinite(fast.dq).all().item<bool>());
    qkv.mutable_data_ptr<float>()[5 * 48] = std::numeric_limits<float>::quiet_NaN();  // query 5
    const auto bad = attend(qkv, at::zeros({1}), dy, 1, Plan::kFast);
    EXPECT_TRUE(at::isnan(bad.y.select(1, 5)).all().item<bool>());
    EXPECT_TRUE(at::equal(bad.y.select(1, 6), fast.y.select(1, 6)));
}

}  // namespace
}  // namespace filigree
