// SPDX-License-Identifier: Apache-2.0
#include "sparsity/revival.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include <string>

#include "support/small_models.hpp"

namespace filigree {
namespace {

constexpr std::int64_t kA = 24;  // attention width of the small model
constexpr std::int64_t kWeights = 3;

class Reviving : public testing::Test {
protected:
    at::Tensor tensor(const std::string& name) const {
        return model_->tensor(model_->table().find("transformer.h.1." + name));
    }
    std::int64_t live(const at::Tensor& line) const { return line.count_nonzero().item<std::int64_t>(); }
    std::int64_t revive(double share = 0.5, std::uint64_t seed = 5) {
        return revive_dead_units(*model_, m_, v_, {1, 1.0, kWeights, share}, {seed, Purpose::kRevival, 1});
    }

    std::shared_ptr<Model> model_ = make_model();
    at::Tensor m_ = at::ones({model_->table().trainable_size()});
    at::Tensor v_ = at::ones({model_->table().trainable_size()});
};

TEST_F(Reviving, LeavesAModelWithoutDeadUnitsAlone) {
    const auto before = model_->values().clone();
    EXPECT_EQ(revive(), 0);
    EXPECT_TRUE(at::equal(model_->values(), before));
    EXPECT_TRUE(m_.eq(1).all().item<bool>());
}

TEST_F(Reviving, GivesEveryEmptyLineOfADeadUnitItsWeights) {
    tensor("mlp.c_fc.weight").select(0, 7).zero_();              // a neuron that nothing writes
    tensor("mlp.c_proj.weight").select(1, 9).zero_();            // one that nothing reads
    tensor("attn.c_attn.weight").select(0, 4).zero_();           // a query
    tensor("attn.c_attn.weight").select(0, kA + 4).zero_();      // and its key
    tensor("attn.c_attn.weight").select(0, 2 * kA + 6).zero_();  // a value
    tensor("attn.c_proj.weight").select(1, 6).zero_();           // that nothing reads either
    const auto before = model_->values().clone();
    EXPECT_EQ(revive(), 4);
    EXPECT_EQ(live(tensor("mlp.c_fc.weight").select(0, 7)), kWeights);
    EXPECT_EQ(live(tensor("mlp.c_proj.weight").select(1, 9)), kWeights);
    EXPECT_EQ(live(tensor("attn.c_attn.weight").select(0, 4)), kWeights);
    EXPECT_EQ(live(tensor("attn.c_attn.weight").select(0, kA + 4)), kWeights);
    EXPECT_EQ(live(tensor("attn.c_attn.weight").select(0, 2 * kA + 6)), kWeights);
    EXPECT_EQ(live(tensor("attn.c_proj.weight").select(1, 6)), kWeights);
    // Nothing else changed, and the moments are 0 exactly where something did.
    const auto changed = model_->values().ne(before).narrow(0, 0, m_.numel());
    EXPECT_EQ(changed.sum().item<std::int64_t>(), 6 * kWeights);
    EXPECT_TRUE(at::equal(m_.eq(0), changed));
    EXPECT_TRUE(at::equal(v_.eq(0), changed));
}

TEST_F(Reviving, NewWeightsHaveTheMedianMagnitudeOfTheirMatrix) {
    const auto matrix = tensor("mlp.c_fc.weight");
    matrix.fill_(0.25);
    matrix.narrow(0, 0, 20).fill_(-8.0);  // 20 of 69 live rows
    matrix.select(0, 33).zero_();
    EXPECT_EQ(revive(), 1);
    const auto row = matrix.select(0, 33);
    EXPECT_EQ(row.abs().max().item<float>(), 0.25F);
    EXPECT_EQ(live(row), kWeights);
}

TEST_F(Reviving, AChannelWithABiasIsNotDead) {
    const auto bias = tensor("attn.c_attn.bias");
    for (const auto row : {4L, kA + 5, 2 * kA + 6}) {
        tensor("attn.c_attn.weight").select(0, row).zero_();
        bias.select(0, row).fill_(0.5);
    }
    EXPECT_EQ(revive(), 0);
}

TEST_F(Reviving, StopsAtItsShareAndTakesUnitsInRandomOrder) {
    const auto matrix = tensor("mlp.c_fc.weight");
    matrix.narrow(0, 0, 60).zero_();  // 10 live rows of 30
    constexpr double kShare = 0.05;   // 15 weights: 5 neurons
    const auto before = model_->values().clone();
    EXPECT_EQ(revive(kShare, 5), 5);
    const auto first = matrix.ne(0).any(1);
    EXPECT_EQ(first.sum().item<std::int64_t>(), 15);
    model_->values().copy_(before);
    EXPECT_EQ(revive(kShare, 5), 5);
    EXPECT_TRUE(at::equal(matrix.ne(0).any(1), first)) << "a seed draws the same units";
    model_->values().copy_(before);
    EXPECT_EQ(revive(kShare, 6), 5);
    EXPECT_FALSE(at::equal(matrix.ne(0).any(1), first)) << "another seed draws others";
}

TEST_F(Reviving, AUnitWhoseLinesDoNotAllFitStaysDead) {
    tensor("mlp.c_fc.weight").select(0, 7).zero_();
    tensor("mlp.c_proj.weight").zero_();  // without live weights it may take none
    EXPECT_EQ(revive(), 0);
    EXPECT_EQ(live(tensor("mlp.c_fc.weight").select(0, 7)), 0);
}

TEST(RevivalRule, IsDueEverySoManyStepsUntilItsEnd) {
    const Revival rule{10, 0.5, 1, 0.1};
    EXPECT_FALSE(rule.due(5, 100));
    EXPECT_TRUE(rule.due(10, 100));
    EXPECT_TRUE(rule.due(50, 100));
    EXPECT_FALSE(rule.due(60, 100));
    EXPECT_FALSE((Revival{0, 1.0, 1, 0.1}.due(10, 100)));
}

}  // namespace
}  // namespace filigree
