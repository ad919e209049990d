// SPDX-License-Identifier: Apache-2.0
#include "prune/compact_model.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <string>

#include "prune/task_score.hpp"
#include "support/expect_error.hpp"
#include "support/small_models.hpp"

namespace filigree {
namespace {

// The same sums in another order: fp32 rounding of logits of about 10.
constexpr double kRounding = 2e-5;

struct Variant {
    std::string name;
    bool sparse_activations, sink, relu;
};

class Compaction : public testing::TestWithParam<Variant> {
protected:
    Compaction() {
        auto config = small_model_json();
        if (!GetParam().sparse_activations) config["afrac"] = nullptr;
        if (!GetParam().sink) config["sink"] = false;
        if (GetParam().relu) config["activation_type"] = "relu";
        model_ = make_model(config, /*positions=*/true);
        const at::NoGradGuard no_grad;
        // Every weight counts, biases and sinks among them, and half of the matrices is zero.
        at::Tensor noise = at::empty({model_->values().numel()}, at::kFloat);
        RandomStream random(3, Purpose::kInitialWeights, 99);
        for (std::int64_t i = 0; i < noise.numel(); ++i) noise.mutable_data_ptr<float>()[i] = random.normal();
        model_->values().add_(noise.mul(0.2));
        for (const auto& parameter : model_->table().parameters()) {
            if (parameter.family == Family::kMatrix) {
                auto w = model_->tensor(parameter);
                w.mul_(w.abs() > 0.1);
            }
        }
        means_ = at::empty({model_->nodes().size()}, at::kFloat);
        for (std::int64_t i = 0; i < means_.numel(); ++i) means_.mutable_data_ptr<float>()[i] = 0.3F * random.normal();
        examples_ = cue_examples(model_, 5);
    }

    /// Nodes that are open with a probability.
    [[nodiscard]] std::vector<std::uint8_t> some(double open, std::uint64_t seed = 1) const {
        RandomStream random(seed, Purpose::kInitialMask, 5);
        std::vector<std::uint8_t> keep(static_cast<std::size_t>(model_->nodes().size()));
        for (auto& node : keep) node = random.uniform() < open ? 1 : 0;
        return keep;
    }
    /// Part of the edges between open nodes.
    [[nodiscard]] EdgeCircuit with_edges(std::vector<std::uint8_t> keep, double part, std::uint64_t seed = 2) const {
        RandomStream random(seed, Purpose::kInitialMask, 6);
        std::vector<Edge> edges;
        for (const auto& edge : circuit_edges(*model_, keep.data())) {
            if (random.uniform() < part) edges.push_back(edge);
        }
        return {std::move(keep), std::move(edges)};
    }
    [[nodiscard]] at::Tensor gates(const std::vector<std::uint8_t>& keep) const {
        auto gates = at::empty({static_cast<std::int64_t>(keep.size())}, at::kFloat);
        std::copy(keep.begin(), keep.end(), gates.mutable_data_ptr<float>());
        return gates;
    }
    /// Open channels of a site. @return int64.
    [[nodiscard]] at::Tensor open_channels(const EdgeCircuit& circuit, std::int64_t layer, SiteKind kind) const {
        const auto& site = model_->nodes().site(layer, kind);
        return gates(circuit.keep).narrow(0, site.offset, site.width).nonzero().squeeze(1);
    }
    /// By the whole model, every position computed. @return [sequences].
    [[nodiscard]] at::Tensor by_whole(const EdgeCircuit& circuit) const {
        GateHook hook(gates(circuit.keep), means_);
        const auto weights =
            circuit.edges ? circuit_weights(*model_, circuit, means_).weights : model_->context().weights;
        ForwardContext context{model_->config(), model_->nodes(), weights, model_->execution()};
        const auto x = forward(context, examples_.tokens, &hook);
        const auto at_answer = x.gather(1, examples_.positions.view({-1, 1, 1}).expand({-1, 1, x.size(-1)})).squeeze(1);
        const auto logits =
            unembed(context, at_answer, examples_.tokens.gather(1, examples_.positions.view({-1, 1})).squeeze(1));
        return logit_differences(examples_, logits);
    }
    [[nodiscard]] at::Tensor by_compact(const EdgeCircuit& circuit) const {
        const CompactModel compact(*model_, circuit, means_);
        return answer_differences(compact.context(compact.weights()), examples_, 1, nullptr).squeeze(0);
    }

    std::shared_ptr<Model> model_;
    at::Tensor means_;
    Examples examples_;
    at::NoGradGuard no_grad_;
};

double distance(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

TEST_P(Compaction, GivesWhatTheWholeModelGivesWithTheOtherNodesAtTheirMeans) {
    const auto plain = by_whole({some(1.0), std::nullopt});
    for (const double open : {1.0, 0.7, 0.3, 0.1, 0.03, 0.0}) {
        const EdgeCircuit circuit{some(open), std::nullopt};
        EXPECT_LT(distance(by_compact(circuit), by_whole(circuit)), kRounding) << open << " of the nodes open";
        if (open < 0.5) {
            EXPECT_GT(distance(by_whole(circuit), plain), 100 * kRounding) << "ablation changed nothing";
        }
    }
}

TEST_P(Compaction, GivesWhatTheWholeModelGivesWithoutSomeEdges) {
    for (const double open : {1.0, 0.5, 0.15, 0.05}) {
        for (const double part : {1.0, 0.5, 0.0}) {
            const auto circuit = with_edges(some(open), part);
            EXPECT_LT(distance(by_compact(circuit), by_whole(circuit)), kRounding)
                << open << " of the nodes, " << part << " of their edges";
        }
    }
}

TEST_P(Compaction, ComputesLittleMoreThanItsNodes) {
    const auto circuit = with_edges(some(0.02), 1.0);
    const CompactModel compact(*model_, circuit, means_);
    EXPECT_EQ(compact.nodes().size(), std::count(circuit.keep.begin(), circuit.keep.end(), 1));
    for (std::int64_t layer = 0; layer < 2; ++layer) {
        const auto& site = compact.nodes().site(layer, SiteKind::kMlpNeuron);
        const auto& w = compact.weights().layers[static_cast<std::size_t>(layer)];
        const auto fed = model_->context()
                             .weights.layers[static_cast<std::size_t>(layer)]
                             .c_fc.index_select(1, open_channels(circuit, layer, SiteKind::kMlpIn))
                             .ne(0)
                             .any(1)
                             .sum()
                             .item<std::int64_t>();
        EXPECT_LE(w.c_fc.size(0), GetParam().sparse_activations ? 2 * (fed + site.width) : site.width)
            << "at most a constant for every channel that varies";
        EXPECT_EQ(w.c_fc.size(1), compact.nodes().site(layer, SiteKind::kMlpIn).width);
        EXPECT_EQ(w.c_proj.size(1), site.width);
    }
}

TEST_P(Compaction, WithAllItsEdgesACircuitIsThatOfItsNodes) {
    const auto circuit = with_edges(some(0.4), 1.0);
    EXPECT_LT(distance(by_whole(circuit), by_whole({circuit.keep, std::nullopt})), kRounding);
}

/// Models without AbsTopK: what is fed in closed channels shows nowhere, and differences measure no jumps.
class DenseCompaction : public Compaction {};

TEST_P(DenseCompaction, LeavingOutAllEdgesOfANodeIsClosingIt) {
    const auto circuit = with_edges(some(0.5), 1.0);
    for (const auto kind : {SiteKind::kAttnIn, SiteKind::kAttnV, SiteKind::kMlpIn, SiteKind::kMlpNeuron}) {
        const auto& site = model_->nodes().site(0, kind);
        std::int64_t node = site.offset;
        while (circuit.keep[static_cast<std::size_t>(node)] == 0) ++node;
        auto without_edges = circuit;
        std::erase_if(*without_edges.edges,
                      [&](const Edge& edge) { return edge.source == node || edge.target == node; });
        ASSERT_LT(without_edges.edges->size(), circuit.edges->size());
        auto closed = without_edges;
        closed.keep[static_cast<std::size_t>(node)] = 0;
        EXPECT_LT(distance(by_whole(without_edges), by_whole(closed)), kRounding) << site.name;
        EXPECT_GT(distance(by_whole(without_edges), by_whole(circuit)), 10 * kRounding) << site.name;
    }
}

TEST_P(Compaction, GatesOfNodesAndEdgesAreLikeLeavingThemOut) {
    const auto circuit = with_edges(some(0.3), 1.0);
    const CompactModel compact(*model_, circuit, means_);
    const auto n = compact.nodes().size();
    const auto E = static_cast<std::int64_t>(compact.edges().size());
    ASSERT_EQ(static_cast<std::size_t>(E), circuit.edges->size());
    constexpr std::int64_t kVariants = 6;  // the first three close nodes, the others leave out edges
    auto node_gates = at::ones({kVariants, n});
    auto edge_gates = at::ones({kVariants, E});
    RandomStream random(8, Purpose::kInitialMask, 1);
    std::vector<EdgeCircuit> variants;
    for (std::int64_t r = 0; r < kVariants; ++r) {
        auto variant = circuit;
        for (std::int64_t i = 0; i < n && r < 3; ++i) {
            if (random.uniform() < 0.2) {
                node_gates[r][i] = 0.0;
                variant.keep[static_cast<std::size_t>(compact.numbers()[static_cast<std::size_t>(i)])] = 0;
            }
        }
        variant.edges->clear();
        for (std::int64_t e = 0; e < E; ++e) {
            const auto& edge = (*circuit.edges)[static_cast<std::size_t>(e)];
            if (r >= 3 && random.uniform() < 0.3) {
                edge_gates[r][e] = 0.0;
            } else if (variant.keep[edge.source] != 0 && variant.keep[edge.target] != 0) {
                variant.edges->push_back(edge);
            }
        }
        variants.push_back(std::move(variant));
    }
    GateHook hook(node_gates, compact.means());
    const auto weights = compact.gated(edge_gates);
    const auto together = answer_differences(compact.context(weights), examples_, kVariants, &hook);
    for (std::int64_t r = 0; r < kVariants; ++r) {
        EXPECT_LT(distance(together[r], by_whole(variants[static_cast<std::size_t>(r)])), kRounding) << "variant " << r;
    }
}

TEST_P(Compaction, GoesOnFromARecordedResidual) {
    const auto circuit = with_edges(some(0.3), 0.8);
    const CompactModel compact(*model_, circuit, means_);
    class Residuals : public ForwardHook {
    public:
        at::Tensor at_residual(std::int64_t, at::Tensor x) override {
            all.push_back(x);
            return x;
        }
        std::vector<at::Tensor> all;
    } recorder;
    const auto context = compact.context(compact.weights());
    const auto whole = answer_differences(context, examples_, 1, &recorder);
    for (std::int64_t half_layer = 0; half_layer < 4; ++half_layer) {
        const auto tail = answer_differences(context, examples_, 3, nullptr, half_layer,
                                             recorder.all[static_cast<std::size_t>(half_layer)]);
        EXPECT_LT(distance(tail, whole.expand_as(tail)), kRounding) << half_layer;
    }
}

TEST_P(DenseCompaction, EdgeGatesHaveTheGradientOfTheirDifferences) {
    const auto circuit = with_edges(some(0.3), 1.0);
    const CompactModel compact(*model_, circuit, means_);
    const auto E = static_cast<std::int64_t>(compact.edges().size());
    const auto total = [&](const at::Tensor& gates) {
        const auto weights = compact.gated(gates);
        return answer_differences(compact.context(weights), examples_, 1, nullptr).sum();
    };
    at::Tensor gradient;
    {
        const at::AutoGradMode with_gradients(true);
        auto gates = at::ones({1, E});
        gates.set_requires_grad(true);
        total(gates).backward();
        gradient = gates.grad();
    }
    constexpr double kStep = 0.02;
    std::int64_t checked = 0;
    for (std::int64_t e = 0; e < E; e += std::max<std::int64_t>(1, E / 40)) {
        auto up = at::ones({1, E});
        auto down = at::ones({1, E});
        up[0][e] = 1.0 + kStep;
        down[0][e] = 1.0 - kStep;
        const auto expected = (total(up) - total(down)).item<double>() / (2 * kStep);
        // Rounding of about 1e-6 over the step, truncation about step^2.
        EXPECT_NEAR(gradient[0][e].item<double>(), expected, 2e-3 + 0.01 * std::abs(expected)) << e;
        checked += std::abs(expected) > 0.02 ? 1 : 0;
    }
    EXPECT_GT(checked, 5) << "too few edges mattered for this test to mean anything";
}

const Variant kDense{"Dense", false, true, false};
const Variant kDenseWithoutSink{"DenseWithoutSink", false, false, false};

INSTANTIATE_TEST_SUITE_P(Models, Compaction,
                         testing::Values(Variant{"Sparse", true, true, false},
                                         Variant{"SparseWithoutSink", true, false, false}, kDense, kDenseWithoutSink,
                                         Variant{"SparseRelu", true, true, true}),
                         [](const auto& variant) { return variant.param.name; });
INSTANTIATE_TEST_SUITE_P(Models, DenseCompaction, testing::Values(kDense, kDenseWithoutSink),
                         [](const auto& variant) { return variant.param.name; });

TEST(EdgeCircuits, NameAnEdgeThatIsNone) {
    const auto model = make_model();
    std::vector<std::uint8_t> keep(static_cast<std::size_t>(model->nodes().size()), 1);
    auto edges = circuit_edges(*model, keep.data());
    check_circuit(*model, {keep, edges});
    edges.push_back(edges.front());
    EXPECT_FG_ERROR(check_circuit(*model, {keep, edges}), FG_INVALID_ARGUMENT,
                    "is listed twice, or is no nonzero weight");
    keep[edges.front().source] = 0;
    edges.pop_back();
    EXPECT_FG_ERROR(check_circuit(*model, {keep, edges}), FG_INVALID_ARGUMENT, std::to_string(edges.front().source));
}

}  // namespace
}  // namespace filigree
