// SPDX-License-Identifier: Apache-2.0
// The fast plan of the matrix product and of the embedding against the reference one, forward and backward.
#include "ops/linear.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include <tuple>

#include "ops/backend.hpp"
#include "ops/embedding.hpp"

namespace filigree::ops {
namespace {

const Execution kFastPlan{Precision::kFp32, Plan::kFast};
const Execution kReferencePlan{Precision::kFp32, Plan::kReference};

at::Tensor sparse_values(at::IntArrayRef shape, double nonzero) {
    return at::randn(shape) * at::rand(shape).lt(nonzero);
}

struct Results {
    at::Tensor y, dx, dw, db;
};

/// One forward and backward on leaves of their own. @param collect whether dw and db go into gradients set beforehand.
Results run(const Execution& execution, const at::Tensor& x, const at::Tensor& w, const at::Tensor& b,
            const at::Tensor& dy, bool sparse, bool collect) {
    const auto leaf = [](const at::Tensor& t) { return t.defined() ? t.clone().set_requires_grad(true) : t; };
    const auto x_leaf = leaf(x);
    const auto w_leaf = leaf(w);
    const auto b_leaf = leaf(b);
    if (collect) {
        w_leaf.mutable_grad() = at::zeros_like(w);
        if (b.defined()) b_leaf.mutable_grad() = at::zeros_like(b);
    }
    std::shared_ptr<SparseMatrix> form;
    if (sparse) {
        form = std::make_shared<SparseMatrix>();
        EXPECT_TRUE(form->assign(w, w.numel()));
    }
    const auto y = linear(x_leaf, w_leaf, b_leaf, execution, form);
    y.backward(dy);
    return {y.detach(), x_leaf.grad(), w_leaf.grad(), b.defined() ? b_leaf.grad() : at::Tensor()};
}

void expect_near(const at::Tensor& actual, const at::Tensor& expected, const at::Tensor& bound) {
    EXPECT_TRUE(at::abs(actual - expected).le(bound).all().item<bool>())
        << "by " << at::abs(actual - expected).max().item<double>();
}

TEST(FastLinear, MatchesTheReferenceForSparseAndDenseFactors) {
    for (const auto& [rows, m, n] : {std::tuple<std::int64_t, std::int64_t, std::int64_t>{1, 1, 1},
                                     {3, 7, 5},
                                     {70, 33, 129},
                                     {200, 300, 70},
                                     {64, 128, 128}}) {
        for (const double kept : {0.0, 0.25, 1.0}) {
            for (const double density : {0.0, 0.1, 1.0}) {
                const auto x = sparse_values({rows, n}, kept);
                const auto w = sparse_values({m, n}, density);
                const auto b = at::randn({m});
                const auto dy = sparse_values({rows, m}, kept);
                const auto expected = run(kReferencePlan, x, w, b, dy, false, false);
                // 2 (k + 1) roundings of at most half a unit in the last place of the sum of magnitudes.
                const auto bound = [](const at::Tensor& magnitudes, std::int64_t k) {
                    return magnitudes * (2.4e-7 * static_cast<double>(k + 1)) + 1e-30;
                };
                const auto of_y = bound(at::abs(x).matmul(at::abs(w).t()) + at::abs(b), n);
                const auto of_dx = bound(at::abs(dy).matmul(at::abs(w)), m);
                const auto of_dw = bound(at::abs(dy).t().matmul(at::abs(x)), rows);
                const auto of_db = bound(at::abs(dy).sum(0), rows);
                Results first;
                for (const bool sparse : {false, true}) {
                    for (const bool collect : {false, true}) {
                        const auto actual = run(kFastPlan, x, w, b, dy, sparse, collect);
                        expect_near(actual.y, expected.y, of_y);
                        expect_near(actual.dx, expected.dx, of_dx);
                        expect_near(actual.dw, expected.dw, of_dw);
                        expect_near(actual.db, expected.db, of_db);
                        if (!first.y.defined()) first = actual;
                        // The plan of a matrix is about time alone: no bit differs. On a device dense products are
                        // LibTorch's, which sum in an order of their own.
                        if (ops::backend_of(x, Plan::kFast) == ops::Backend::kCpu) {
                            EXPECT_TRUE(at::equal(actual.y, first.y));
                            EXPECT_TRUE(at::equal(actual.dx, first.dx));
                        }
                        EXPECT_TRUE(at::equal(actual.dw, first.dw));
                        EXPECT_TRUE(at::equal(actual.db, first.db));
                    }
                }
            }
        }
    }
}

TEST(FastLinear, RoundsDenseFactorsToBf16AndNoOthers) {
    const Execution bf16{Precision::kBf16, Plan::kFast};
    for (const auto& [rows, m, n] :
         {std::tuple<std::int64_t, std::int64_t, std::int64_t>{1, 1, 1}, {3, 7, 5}, {71, 33, 129}, {300, 300, 70}}) {
        const auto w = at::randn({m, n});
        const auto b = at::randn({m});
        for (const double kept : {0.1, 1.0}) {
            const auto x = sparse_values({rows, n}, kept);
            const auto dy = sparse_values({rows, m}, kept);
            const auto exact = run(kFastPlan, x, w, b, dy, false, false);
            const auto actual = run(bf16, x, w, b, dy, false, true);
            EXPECT_TRUE(at::equal(actual.db, exact.db));
            if (kept < 1.0 && rows > 1) {
                EXPECT_TRUE(rows < 64 || at::equal(actual.y, exact.y)) << "its zeros are left out";
                EXPECT_TRUE(rows < 64 || at::equal(actual.dw, exact.dw));
                continue;
            }
            // Two factors, each within 2^-8 of itself, and the roundings of the sum.
            const auto bound = [](const at::Tensor& magnitudes) { return magnitudes * (2.0 / 256 + 1e-4) + 1e-30; };
            expect_near(actual.y, exact.y, bound(at::abs(x).matmul(at::abs(w).t()) + at::abs(b)));
            expect_near(actual.dx, exact.dx, bound(at::abs(dy).matmul(at::abs(w))));
            expect_near(actual.dw, exact.dw, bound(at::abs(dy).t().matmul(at::abs(x))));
            EXPECT_TRUE(m < 7 || !at::equal(actual.dw, exact.dw)) << "bf16 was not used";
            EXPECT_TRUE(at::equal(logits(x, w, bf16), logits(x, w, kFastPlan))) << "logits are fp32";
        }
    }
}

TEST(FastLinear, TakesNoBiasFrozenWeightsAndAnyLeadingShape) {
    const auto x = sparse_values({2, 5, 12}, 0.25).set_requires_grad(true);
    const auto w = sparse_values({9, 12}, 0.2);
    const auto form = std::make_shared<SparseMatrix>();
    ASSERT_TRUE(form->assign(w, w.numel()));
    const auto expected = linear(x, w, at::Tensor(), kReferencePlan);
    const auto actual = linear(x, w, at::Tensor(), kFastPlan, form);
    EXPECT_EQ(actual.sizes(), expected.sizes());
    EXPECT_TRUE(at::allclose(actual, expected, 1e-5, 1e-6));
    actual.sum().backward();
    EXPECT_TRUE(at::allclose(x.grad(), w.sum(0).expand({2, 5, 12}), 1e-5, 1e-6));
}

TEST(FastLinear, AddsToAGradientThatIsThere) {
    const auto x = at::randn({4, 3});
    const auto w = at::randn({2, 3}).set_requires_grad(true);
    for (int i = 0; i < 2; ++i) linear(x, w, at::Tensor(), kFastPlan).sum().backward();
    EXPECT_TRUE(at::allclose(w.grad(), 2 * x.sum(0).expand({2, 3}), 1e-5, 1e-6));
}

TEST(SparseMatrix, RefusesMoreNonzerosThanItMayTake) {
    SparseMatrix form;
    EXPECT_FALSE(form.assign(at::ones({4, 5}), 19));
    EXPECT_TRUE(form.assign(at::ones({4, 5}), 20));
    EXPECT_EQ(form.rows().count[3], 5);
    EXPECT_EQ(form.columns().count[4], 4);
}

TEST(FastEmbedding, MatchesTheReference) {
    const auto tokens = at::randint(0, 11, {6, 9}, at::kLong);
    const auto table = at::randn({11, 37});
    const auto dx = at::randn({6, 9, 37});
    const auto gradient = [&](const Execution& execution, bool collect) {
        const auto leaf = table.clone().set_requires_grad(true);
        if (collect) leaf.mutable_grad() = at::zeros_like(table);
        const auto x = embedding(leaf, tokens, execution);
        EXPECT_TRUE(at::equal(x, table.index_select(0, tokens.flatten()).view({6, 9, 37})));
        x.backward(dx);
        return leaf.grad();
    };
    const auto expected = gradient(kReferencePlan, false);
    for (const bool collect : {false, true}) {
        EXPECT_TRUE(at::allclose(gradient(kFastPlan, collect), expected, 1e-5, 1e-5));
    }
}

}  // namespace
}  // namespace filigree::ops
