// SPDX-License-Identifier: Apache-2.0
// The fast plan of the loss against the reference plan and LibTorch's gradients of it.
#include "ops/cross_entropy.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/isnan.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

namespace filigree {
namespace {

// The z of these tests stay below 16, where a unit in the last place is 1e-6, and each plan rounds them twice:
//   loss 4e-6      absolute
//   logits 4e-6    times 1 / N: a gradient is a probability over N, whose relative error is the absolute one of z
//   sums 1e-5      of those over tokens, over their largest or 1 / N: where a token is sure of its target, p - 1 is
//   small
//                  and as far off as p
constexpr double kLossBound = 4e-6;
constexpr double kGradientBound = 4e-6;
constexpr double kSumBound = 1e-5;

double largest_error(const at::Tensor& actual, const at::Tensor& expected) {
    return (actual - expected).abs().max().item<double>();
}
double sum_error(const at::Tensor& actual, const at::Tensor& expected, std::int64_t N) {
    return largest_error(actual, expected) /
           std::max(expected.abs().max().item<double>(), 1.0 / static_cast<double>(N));
}

at::Tensor leaf(const at::Tensor& values) {
    auto copy = values.detach().clone();
    copy.set_requires_grad(true);
    return copy;
}

struct Case {
    Case(std::int64_t N, std::int64_t V, bool with_table)
        : logits(at::randn({N, V}) * 3.0),
          bias(at::randn({V})),
          table(with_table ? at::randn({V, V}) : at::Tensor()),
          tokens(at::randint(V, {N}, at::kLong)),
          targets(at::randint(V, {N}, at::kLong)) {}
    at::Tensor logits, bias, table, tokens, targets;
};

struct Result {
    at::Tensor loss, dlogits, dbias, dtable;
};

/// Loss and the gradients of `factor` times it; `preset` gives the leaves a gradient of ones to add to.
Result run(const Case& c, Plan plan, double factor, bool preset) {
    const auto logits = leaf(c.logits);
    const auto bias = leaf(c.bias);
    const auto table = c.table.defined() ? leaf(c.table) : at::Tensor();
    if (preset) {
        bias.mutable_grad() = at::zeros(bias.sizes()).fill_(1.0);
        if (table.defined()) table.mutable_grad() = at::zeros(table.sizes()).fill_(1.0);
    }
    // Times one: a tensor of the graph, as a product's result would be.
    const auto loss = ops::cross_entropy_with_bigram(logits * 1.0, bias, table, c.tokens, c.targets, plan);
    (loss * factor).backward();
    return {loss.detach(), logits.grad(), bias.grad(), table.defined() ? table.grad() : at::Tensor()};
}

TEST(CrossEntropyWithBigram, MatchesTheReferenceAndItsGradients) {
    for (const auto& [N, V] : {std::pair<std::int64_t, std::int64_t>{1, 3}, {7, 16}, {130, 61}, {500, 257}}) {
        for (const bool with_table : {false, true}) {
            for (const bool preset : {false, true}) {
                SCOPED_TRACE("N " + std::to_string(N) + ", V " + std::to_string(V) + (with_table ? ", table" : "") +
                             (preset ? ", added to gradients" : ""));
                const Case c(N, V, with_table);
                const auto factor = preset ? 1.0 : 0.7;
                const auto fast = run(c, Plan::kFast, factor, preset);
                const auto reference = run(c, Plan::kReference, factor, preset);
                EXPECT_LE(largest_error(fast.loss, reference.loss), kLossBound);
                EXPECT_LE(largest_error(fast.dlogits, reference.dlogits), kGradientBound / static_cast<double>(N));
                EXPECT_LE(sum_error(fast.dbias, reference.dbias, N), kSumBound);
                if (with_table) {
                    EXPECT_LE(sum_error(fast.dtable, reference.dtable, N), kSumBound);
                }
            }
        }
    }
}

TEST(CrossEntropyWithBigram, RepeatsItselfBitForBitAndLeavesLogitsAloneWithoutGradients) {
    const Case c(3000, 128, true);
    const auto first = run(c, Plan::kFast, 1.0, false);
    const auto second = run(c, Plan::kFast, 1.0, false);
    EXPECT_TRUE(at::equal(first.loss, second.loss));
    EXPECT_TRUE(at::equal(first.dbias, second.dbias));
    EXPECT_TRUE(at::equal(first.dtable, second.dtable));
    const at::NoGradGuard no_grad;
    const auto before = c.logits.clone();
    const auto loss = ops::cross_entropy_with_bigram(c.logits, c.bias, c.table, c.tokens, c.targets, Plan::kFast);
    EXPECT_TRUE(at::equal(loss, first.loss));
    EXPECT_TRUE(at::equal(before, c.logits));
}

TEST(CrossEntropyWithBigram, IsNotANumberWhenALogitIsNone) {
    Case c(40, 64, true);
    c.logits.mutable_data_ptr<float>()[65] = std::numeric_limits<float>::quiet_NaN();
    const auto fast = run(c, Plan::kFast, 1.0, false);
    EXPECT_TRUE(at::isnan(fast.loss).item<bool>());
    EXPECT_TRUE(at::isnan(fast.dlogits.select(0, 1)).all().item<bool>());
    EXPECT_FALSE(at::isnan(fast.dlogits.select(0, 2)).any().item<bool>());
}

}  // namespace
}  // namespace filigree
