// SPDX-License-Identifier: Apache-2.0
#include "circuit/donors.hpp"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <map>
#include <utility>

#include "circuit/circuit_fixture.hpp"

namespace filigree {
namespace {

using Donors = CircuitFixture;

at::Tensor own_rows(const Examples& examples) { return at::arange(examples.sequences(), at::kLong); }
at::Tensor other_member(const Examples& examples) { return own_rows(examples).bitwise_xor(1); }

/// Puts recorded activations where the gate is closed, one sequence at a time: what DonorHook does in one batch.
class Patch : public ForwardHook {
public:
    Patch(at::Tensor gates, std::map<std::string, at::Tensor> recorded)
        : gates_(std::move(gates)), recorded_(std::move(recorded)) {}
    at::Tensor at_site(const Site& site, at::Tensor x) override {
        const auto closed = gates_.narrow(0, site.offset, site.width).eq(0);
        return closed.logical_not() * x + closed * recorded_.at(site.name);
    }

private:
    at::Tensor gates_;
    std::map<std::string, at::Tensor> recorded_;
};

class Record : public ForwardHook {
public:
    at::Tensor at_site(const Site& site, at::Tensor x) override {
        recorded.emplace(site.name, x);
        return x;
    }
    std::map<std::string, at::Tensor> recorded;
};

TEST_F(Donors, ClosedNodesTakeWhatTheWholeModelHasOnTheDonor) {
    const at::NoGradGuard no_grad;
    const auto donors = (own_rows(examples_) + 5).remainder(examples_.sequences());
    const auto found = run_with_donors(examples_, mask_.gates, donors);
    ASSERT_EQ(found.size(), 12U);
    for (std::int64_t row = 0; row < examples_.sequences(); ++row) {
        Record record;
        static_cast<void>(forward(model_->context(), examples_.select(donors.narrow(0, row, 1)).tokens, &record));
        Patch patch(mask_.gates, record.recorded);
        const auto one = examples_.select(own_rows(examples_).narrow(0, row, 1));
        const auto answer = one.positions.item<std::int64_t>();
        const auto x = forward(model_->context(), one.tokens, &patch);  // [1, T, d]
        const auto logits = unembed(model_->context(), x.select(1, answer), one.tokens.select(1, answer));
        const auto expected = logit_differences(one, logits).item<double>();
        // The same arithmetic on a batch of another size.
        EXPECT_NEAR(found[static_cast<std::size_t>(row)].difference, expected, 1e-5 + 1e-5 * std::abs(expected)) << row;
    }
}

TEST_F(Donors, ASequenceThatIsItsOwnDonorIsLeftAlone) {
    const auto whole = run_task(examples_, nullptr).sequences;
    const auto found = run_with_donors(examples_, mask_.gates, own_rows(examples_));
    for (std::size_t i = 0; i < whole.size(); ++i) EXPECT_NEAR(found[i].difference, whole[i].difference, 1e-5);
}

TEST_F(Donors, WithoutAnyNodeOfItsOwnASequenceAnswersAsItsDonor) {
    // The residual of the first half-layer is the token's own; nothing else is left of a sequence.
    const auto whole = run_task(examples_, nullptr).sequences;
    const auto swapped = run_with_donors(examples_, at::zeros_like(mask_.gates), other_member(examples_));
    for (std::size_t i = 0; i < whole.size(); ++i) {
        EXPECT_GT(whole[i].difference * whole[i].sign, 0.0) << "the model knows the answers";
        EXPECT_LT(swapped[i].difference * swapped[i].sign, 0.0) << i;
        EXPECT_EQ(swapped[i].sign, whole[i].sign);
    }
}

TEST_F(Donors, AreOfAnotherPairNoShorterAndOfEitherAnswer) {
    const auto examples = cue_examples(model_, 100);
    const auto donors = draw_donors(examples, RandomStream(5, Purpose::kDonors, 0));
    ASSERT_EQ(donors.numel(), examples.sequences());
    const auto lengths = examples.positions.view({-1, 2}).amax(1);
    std::int64_t same_member = 0;
    for (std::int64_t row = 0; row < donors.numel(); ++row) {
        const auto donor = donors[row].item<std::int64_t>();
        EXPECT_NE(donor / 2, row / 2);
        const auto own = lengths[row / 2].item<std::int64_t>();
        if (own < lengths.max().item<std::int64_t>()) EXPECT_GE(lengths[donor / 2].item<std::int64_t>(), own);
        same_member += donor % 2 == row % 2 ? 1 : 0;
    }
    // 200 tosses of a coin: six standard deviations are 42.
    EXPECT_NEAR(same_member, 100, 42);
    EXPECT_FALSE(at::equal(donors, draw_donors(examples, RandomStream(5, Purpose::kDonors, 1))));
}

TEST_F(Donors, FrozenNormsAreThoseOfTheWholeModel) {
    const auto donors = other_member(examples_);
    const auto own = run_with_donors(examples_, mask_.gates, donors);
    const auto frozen = run_with_donors(examples_, mask_.gates, donors, true);
    double apart = 0.0;
    for (std::size_t i = 0; i < own.size(); ++i) apart += std::abs(own[i].difference - frozen[i].difference);
    EXPECT_GT(apart, 1e-3);
    // A sequence that is its own donor has the whole model's norms either way.
    const auto whole = run_task(examples_, nullptr).sequences;
    const auto itself = run_with_donors(examples_, mask_.gates, own_rows(examples_), true);
    for (std::size_t i = 0; i < whole.size(); ++i) EXPECT_NEAR(itself[i].difference, whole[i].difference, 1e-4);
}

TEST_F(Donors, GradientsReachTheGatesAndNotTheDonors) {
    // Finite differences across a choice of AbsTopK would measure its jump.
    auto config = small_model_json();
    config["afrac"] = nullptr;
    model_ = make_model(config);
    {
        const at::NoGradGuard no_grad;
        model_->values().narrow(0, 0, model_->table().decayed_size()).mul_(8.0);  // fresh weights hardly matter
    }
    examples_ = cue_examples(model_, 6);
    auto gates = mask_.gates.clone();
    gates.set_requires_grad(true);
    DonorHook hook(gates);
    const auto rows = own_rows(examples_);
    differences_with_donors(examples_, rows, other_member(examples_), hook).sum().backward();
    EXPECT_GT(gates.grad().count_nonzero().item<std::int64_t>(), 50);

    // The derivative in one gate, by central differences: donors run whole whatever the gates are.
    const at::NoGradGuard no_grad;
    const auto sum_at = [&](std::int64_t node, double step) {
        auto moved = mask_.gates.clone();
        moved.select(0, node).add_(step);
        DonorHook other(moved);
        return differences_with_donors(examples_, rows, other_member(examples_), other)
            .to(at::kDouble)
            .sum()
            .item<double>();
    };
    const auto node = gates.grad().abs().argmax().item<std::int64_t>();
    const auto expected = (sum_at(node, 1e-2) - sum_at(node, -1e-2)) / 2e-2;
    EXPECT_NEAR(gates.grad().select(0, node).item<double>(), expected, 0.02 * std::abs(expected));
}

}  // namespace
}  // namespace filigree
