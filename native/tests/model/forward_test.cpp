// SPDX-License-Identifier: Apache-2.0
#include "model/forward.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <string>
#include <vector>

#include "ops/backend.hpp"
#include "prune/task_score.hpp"
#include "support/small_models.hpp"

namespace filigree {
namespace {

class Recorder : public ForwardHook {
public:
    at::Tensor at_site(const Site& site, at::Tensor x) override {
        sites.emplace_back(site.name, x);
        return x;
    }
    at::Tensor at_heads(std::int64_t layer, at::Tensor y) override {
        heads.emplace_back(layer, y);
        return y;
    }
    at::Tensor at_residual(std::int64_t half_layer, at::Tensor x) override {
        residuals.emplace_back(half_layer, x);
        return x;
    }
    std::vector<std::pair<std::string, at::Tensor>> sites;
    std::vector<std::pair<std::int64_t, at::Tensor>> heads;
    std::vector<std::pair<std::int64_t, at::Tensor>> residuals;
};

class Forward : public testing::TestWithParam<bool> {
protected:
    std::shared_ptr<Model> model_ = [] {
        auto config = small_model_json();
        if (!GetParam()) config["afrac"] = nullptr;
        return make_model(config, /*positions=*/true);
    }();
    at::Tensor tokens_ = random_batch(*model_, 3, 15);
    at::NoGradGuard no_grad_;
    at::Tensor plain_ = forward(model_->context(), tokens_, nullptr);
};

TEST_P(Forward, WithAllGatesOpenIsBitIdentical) {
    GateHook open(at::ones({model_->nodes().size()}), at::randn({model_->nodes().size()}));
    EXPECT_TRUE(at::equal(forward(model_->context(), tokens_, &open), plain_));
}

TEST_P(Forward, IsNotChangedByRecordingAndVisitsEverySiteInOrder) {
    Recorder recorder;
    EXPECT_TRUE(at::equal(forward(model_->context(), tokens_, &recorder), plain_));
    ASSERT_EQ(recorder.sites.size(), model_->nodes().sites().size());
    for (std::size_t i = 0; i < recorder.sites.size(); ++i) {
        const auto& site = model_->nodes().sites()[i];
        EXPECT_EQ(recorder.sites[i].first, site.name);
        EXPECT_EQ(recorder.sites[i].second.size(2), site.width);
    }
    EXPECT_EQ(recorder.heads.size(), 2U);
    EXPECT_EQ(recorder.residuals.size(), 5U);
    EXPECT_TRUE(at::equal(recorder.residuals.back().second, plain_));
}

TEST_P(Forward, FromAnyRecordedResidualEqualsTheWhole) {
    Recorder recorder;
    static_cast<void>(forward(model_->context(), tokens_, &recorder));
    for (const auto& [half_layer, residual] : recorder.residuals) {
        EXPECT_TRUE(at::equal(run_layers(model_->context(), residual, half_layer, nullptr), plain_)) << half_layer;
    }
}

TEST_P(Forward, GoesOnWithWhatAHookReturns) {
    class Silence : public ForwardHook {
    public:
        at::Tensor at_site(const Site& site, at::Tensor x) override {
            return site.kind == SiteKind::kAttnOut || site.kind == SiteKind::kMlpOut ? x * 0.0 : x;
        }
    } silence;
    EXPECT_TRUE(at::equal(forward(model_->context(), tokens_, &silence), embed(model_->context(), tokens_)));
}

TEST_P(Forward, IsCausal) {
    auto changed = tokens_.clone();
    changed.select(1, 14).add_(1).remainder_(61);
    const auto other = forward(model_->context(), changed, nullptr);
    EXPECT_TRUE(at::equal(other.narrow(1, 0, 14), plain_.narrow(1, 0, 14)));
    EXPECT_FALSE(at::equal(other, plain_));
}

INSTANTIATE_TEST_SUITE_P(SparseAndDense, Forward, testing::Bool());

TEST(ActivationSparsity, KeepsAtMostItsFractionAtEverySite) {
    const at::NoGradGuard no_grad;
    const auto model = make_model();
    Recorder recorder;
    static_cast<void>(forward(model->context(), random_batch(*model, 2, 17), &recorder));
    for (std::size_t i = 0; i < recorder.sites.size(); ++i) {
        const auto& site = model->nodes().sites()[i];
        const auto kept = recorder.sites[i].second.ne(0).sum(2);
        EXPECT_EQ(kept.max().item<std::int64_t>(), site.width / 4) << site.name;
    }
}

/// The plans' sums differ by roundings, so a node may be chosen by one alone where it is as near to the threshold.
TEST(ActivationSparsity, BothPlansKeepTheSameNodesUpToRounding) {
    const at::NoGradGuard no_grad;
    const auto config = parse_model_config(wide_model_json().dump());
    const auto record = [&](Plan plan) {
        Model model(config, ModelInit{1, true, {Precision::kFp32, plan}}, test_device());
        Recorder recorder;
        static_cast<void>(forward(model.context(), random_batch(model, 4, 128), &recorder));
        return recorder.sites;
    };
    const auto fast = record(Plan::kFast);
    const auto reference = record(Plan::kReference);
    ASSERT_EQ(fast.size(), reference.size());
    for (std::size_t i = 0; i < fast.size(); ++i) {
        const auto& a = fast[i].second;
        const auto& b = reference[i].second;
        const auto differ = a.ne(0).logical_xor(b.ne(0));
        if (!differ.any().item<bool>()) continue;
        const auto smallest = [](const at::Tensor& x) {
            return x.abs().masked_fill(x.eq(0), std::numeric_limits<float>::infinity()).amin(-1, /*keepdim=*/true);
        };
        const auto above = ((a - b).abs() / at::minimum(smallest(a), smallest(b))).masked_select(differ) - 1.0;
        EXPECT_LE(above.max().item<double>(), 4.0 * 1.2e-7) << fast[i].first;
    }
}

TEST(Bf16Precision, StaysNearFp32AndKeepsFp32Results) {
    const at::NoGradGuard no_grad;
    auto config = small_model_json();
    config["afrac"] = nullptr;  // a different top-k choice would be a difference of kind, not of rounding
    const auto exact = make_model(config);
    Model rounded(parse_model_config(config.dump()), ModelInit{1, false, {Precision::kBf16}}, test_device());
    const auto tokens = random_batch(*exact, 2, 17);
    const auto expected = forward(exact->context(), tokens, nullptr);
    const auto actual = forward(rounded.context(), tokens, nullptr);
    EXPECT_EQ(actual.scalar_type(), at::kFloat);
    const auto error = (actual - expected).norm().item<double>() / expected.norm().item<double>();
    EXPECT_GT(error, 0.0);
    EXPECT_LT(error, 0.02);  // bf16 has 8 bits: 2^-8 per product, a few products deep
}

TEST(Bf16Precision, HalvesWhatKernelsOfADeviceMoveUnlessSomebodyLooksOn) {
    class Onlooker : public ForwardHook {};
    const at::NoGradGuard no_grad;
    auto config = small_model_json();
    config["afrac"] = nullptr;
    const Model model(parse_model_config(config.dump()), ModelInit{1, false, {Precision::kBf16}}, test_device());
    const auto tokens = random_batch(model, 2, 17);
    Onlooker onlooker;
    const auto alone = forward(model.context(), tokens, nullptr);
    const auto watched = forward(model.context(), tokens, &onlooker);
    const auto last = at::full({2}, 16, tokens.options());
    const auto read = forward(model.context(), tokens, nullptr, last);
    EXPECT_TRUE(at::allclose(read, watched.narrow(1, 16, 1), 1e-5, 1e-6)) << "one position alone is not rounded either";
    if (ops::backend_of(tokens, Plan::kFast) != ops::Backend::kCuda) {
        EXPECT_TRUE(at::equal(alone, watched));
        return;
    }
    const auto error = (alone - watched).norm().item<double>() / watched.norm().item<double>();
    EXPECT_GT(error, 0.0);
    EXPECT_LT(error, 0.02);
}

}  // namespace
}  // namespace filigree
