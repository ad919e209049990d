// SPDX-License-Identifier: Apache-2.0
#include "circuit/recording.hpp"

#include <ATen/ops/equal.h>
#include <ATen/ops/matmul.h>
#include <c10/core/GradMode.h>

#include "circuit/circuit_fixture.hpp"

namespace filigree {
namespace {

using Recording = CircuitFixture;

TEST_F(Recording, NodesOutsideACircuitHoldTheirMeans) {
    std::vector<std::int64_t> nodes;
    for (std::int64_t i = 2; i < mask_.gates.numel(); i += 31) nodes.push_back(i);
    const auto inside = record_nodes(examples_, mask_, nodes);
    const auto whole = record_nodes(examples_, {}, nodes);
    ASSERT_EQ(inside.size(0), static_cast<std::int64_t>(nodes.size()));
    int closed = 0;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        if (mask_.gates.data_ptr<float>()[nodes[i]] == 0.0F) {
            ++closed;
            EXPECT_TRUE(inside.select(0, static_cast<std::int64_t>(i))
                            .eq(mask_.means.data_ptr<float>()[nodes[i]])
                            .all()
                            .item<bool>());
        }
    }
    EXPECT_GT(closed, 3);
    EXPECT_GT((whole - inside).abs().max().item<double>(), 1e-3);
}

/// The values and the outputs of the heads of one layer.
class Heads : public ForwardHook {
public:
    at::Tensor at_site(const Site& site, at::Tensor x) override {
        if (site.layer == 1 && site.kind == SiteKind::kAttnV) v = x;
        return x;
    }
    at::Tensor at_heads(std::int64_t layer, at::Tensor output) override {
        if (layer == 1) y = output;
        return output;
    }
    at::Tensor v, y;
};

TEST_F(Recording, AttentionWeightsTimesValuesAreTheOutputsOfTheHead) {
    const at::NoGradGuard no_grad;
    // Sinks start at 0; one that is not tells whether it is used.
    model_->tensor(model_->table().find("transformer.h.1.attn.attn_imp.sink_logit")).fill_(0.7);
    Heads heads;
    static_cast<void>(forward(model_->context(), examples_.tokens, &heads));
    const auto T = examples_.tokens.size(1);
    for (std::int64_t head = 0; head < 3; ++head) {
        const auto weights = record_attention(examples_, {}, 1, head);  // [12, T, T + 1]
        EXPECT_LT((weights.sum(-1) - 1).abs().max().item<double>(), 1e-6);
        EXPECT_GT(weights.select(2, T).min().item<double>(), 0.0) << "the sink takes a part";
        const auto y = at::matmul(weights.narrow(2, 0, T), heads.v.narrow(2, 8 * head, 8));
        EXPECT_LT((y - heads.y.narrow(2, 8 * head, 8)).abs().max().item<double>(), 1e-6);
    }
}

}  // namespace
}  // namespace filigree
