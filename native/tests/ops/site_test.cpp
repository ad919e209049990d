// SPDX-License-Identifier: Apache-2.0
// The fast plan of a node site against the reference plan and LibTorch's gradients of it.
#include "ops/site.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "ops/backend.hpp"

namespace filigree {
namespace {

// Largest difference over the largest magnitude expected. The two plans round in a different order:
//   value 1e-6     a handful of roundings of 6e-8 per entry, and those of a sum of squares over a row
//   gradient 3e-6  the same, and a dot product over the row
//   sums 2e-5      sums over all rows, which cancel
constexpr double kValueBound = 1e-6;
constexpr double kGradientBound = 3e-6;
constexpr double kSumBound = 2e-5;

double relative_error(const at::Tensor& actual, const at::Tensor& expected) {
    return ((actual - expected).abs().max() / expected.abs().max()).item<double>();
}

at::Tensor leaf(const at::Tensor& values) {
    auto copy = values.detach().clone();
    copy.set_requires_grad(true);
    return copy;
}

struct Run {
    std::vector<at::Tensor> y, gradients;
};

/// What a plan gives for y = op(inputs) and the gradients of sum(y * dy) with respect to all inputs.
Run run(const std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>&)>& op,
        const std::vector<at::Tensor>& values, const std::vector<at::Tensor>& dy) {
    std::vector<at::Tensor> inputs;
    for (const auto& value : values) inputs.push_back(leaf(value));
    Run result;
    result.y = op(inputs);
    auto total = (result.y[0] * dy[0]).sum();
    for (std::size_t i = 1; i < dy.size(); ++i) total = total + (result.y[i] * dy[i]).sum();
    total.backward();
    for (const auto& input : inputs) result.gradients.push_back(input.grad());
    return result;
}

class Site : public testing::TestWithParam<bool> {
protected:
    [[nodiscard]] bool gated() const { return GetParam(); }
    /// k a quarter of w; the gate is input `index` when there is one.
    [[nodiscard]] ops::SiteRule rule(const std::vector<at::Tensor>& inputs, std::size_t index, std::int64_t w) const {
        ops::SiteRule rule{w / 4, {}, {}};
        if (gated()) {
            rule.gate = inputs[index];
            rule.mean = mean_.narrow(0, 0, w);
        }
        return rule;
    }
    at::Tensor mean_ = at::randn({1024});
};

TEST_P(Site, AloneKeepsTheSameEntriesAsTheReference) {
    for (const std::int64_t w : {36, 128, 1000}) {
        auto x = at::randn({3, 50, w});
        x.select(1, 7).round_();  // rows full of equals
        x.select(1, 9).zero_();
        const auto gate = at::rand({w}).round();  // 0 and 1, so that ablation rounds nothing
        const auto dy = std::vector{at::randn({3, 50, w})};
        const auto with = [&](Plan plan) {
            return run([&](const auto& in) { return std::vector{ops::site(in[0], rule(in, 1, w), plan)}; }, {x, gate},
                       dy);
        };
        const auto fast = with(Plan::kFast);
        const auto reference = with(Plan::kReference);
        EXPECT_TRUE(at::equal(fast.y[0], reference.y[0]));
        EXPECT_TRUE(at::equal(fast.gradients[0], reference.gradients[0]));
        if (gated()) {
            EXPECT_LE(relative_error(fast.gradients[1], reference.gradients[1]), kSumBound);
        }
    }
}

TEST_P(Site, AfterRmsNormMatchesTheReference) {
    for (const std::int64_t w : {36, 128, 1000}) {
        const auto gate = at::rand({w});
        const auto x = at::randn({3, 50, w});
        const auto gain = at::randn({w});
        const auto dy = std::vector{at::randn({3, 50, w})};
        const auto with = [&](Plan plan) {
            return run(
                [&](const auto& in) { return std::vector{ops::rms_norm_site(in[0], in[1], rule(in, 2, w), plan)}; },
                {x, gain, gate}, dy);
        };
        const auto fast = with(Plan::kFast);
        const auto reference = with(Plan::kReference);
        EXPECT_LE(relative_error(fast.y[0], reference.y[0]), kValueBound);
        EXPECT_LE(relative_error(fast.gradients[0], reference.gradients[0]), kGradientBound);
        EXPECT_LE(relative_error(fast.gradients[1], reference.gradients[1]), kSumBound);
        if (gated()) {
            EXPECT_LE(relative_error(fast.gradients[2], reference.gradients[2]), kSumBound);
        }
    }
}

TEST_P(Site, AfterGeluMatchesTheReference) {
    for (const std::int64_t w : {36, 128, 1000}) {
        const auto gate = at::rand({w});
        const auto x = at::randn({3, 50, w}) * 2.0;
        const auto dy = std::vector{at::randn({3, 50, w})};
        const auto with = [&](Plan plan) {
            return run(
                [&](const auto& in) {
                    return std::vector{ops::gelu_site({in[0], {}}, rule(in, 1, w), plan)};
                },
                {x, gate}, dy);
        };
        const auto fast = with(Plan::kFast);
        const auto reference = with(Plan::kReference);
        EXPECT_LE(relative_error(fast.y[0], reference.y[0]), kValueBound);
        EXPECT_LE(relative_error(fast.gradients[0], reference.gradients[0]), kGradientBound);
        if (gated()) {
            EXPECT_LE(relative_error(fast.gradients[1], reference.gradients[1]), kSumBound);
        }
    }
}

TEST_P(Site, BranchesOffAResidual) {
    constexpr std::int64_t kWidth = 128;
    const auto gate = at::rand({kWidth});
    const auto x = at::randn({3, 50, kWidth});
    const auto gain = at::randn({kWidth});
    const auto dy = std::vector{at::randn({3, 50, kWidth}), at::randn({3, 50, kWidth})};
    const auto with = [&](Plan plan) {
        return run(
            [&](const auto& in) {
                const auto branch = ops::rms_norm_branch(in[0], in[1], rule(in, 2, kWidth), plan, at::kFloat);
                return std::vector{branch.y, branch.x * 2.0};
            },
            {x, gain, gate}, dy);
    };
    const auto fast = with(Plan::kFast);
    const auto reference = with(Plan::kReference);
    EXPECT_TRUE(at::equal(fast.y[1], reference.y[1]));
    EXPECT_LE(relative_error(fast.y[0], reference.y[0]), kValueBound);
    EXPECT_LE(relative_error(fast.gradients[0], reference.gradients[0]), kGradientBound);
    EXPECT_LE(relative_error(fast.gradients[1], reference.gradients[1]), kSumBound);
}

TEST_P(Site, IsAddedToAResidual) {
    for (const std::int64_t w : {36, 1000}) {
        const auto gate = at::rand({w}).round();
        const auto dy = std::vector{at::randn({3, 50, w})};
        const auto inputs = std::vector{at::randn({3, 50, w}), at::randn({3, 50, w}), gate};
        const auto with = [&](Plan plan) {
            return run(
                [&](const auto& in) {
                    return std::vector{ops::add_site(in[0], {in[1], {}}, rule(in, 2, w), plan)};
                },
                inputs, dy);
        };
        const auto fast = with(Plan::kFast);
        const auto reference = with(Plan::kReference);
        EXPECT_TRUE(at::equal(fast.y[0], reference.y[0]));
        EXPECT_TRUE(at::equal(fast.gradients[0], dy[0]));
        EXPECT_TRUE(at::equal(fast.gradients[1], reference.gradients[1]));
        if (gated()) {
            EXPECT_LE(relative_error(fast.gradients[2], reference.gradients[2]), kSumBound);
        }
        const at::NoGradGuard no_grad;
        EXPECT_TRUE(at::equal(ops::add_site(inputs[0], {inputs[1], {}}, rule(inputs, 2, w), Plan::kFast), fast.y[0]));
    }
}

// The gradient of a bias is that of the product which it is in, summed over all rows.
TEST_P(Site, SumsTheGradientOfABias) {
    constexpr std::int64_t kWidth = 36;
    const auto gate = at::rand({kWidth});
    const auto dy = std::vector{at::randn({3, 50, kWidth}), at::randn({3, 50, kWidth}), at::randn({3, 50, kWidth})};
    const auto inputs = std::vector{
        at::randn({3, 50, kWidth}), at::randn({kWidth}), at::randn({3, 50, 3 * kWidth}), at::randn({3 * kWidth}), gate,
        at::randn({3, 50, kWidth})};
    using Inputs = std::vector<at::Tensor>;
    const auto compare = [&](bool gelu, std::size_t product, const auto& op) {
        const auto with = [&](Plan plan) {
            return run(
                [&](const Inputs& in) {
                    const auto site = rule(in, 4, kWidth);
                    const auto& bias = in[product + 1];
                    const bool by_site = ops::sums_bias_gradient(in[product], kWidth, site, gelu, plan);
                    EXPECT_EQ(by_site, ops::backend_of(in[product], plan) == ops::Backend::kCuda);
                    const ops::Biased x{in[product] + (by_site ? bias.detach() : bias), by_site ? bias : at::Tensor()};
                    return op(x, in[5], site, plan);
                },
                inputs, dy);
        };
        const auto fast = with(Plan::kFast);
        const auto reference = with(Plan::kReference);
        EXPECT_LE(relative_error(fast.gradients[product], reference.gradients[product]), kGradientBound);
        EXPECT_LE(relative_error(fast.gradients[product + 1], reference.gradients[product + 1]), kSumBound);
    };
    const auto three = [](const at::Tensor& y) { return std::vector{y, y, y}; };
    compare(false, 0, [&](const ops::Biased& x, const at::Tensor& residual, const ops::SiteRule& site, Plan plan) {
        return three(ops::add_site(residual, x, site, plan));
    });
    compare(true, 0, [&](const ops::Biased& x, const at::Tensor& /*residual*/, const ops::SiteRule& site, Plan plan) {
        return three(ops::gelu_site(x, site, plan));
    });
    compare(false, 2, [&](const ops::Biased& x, const at::Tensor& /*residual*/, const ops::SiteRule& site, Plan plan) {
        const auto parts = ops::split_sites(x, {site, site, site}, plan);
        return std::vector{parts[0], parts[1], parts[2]};
    });
}

TEST(SiteOfTheFastPlan, SumsTheGradientOfABiasThatAloneHasOne) {
    constexpr std::int64_t kWidth = 36;
    const ops::SiteRule rule{kWidth / 4, {}, {}};
    const auto x = at::randn({3, 50, kWidth});
    if (!ops::sums_bias_gradient(x, kWidth, rule, /*gelu=*/true, Plan::kFast)) GTEST_SKIP() << "not on the CPU";
    const auto dy = at::randn({3, 50, kWidth});
    const auto gradient = [&](bool of_product) {
        const auto product = of_product ? leaf(x) : x;
        const auto bias = leaf(at::zeros({kWidth}));
        bias.mutable_grad() = at::ones({kWidth});  // is added to, as in a trainer
        (ops::gelu_site({product, bias}, rule, Plan::kFast) * dy).sum().backward();
        if (of_product) {
            EXPECT_LE(relative_error(bias.grad(), product.grad().sum({0, 1}) + 1.0), kSumBound);
        }
        return bias.grad();
    };
    EXPECT_TRUE(at::equal(gradient(true), gradient(false)));
}

TEST_P(Site, ThreeSideBySideAreThreeSites) {
    constexpr std::int64_t kWidth = 48;
    const auto gate = at::rand({kWidth});
    const auto x = at::randn({2, 40, 3 * kWidth});
    std::vector<at::Tensor> dy;
    for (int i = 0; i < 3; ++i) dy.push_back(at::randn({2, 40, kWidth}));
    const auto with = [&](Plan plan) {
        return run(
            [&](const auto& in) {
                auto rules = std::array{rule(in, 1, kWidth), rule(in, 2, kWidth), rule(in, 3, kWidth)};
                rules[1].k = kWidth / 2;
                rules[2].k.reset();
                const auto parts = ops::split_sites({in[0], {}}, rules, plan);
                return std::vector<at::Tensor>(parts.begin(), parts.end());
            },
            {x, gate, gate, gate}, dy);
    };
    const auto fast = with(Plan::kFast);
    const auto reference = with(Plan::kReference);
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_LE(relative_error(fast.y[i], reference.y[i]), kValueBound);
        if (gated()) {
            EXPECT_LE(relative_error(fast.gradients[1 + i], reference.gradients[1 + i]), kSumBound);
        }
    }
    EXPECT_LE(relative_error(fast.gradients[0], reference.gradients[0]), kGradientBound);
}

INSTANTIATE_TEST_SUITE_P(Gate, Site, testing::Bool());

TEST(SiteOfTheFastPlan, IsBitIdenticalInEveryRunWithAndWithoutGradients) {
    const auto x = at::randn({64, 65, 256});
    const auto gain = at::randn({256});
    const auto dy = std::vector{at::randn({64, 65, 256})};
    const ops::SiteRule rule{64, {}, {}};
    const auto op = [&](const auto& in) { return std::vector{ops::rms_norm_site(in[0], in[1], rule, Plan::kFast)}; };
    const auto first = run(op, {x, gain}, dy);
    const auto second = run(op, {x, gain}, dy);
    EXPECT_TRUE(at::equal(first.y[0], second.y[0]));
    EXPECT_TRUE(at::equal(first.gradients[0], second.gradients[0]));
    EXPECT_TRUE(at::equal(first.gradients[1], second.gradients[1]));
    const at::NoGradGuard no_grad;
    EXPECT_TRUE(at::equal(op(std::vector{x, gain})[0], first.y[0]));
}

}  // namespace
}  // namespace filigree
