// SPDX-License-Identifier: Apache-2.0
// Ops of bf16, which the CUDA kernels alone take, against the reference plan on the same values in fp32.
#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <vector>

#include "ops/attention.hpp"
#include "ops/backend.hpp"
#include "ops/linear.hpp"
#include "ops/site.hpp"
#include "support/small_models.hpp"

namespace filigree {
namespace {

// Largest difference over the largest magnitude: one rounding of at most 2^-8 of what is written, two or three where a
// product rounds its factors or attention its weights.
constexpr double kOneRounding = 1.0 / 256;
constexpr double kSomeRoundings = 3.0 / 256;

double relative_error(const at::Tensor& actual, const at::Tensor& expected) {
    return ((actual.to(at::kFloat) - expected).abs().max() / expected.abs().max()).item<double>();
}

at::Tensor normal(at::IntArrayRef shape) { return at::randn(shape).to(test_device()); }
at::Tensor rounded(at::IntArrayRef shape) { return normal(shape).to(at::kBFloat16); }

at::Tensor leaf(const at::Tensor& values) {
    auto copy = values.detach().clone();
    copy.set_requires_grad(true);
    return copy;
}

using Op = std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>&, Plan)>;

struct Outcome {
    std::vector<at::Tensor> y, gradients;
};

class Bf16Ops : public testing::Test {
protected:
    void SetUp() override {
        if (ops::backend_of(test_device(), Plan::kFast) != ops::Backend::kCuda) {
            GTEST_SKIP() << "only the CUDA kernels take bf16; FILIGREE_EMULATED_CUDA has the emulated ones";
        }
    }

    /// y = op(inputs), and the gradients of the sum of all y times fixed numbers that bf16 has.
    static Outcome run(const Op& op, const std::vector<at::Tensor>& values, Plan plan,
                       const std::vector<at::Tensor>& dy) {
        std::vector<at::Tensor> inputs;
        for (const auto& value : values) {
            inputs.push_back(leaf(plan == Plan::kReference ? value.to(at::kFloat) : value));
        }
        Outcome result;
        result.y = op(inputs, plan);
        auto total = at::zeros({}, at::TensorOptions(test_device()));
        for (std::size_t i = 0; i < result.y.size(); ++i) {
            total = total + (result.y[i].to(at::kFloat) * dy[i].to(at::kFloat)).sum();
        }
        total.backward();
        for (const auto& input : inputs) result.gradients.push_back(input.grad());
        return result;
    }

    /// The fast plan on bf16 and the reference plan on the same numbers; every bound is that of its value or gradient.
    static void expect_close(const Op& op, const std::vector<at::Tensor>& values, const std::vector<at::Tensor>& dy,
                             double bound) {
        const auto fast = run(op, values, Plan::kFast, dy);
        const auto reference = run(op, values, Plan::kReference, dy);
        for (std::size_t i = 0; i < fast.y.size(); ++i) {
            EXPECT_LE(relative_error(fast.y[i], reference.y[i]), bound) << "value " << i;
        }
        for (std::size_t i = 0; i < values.size(); ++i) {
            EXPECT_EQ(fast.gradients[i].scalar_type(), values[i].scalar_type());
            EXPECT_LE(relative_error(fast.gradients[i], reference.gradients[i]), bound) << "gradient " << i;
        }
    }
};

TEST_F(Bf16Ops, SitesChooseTheSameEntriesAndRoundNothing) {
    constexpr std::int64_t kWidth = 72;
    const ops::SiteRule rule{kWidth / 4, {}, {}};
    const auto x = rounded({3, 20, 3 * kWidth});
    const auto dy = rounded({3, 20, kWidth});
    const auto apart = [&](const auto& in, Plan plan) {
        const auto parts = ops::split_sites({in[0], {}}, {rule, rule, rule}, plan);
        return std::vector<at::Tensor>(parts.begin(), parts.end());
    };
    const auto fast = run(apart, {x}, Plan::kFast, {dy, dy, dy});
    const auto reference = run(apart, {x}, Plan::kReference, {dy, dy, dy});
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(fast.y[i].scalar_type(), at::kBFloat16);
        EXPECT_TRUE(at::equal(fast.y[i].to(at::kFloat), reference.y[i]));
    }
    EXPECT_TRUE(at::equal(fast.gradients[0].to(at::kFloat), reference.gradients[0]));

    const auto residual = normal({3, 20, 3 * kWidth});
    const auto added = [&](const auto& in, Plan plan) {
        return std::vector{ops::add_site(residual, {in[0], {}}, {kWidth, {}, {}}, plan)};
    };
    const auto wide = std::vector{rounded({3, 20, 3 * kWidth})};
    const auto sum = run(added, {x}, Plan::kFast, wide);
    const auto expected = run(added, {x}, Plan::kReference, wide);
    EXPECT_EQ(sum.y[0].scalar_type(), at::kFloat);
    EXPECT_TRUE(at::equal(sum.y[0], expected.y[0]));
    EXPECT_TRUE(at::equal(sum.gradients[0].to(at::kFloat), expected.gradients[0]));
}

TEST_F(Bf16Ops, GeluAndNormsRoundOnce) {
    const auto dy = std::vector{rounded({4, 30, 130})};
    expect_close(
        [](const auto& in, Plan plan) {
            return std::vector{ops::gelu_site({in[0], {}}, {}, plan)};
        },
        {rounded({4, 30, 130})}, dy, kOneRounding);
    const auto gain = normal({130});
    expect_close(
        [](const auto& in, Plan plan) {
            const auto type = plan == Plan::kFast ? at::kBFloat16 : at::kFloat;
            const auto branch = ops::rms_norm_branch(in[0], in[1], {}, plan, type);
            return std::vector{branch.y, branch.x};
        },
        {normal({4, 30, 130}), gain}, {dy[0], dy[0]}, kOneRounding);
}

TEST_F(Bf16Ops, ProductsBySparseAndDenseWeights) {
    const Execution bf16{Precision::kBf16, Plan::kFast};
    constexpr std::int64_t kInputs = 96;
    constexpr std::int64_t kOutputs = 70;
    const auto w = (normal({kOutputs, kInputs}) * (normal({kOutputs, kInputs}) > 1.3)).contiguous();
    const auto sparse = std::make_shared<ops::SparseMatrix>();
    ASSERT_TRUE(sparse->assign(w, w.numel()));
    for (const auto& form :
         {std::shared_ptr<const ops::SparseMatrix>(), std::shared_ptr<const ops::SparseMatrix>(sparse)}) {
        expect_close(
            [&](const auto& in, Plan plan) {
                return std::vector{plan == Plan::kFast
                                       ? ops::linear(in[0], in[1], in[2], bf16, form)
                                       : ops::linear(in[0], in[1], in[2], {Precision::kFp32, Plan::kReference})};
            },
            {rounded({5, 40, kInputs}), w, normal({kOutputs}) * 10.0}, {rounded({5, 40, kOutputs})}, kSomeRoundings);
    }
}

TEST_F(Bf16Ops, AttentionOfHeadsWithAndWithoutTensorCores) {
    for (const std::int64_t head : {16, 8}) {
        const auto x = [&] { return rounded({2, 70, 3 * head}); };
        const auto op = [](const auto& in, Plan plan) {
            return std::vector{ops::attention(in[0], in[1], in[2], 3, in[3], plan)};
        };
        expect_close(op, {x(), x(), x(), normal({3})}, {x()}, kSomeRoundings);
    }
}

}  // namespace
}  // namespace filigree
