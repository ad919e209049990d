// SPDX-License-Identifier: Apache-2.0
#include "circuit/edges.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <utility>

#include "support/small_models.hpp"

namespace filigree {
namespace {

/// The quote circuit of Figure 4 of the paper with its own channel numbers (d = 1024, 128 heads of 8); its layers 0 and
/// 10 are layers 0 and 1 here.
class Figure4 : public testing::Test {
protected:
    static std::shared_ptr<Model> empty_model() {
        auto config = small_model_json();
        config.update({{"d_model", 1024},
                       {"n_head", 128},
                       {"d_head", 8},
                       {"d_mlp", 4096},
                       {"block_size", 4},
                       {"vocab_size", 16},
                       {"enable_bigram_table", false}});
        return std::make_shared<Model>(parse_model_config(config.dump()), ModelInit{}, at::kCPU,
                                       Model::Uninitialised{});
    }
    void weight(const std::string& name, std::int64_t row, std::int64_t column, double value) {
        model_->tensor(model_->table().find("transformer.h." + name + ".weight"))
            .select(0, row)
            .select(0, column)
            .fill_(value);
    }
    void bias(const std::string& name, std::int64_t row, double value) {
        model_->tensor(model_->table().find("transformer.h." + name + ".bias")).select(0, row).fill_(value);
    }
    std::uint32_t node(std::int64_t layer, SiteKind kind, std::int64_t channel) {
        const auto index = model_->nodes().site(layer, kind).offset + channel;
        keep_[static_cast<std::size_t>(index)] = 1;
        return static_cast<std::uint32_t>(index);
    }

    std::shared_ptr<Model> model_ = empty_model();
    std::vector<std::uint8_t> keep_ = std::vector<std::uint8_t>(static_cast<std::size_t>(model_->nodes().size()));
};

TEST_F(Figure4, HasTwelveNodesAndNineEdges) {
    constexpr std::int64_t kKeys = 1024;  // first key row of c_attn
    constexpr std::int64_t kValues = 2048;
    constexpr std::int64_t kQk = 82 * 8 + 1;
    constexpr std::int64_t kV = 82 * 8;
    weight("0.mlp.c_fc", 2790, 205, -0.2);
    weight("0.mlp.c_fc", 863, 207, -0.1);
    weight("0.mlp.c_proj", 985, 2790, -0.15);
    weight("0.mlp.c_proj", 460, 2790, -0.15);
    weight("0.mlp.c_proj", 985, 863, -0.23);
    weight("0.mlp.c_proj", 460, 863, 0.18);
    weight("1.attn.c_attn", kKeys + kQk, 985, 1.56);
    weight("1.attn.c_attn", kValues + kV, 460, -2.5);
    weight("1.attn.c_proj", 83, kV, 0.7);
    // Biases are annotations of a node, not edges.
    bias("1.attn.c_attn", kQk, 4.0);
    bias("1.attn.c_attn", kKeys + kQk, 6.0);
    bias("1.attn.c_attn", kValues + kV, 0.2);
    // Weights that leave the circuit are not edges either.
    weight("0.mlp.c_fc", 2790, 11, 0.5);
    weight("0.mlp.c_proj", 12, 863, 0.5);
    weight("1.attn.c_attn", kQk, 13, 0.5);

    const auto in_205 = node(0, SiteKind::kMlpIn, 205);
    node(0, SiteKind::kMlpIn, 207);
    const auto neuron_2790 = node(0, SiteKind::kMlpNeuron, 2790);
    node(0, SiteKind::kMlpNeuron, 863);
    node(0, SiteKind::kMlpOut, 985);
    node(0, SiteKind::kMlpOut, 460);
    const auto read_985 = node(1, SiteKind::kAttnIn, 985);
    const auto read_460 = node(1, SiteKind::kAttnIn, 460);
    node(1, SiteKind::kAttnQ, kQk);
    const auto key = node(1, SiteKind::kAttnK, kQk);
    const auto value = node(1, SiteKind::kAttnV, kV);
    const auto out_83 = node(1, SiteKind::kAttnOut, 83);
    EXPECT_EQ(std::count(keep_.begin(), keep_.end(), 1), 12);

    const auto edges = circuit_edges(*model_, keep_.data());
    EXPECT_EQ(edges.size(), 9U);
    std::map<std::pair<std::uint32_t, std::uint32_t>, float> weights;
    for (const auto& edge : edges) weights[{edge.source, edge.target}] = edge.weight;
    EXPECT_FLOAT_EQ((weights.at({in_205, neuron_2790})), -0.2F);
    EXPECT_FLOAT_EQ((weights.at({read_985, key})), 1.56F);
    EXPECT_FLOAT_EQ((weights.at({read_460, value})), -2.5F);
    EXPECT_FLOAT_EQ((weights.at({value, out_83})), 0.7F);
}

TEST_F(Figure4, NeuronWithOneReadAndOneWriteIsThreeNodesAndTwoEdges) {  // footnote 3
    weight("0.mlp.c_fc", 7, 3, 1.0);
    weight("0.mlp.c_proj", 5, 7, 1.0);
    node(0, SiteKind::kMlpIn, 3);
    node(0, SiteKind::kMlpNeuron, 7);
    node(0, SiteKind::kMlpOut, 5);
    EXPECT_EQ(circuit_edges(*model_, keep_.data()).size(), 2U);
}

TEST(Edges, OfTheWholeModelAreAllNonzeroBlockWeights) {
    const auto model = make_model();
    const std::vector<std::uint8_t> keep(static_cast<std::size_t>(model->nodes().size()), 1);
    std::int64_t expected = 0;
    for (const auto& parameter : model->table().parameters()) {
        if (parameter.family == Family::kMatrix) {
            expected += model->tensor(parameter).count_nonzero().item<std::int64_t>();
        }
    }
    EXPECT_EQ(static_cast<std::int64_t>(circuit_edges(*model, keep.data()).size()), expected);
}

}  // namespace
}  // namespace filigree
