// SPDX-License-Identifier: Apache-2.0
#include "circuit/token_choice.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/ones.h>
#include <c10/core/GradMode.h>

#include <numeric>

#include "circuit/circuit_fixture.hpp"

namespace filigree {
namespace {

/// Every answer of cue_examples() is said by the first token, 2 or 3; the others are noise.
class TokenChoices : public CircuitFixture {
protected:
    [[nodiscard]] std::int64_t vocabulary() const { return model_->config().vocab_size; }
    /// Every node is open.
    [[nodiscard]] CircuitMask open() const {
        auto mask = whole();
        mask.embedding = model_->context().weights.wte.mean(0);
        return mask;
    }
    [[nodiscard]] TokenChoice choose(double target, const CircuitMask& mask) const {
        return choose_tokens(train_, validation_, mask, target, /*calibrate=*/true);
    }
    static std::int64_t kept(const TokenChoice& choice) {
        return std::accumulate(choice.keep.begin(), choice.keep.end(), std::int64_t{0});
    }

    Examples train_ = cue_examples(model_, 40, 9);
    Examples validation_ = cue_examples(model_, 30, 10);
};

TEST_F(TokenChoices, TokensLeftOutAreEmbeddedAsOne) {
    const at::NoGradGuard no_grad;
    auto mask = mask_;
    mask.embedding = model_->context().weights.wte.mean(0);
    mask.tokens = at::ones({vocabulary()}, at::kBool);
    mask.tokens.slice(0, 0, vocabulary(), 2).fill_(false);
    const auto found = run(mask);

    const auto wte = model_->context().weights.wte;
    wte.slice(0, 0, vocabulary(), 2).copy_(mask.embedding.clone().unsqueeze(0));
    const auto expected = run(mask_);
    for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_EQ(found[i].difference, expected[i].difference) << i;
    }
}

TEST_F(TokenChoices, OnlyTheCueIsToldApart) {
    const auto choice = choose(0.1, open());
    EXPECT_LE(choice.verdict.loss, 0.1);
    EXPECT_GE(kept(choice), 1) << "with nothing told apart both members look the same";
    EXPECT_EQ(kept(choice), choice.keep[2] + choice.keep[3]);

    auto mask = open();
    mask.tokens = at::ones({vocabulary()}, at::kBool);
    for (std::int64_t token = 0; token < vocabulary(); ++token) {
        mask.tokens[token] = choice.keep[static_cast<std::size_t>(token)] != 0;
    }
    CircuitHook on_train(mask);
    CircuitHook on_validation(mask);
    const auto verdict = judge(run_sequences(train_, &on_train), run_sequences(validation_, &on_validation), true);
    EXPECT_EQ(choice.verdict.loss, verdict.loss);
    EXPECT_EQ(choice.verdict.calibration.scale, verdict.calibration.scale);
}

TEST_F(TokenChoices, AllStayWhereTheTargetIsOutOfReach) {
    const auto choice = choose(1e-12, open());
    EXPECT_GT(choice.verdict.loss, 1e-12);
    EXPECT_EQ(kept(choice), vocabulary());
}

TEST_F(TokenChoices, BeginsWithThoseTheCircuitHas) {
    auto mask = open();
    mask.tokens = at::ones({vocabulary()}, at::kBool);
    mask.tokens[2] = false;
    const auto choice = choose(0.1, mask);
    EXPECT_LE(choice.verdict.loss, 0.1);
    EXPECT_EQ(choice.keep[2], 0);
    EXPECT_EQ(kept(choice), 1);
    EXPECT_EQ(choice.keep[3], 1) << "somebody has to tell the members apart";
}

}  // namespace
}  // namespace filigree
