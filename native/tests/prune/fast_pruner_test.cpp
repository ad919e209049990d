// SPDX-License-Identifier: Apache-2.0
#include "prune/fast_pruner.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rms_norm.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <set>
#include <thread>

#include "circuit/circuit_mask.hpp"
#include "prune/pruner.hpp"
#include "support/expect_error.hpp"
#include "support/small_models.hpp"
#include "train/evaluation.hpp"

namespace filigree {
namespace {

// What the compacted model and the whole one may differ by: fp32 rounding of the differences, through the loss.
constexpr double kRounding = 1e-4;

nlohmann::json small_fast_json() {
    auto masks = small_prune_json();
    masks["steps"] = 60;
    masks["lr"] = 0.03;
    return {{"masks", masks},
            {"options", {{"ablation", "mean"}, {"calibrate", true}, {"tied_qk", false}, {"frozen_norms", false}}},
            {"k_factors", {1.0, 3.0}},
            {"targets", {0.15}},
            {"margin", 1.0},
            {"attribution_pairs", 16},
            {"candidate_factor", 2.0},
            {"selection_pairs", 32},
            {"ranking_pairs", 8},
            {"exact_parts", 4096},
            {"edges", true}};
}

/// A model that knows the task, the same for all tests.
class FastPruning : public testing::Test {
protected:
    static void SetUpTestSuite() {
        model_ = make_model();
        teach_cue(model_);
        const auto tokens = learnable_tokens(500, 61);
        means_ = node_means(*model_, {tokens.data(), tokens.size(), 8, 0});
    }
    static void TearDownTestSuite() {
        model_.reset();
        means_.reset();
    }

    [[nodiscard]] static PruneTask task(std::uint64_t seed = 4) {
        return {cue_examples(model_, 64, seed), cue_examples(model_, 32, seed + 70)};
    }
    [[nodiscard]] static std::unique_ptr<FastPruner> search(const nlohmann::json& config = small_fast_json(),
                                                            std::vector<PruneTask> tasks = {task()}) {
        auto pruner = std::make_unique<FastPruner>(std::move(tasks), parse_fast_prune_config(config.dump()), means_);
        while (!pruner->finished()) pruner->advance();
        return pruner;
    }
    /// Loss of a circuit by the whole model, with exactly its nodes and edges.
    [[nodiscard]] static double loss_of(const FoundCircuit& found, const Examples& examples, bool frozen = false) {
        CircuitMask mask;
        mask.gates = at::empty({model_->nodes().size()}, at::kFloat);
        std::copy(found.circuit.keep.begin(), found.circuit.keep.end(), mask.gates.mutable_data_ptr<float>());
        mask.means = means_;
        mask.weights = std::make_shared<const EditedWeights>(circuit_weights(*model_, found.circuit, means_));
        mask.frozen_norms = frozen;
        CircuitHook hook(mask);
        return mean_loss(run_sequences(examples, &hook), found.calibration);
    }
    static std::int64_t nodes_of(const FoundCircuit& found) {
        return std::count(found.circuit.keep.begin(), found.circuit.keep.end(), 1);
    }

    static std::shared_ptr<Model> model_;
    static at::Tensor means_;
};

std::shared_ptr<Model> FastPruning::model_;
at::Tensor FastPruning::means_;

TEST_F(FastPruning, FindsASmallCircuitThatTheWholeModelConfirms) {
    const auto pruner = search();
    const auto& found = pruner->found(0, 0);
    EXPECT_TRUE(found.reached);
    EXPECT_LE(loss_of(found, task().validation), 0.15 + kRounding);
    EXPECT_LE(loss_of(found, cue_examples(model_, 64, 500)), 0.3) << "on examples that the search has not seen";
    EXPECT_LT(nodes_of(found), model_->nodes().size() / 8);
    check_circuit(*model_, found.circuit);
    EXPECT_LE(found.circuit.edges->size(), circuit_edges(*model_, found.circuit.keep.data()).size());
}

/// By the number of parts up to which each is left out once, from the beginning on.
class FastPruningByParts : public FastPruning, public testing::WithParamInterface<int> {};

TEST_P(FastPruningByParts, LeavesNothingThatCouldGo) {
    auto config = small_fast_json();
    config["exact_parts"] = GetParam();
    const auto pruner = search(config);
    auto found = pruner->found(0, 0);
    EXPECT_TRUE(found.reached);
    const auto target = 0.15;
    std::int64_t could_go = 0;
    const auto whole = *found.circuit.edges;
    for (std::size_t i = 0; i < whole.size(); ++i) {
        auto without = found;
        without.circuit.edges->erase(without.circuit.edges->begin() + static_cast<std::ptrdiff_t>(i));
        could_go += std::max(loss_of(without, task().train), loss_of(without, task().validation)) < 0.8 * target;
    }
    EXPECT_EQ(could_go, 0) << "edges whose absence is far from the target";
}

INSTANTIATE_TEST_SUITE_P(FewAndMany, FastPruningByParts, testing::Values(4, 4096));

TEST_F(FastPruning, AimsAtAPartOfTheTarget) {
    auto config = small_fast_json();
    config["margin"] = 0.25;
    const auto strict = search(config);
    EXPECT_TRUE(strict->found(0, 0).reached);
    EXPECT_LE(loss_of(strict->found(0, 0), task().validation), 0.25 * 0.15 + kRounding);

    // A part that nothing reaches: then it is the same part of the way from the best there is.
    config["margin"] = 0.001;
    config["targets"] = {0.001};
    const auto close = search(config);
    EXPECT_TRUE(close->found(0, 0).reached);
    EXPECT_LE(loss_of(close->found(0, 0), task().validation), 0.001 + kRounding);
    EXPECT_GT(std::max(loss_of(close->found(0, 0), task().train), loss_of(close->found(0, 0), task().validation)),
              1e-6);
}

TEST_F(FastPruning, RanksPartsByGradientsWhereThereAreTooMany) {
    auto config = small_fast_json();
    const auto exact = search(config);
    config["exact_parts"] = 0;
    const auto estimated = search(config);
    EXPECT_TRUE(estimated->found(0, 0).reached);
    EXPECT_LE(loss_of(estimated->found(0, 0), task().validation), 0.15 + kRounding);
    const auto edges = estimated->found(0, 0).circuit.edges->size();
    EXPECT_LT(edges, 4 * exact->found(0, 0).circuit.edges->size() + 4);
}

TEST_F(FastPruning, RunsManyEdgesWithoutTheCheapestFirst) {
    auto config = small_fast_json();
    config["margin"] = 0.001;  // a strict target, for a circuit of more edges than nodes
    config["targets"] = {0.001};
    const auto all = search(config);
    const auto& of_all = all->found(0, 0).circuit;
    config["exact_parts"] = circuit_edges(*model_, of_all.keep.data()).size() / 4;
    const auto some = search(config);
    EXPECT_LT(some->runs(), 0.75 * static_cast<double>(all->runs()));
    EXPECT_LT(some->found(0, 0).circuit.edges->size(), 1.25 * static_cast<double>(of_all.edges->size()));
}

TEST_F(FastPruning, ATargetOutOfReachDoesNotWidenTheSearchForOthers) {
    auto config = small_fast_json();
    config["candidate_factor"] = 1.0;
    const auto alone = search(config);
    config["targets"] = {0.15, 1e-9};
    const auto both = search(config);
    EXPECT_FALSE(both->found(0, 1).reached);
    EXPECT_EQ(both->found(0, 0).circuit.keep, alone->found(0, 0).circuit.keep);
    EXPECT_EQ(both->found(0, 0).circuit.edges->size(), alone->found(0, 0).circuit.edges->size());
}

TEST_F(FastPruning, TheSmallestCircuitOfAllMasksIsFound) {
    auto config = small_fast_json();
    std::size_t smallest = std::numeric_limits<std::size_t>::max();
    for (const double factor : {0.1, 1.0, 10.0}) {
        config["k_factors"] = {factor};
        const auto alone = search(config);
        if (alone->found(0, 0).reached) {
            smallest = std::min(smallest, alone->found(0, 0).circuit.edges->size());
        }
    }
    config["k_factors"] = {0.1, 1.0, 10.0};
    const auto all = search(config);
    EXPECT_TRUE(all->found(0, 0).reached);
    // Rows of a batch are rounded otherwise than alone.
    EXPECT_LE(all->found(0, 0).circuit.edges->size(), smallest + smallest / 8 + 1);
}

TEST_F(FastPruning, ATargetOutOfReachEndsWithTheBestThatWasSeen) {
    auto config = small_fast_json();
    config["targets"] = {1e-9};
    const auto pruner = search(config);
    const auto& found = pruner->found(0, 0);
    EXPECT_FALSE(found.reached);
    // Not all the nodes that are left of the whole model, and no worse than these.
    const auto means = means_.to(at::kCPU).contiguous();
    const auto live = std::count_if(means.const_data_ptr<float>(), means.const_data_ptr<float>() + means.numel(),
                                    [](float mean) { return mean != 0.0F; });
    EXPECT_LT(nodes_of(found), live / 2);
    FoundCircuit all = found;
    all.circuit.keep.assign(all.circuit.keep.size(), 1);
    all.circuit.edges = circuit_edges(*model_, all.circuit.keep.data());
    EXPECT_LE(loss_of(found, task().train), loss_of(all, task().train) + 0.01);
}

TEST_F(FastPruning, JudgesByAnyNumberOfPairs) {
    for (const auto pairs : {1, 5, 7}) {
        auto config = small_fast_json();
        config["selection_pairs"] = pairs;
        config["ranking_pairs"] = pairs;
        const auto pruner = search(config);
        EXPECT_TRUE(pruner->found(0, 0).reached) << pairs;
        EXPECT_LE(loss_of(pruner->found(0, 0), task().validation), 0.45) << pairs << ": guessing is 0.69";
    }
}

TEST_F(FastPruning, GoesOnAfterItWasCancelled) {
    const auto whole = search();
    FastPruner pruner({task()}, parse_fast_prune_config(small_fast_json().dump()), means_);
    std::atomic<bool> cleaning = false;
    std::thread other([&] {
        const auto cancel_often = [] {
            for (int i = 0; i < 30; ++i) {
                model_->cancel();
                std::this_thread::sleep_for(std::chrono::milliseconds(4));
            }
        };
        cancel_often();
        cleaning.wait(false);
        cancel_often();
    });
    std::map<FastPrunePhase, int> cancelled;
    std::set<FastPrunePhase> seen;
    while (!pruner.finished()) {
        const auto phase = pruner.phase();
        if (seen.insert(phase).second) {
            model_->cancel();  // once in every phase for sure, wherever in a piece of work the other thread does it
        }
        if (phase == FastPrunePhase::kClean) {
            cleaning = true;
            cleaning.notify_one();
        }
        try {
            pruner.advance();
        } catch (const Error& e) {
            ASSERT_EQ(e.status(), FG_CANCELLED);
            ++cancelled[phase];
        }
    }
    other.join();
    for (const auto phase :
         {FastPrunePhase::kAttribute, FastPrunePhase::kLearn, FastPrunePhase::kChoose, FastPrunePhase::kClean}) {
        EXPECT_GT(cancelled[phase], 0) << static_cast<int>(phase);
    }
    EXPECT_EQ(pruner.found(0, 0).circuit.keep, whole->found(0, 0).circuit.keep);
    EXPECT_EQ(pruner.found(0, 0).circuit.edges->size(), whole->found(0, 0).circuit.edges->size());
}

TEST_F(FastPruning, RepeatsItself) {
    const auto first = search();
    const auto second = search();
    EXPECT_EQ(first->found(0, 0).circuit.keep, second->found(0, 0).circuit.keep);
    EXPECT_EQ(first->found(0, 0).circuit.edges->size(), second->found(0, 0).circuit.edges->size());
}

TEST_F(FastPruning, FindsAWholeCurveInOneSearch) {
    auto config = small_fast_json();
    config["targets"] = {0.4, 0.05, 0.15};
    const auto pruner = search(config);
    for (std::size_t i = 0; i < 3; ++i) {
        const auto target = config["targets"][i].get<double>();
        EXPECT_TRUE(pruner->found(0, i).reached) << target;
        EXPECT_LE(loss_of(pruner->found(0, i), task().validation), target + kRounding);
    }
    const auto edges = [&](std::size_t i) { return pruner->found(0, i).circuit.edges->size(); };
    EXPECT_LE(edges(0), edges(2)) << "a looser target is never met by a larger circuit";
    EXPECT_LE(edges(2), edges(1));
}

TEST_F(FastPruning, NeverMeetsALooserTargetByALargerCircuit) {
    auto config = small_fast_json();
    config["margin"] = 0.2;
    const std::vector<double> targets = {0.15, 0.01, 0.003, 0.0015, 0.001, 0.0007};  // some near the best there is
    config["targets"] = targets;
    const auto pruner = search(config);
    for (std::size_t i = 0; i + 1 < targets.size(); ++i) {
        if (pruner->found(0, i + 1).reached) {
            EXPECT_TRUE(pruner->found(0, i).reached) << targets[i];
            EXPECT_LE(pruner->found(0, i).circuit.edges->size(), pruner->found(0, i + 1).circuit.edges->size())
                << targets[i];
        }
    }
}

TEST_F(FastPruning, RanksFewPartsByGradientsWhenAskedTo) {
    auto config = small_fast_json();
    config["exact_parts"] = 0;
    config["targets"] = {0.6};  // hardly better than guessing: a handful of parts
    EXPECT_TRUE(search(config)->found(0, 0).reached);
}

TEST_F(FastPruning, SeveralTasksShareOneBatchOfMasks) {
    const auto pruner = search(small_fast_json(), {task(), task(9)});
    ASSERT_EQ(pruner->tasks(), 2U);
    EXPECT_LE(loss_of(pruner->found(0, 0), task().validation), 0.15 + kRounding);
    EXPECT_LE(loss_of(pruner->found(1, 0), task(9).validation), 0.15 + kRounding);
}

TEST_F(FastPruning, LeavesEdgesAloneWhenAskedTo) {
    auto config = small_fast_json();
    config["edges"] = false;
    const auto pruner = search(config);
    EXPECT_FALSE(pruner->found(0, 0).circuit.edges.has_value());
    EXPECT_LE(loss_of(pruner->found(0, 0), task().validation), 0.15 + kRounding);
}

TEST_F(FastPruning, TiedQueriesAndKeysAreOpenTogether) {
    auto config = small_fast_json();
    config["options"]["tied_qk"] = true;
    config["targets"] = {1e-9};  // out of reach: all candidates stay, and queries are among them
    const auto pruner = search(config);
    const auto& found = pruner->found(0, 0);
    EXPECT_FALSE(found.reached);
    config["targets"] = {0.1};
    config["edges"] = false;
    const auto smaller = search(config);
    EXPECT_TRUE(smaller->found(0, 0).reached);
    std::int64_t open = 0;
    for (std::int64_t layer = 0; layer < 2; ++layer) {
        const auto& q = model_->nodes().site(layer, SiteKind::kAttnQ);
        const auto& k = model_->nodes().site(layer, SiteKind::kAttnK);
        for (std::int64_t c = 0; c < q.width; ++c) {
            EXPECT_EQ(found.circuit.keep[static_cast<std::size_t>(q.offset + c)],
                      found.circuit.keep[static_cast<std::size_t>(k.offset + c)]);
            open += found.circuit.keep[static_cast<std::size_t>(q.offset + c)];
            EXPECT_EQ(smaller->found(0, 0).circuit.keep[static_cast<std::size_t>(q.offset + c)],
                      smaller->found(0, 0).circuit.keep[static_cast<std::size_t>(k.offset + c)]);
        }
    }
    EXPECT_GT(open, 0) << "no query is open: nothing was tested";
}

TEST_F(FastPruning, JudgesByFrozenNormsWhenAskedTo) {
    auto config = small_fast_json();
    config["options"]["frozen_norms"] = true;
    const auto pruner = search(config);
    const auto& found = pruner->found(0, 0);
    EXPECT_LE(loss_of(found, task().validation, /*frozen=*/true), 0.15 + kRounding);
    EXPECT_GT(std::abs(loss_of(found, task().validation, true) - loss_of(found, task().validation, false)), kRounding)
        << "the circuit's own norms are others";
}

TEST_F(FastPruning, CalibratesOnlyWhenAskedTo) {
    auto config = small_fast_json();
    config["options"]["calibrate"] = false;
    const auto pruner = search(config);
    EXPECT_EQ(pruner->found(0, 0).calibration.scale, 1.0);
    EXPECT_EQ(pruner->found(0, 0).calibration.shift, 0.0);
    EXPECT_LE(loss_of(pruner->found(0, 0), task().validation), 0.15 + kRounding);
}

TEST_F(FastPruning, RefusesDonors) {
    auto config = small_fast_json();
    config["options"]["ablation"] = "resample";
    EXPECT_FG_ERROR(static_cast<void>(parse_fast_prune_config(config.dump())), FG_INVALID_CONFIG,
                    "fast.options.ablation");
    config["options"]["ablation"] = "mean";
    config["targets"] = nlohmann::json::array();
    EXPECT_FG_ERROR(static_cast<void>(parse_fast_prune_config(config.dump())), FG_INVALID_CONFIG, "fast.targets");
}

TEST_F(FastPruning, PublishedPrunerTiesQueriesAndKeys) {
    PruneOptions options;
    options.tied_qk = true;
    auto masks = small_prune_json();
    masks["k_coef"] = 0.5;
    Pruner pruner(task().train, prune_config(masks, options), means_);
    for (int i = 0; i < 3; ++i) static_cast<void>(pruner.step());
    const auto scores = pruner.scores();
    EXPECT_EQ(scores.numel(), model_->nodes().size());
    const auto& q = model_->nodes().site(1, SiteKind::kAttnQ);
    const auto& k = model_->nodes().site(1, SiteKind::kAttnK);
    EXPECT_TRUE(at::equal(scores.narrow(0, q.offset, q.width), scores.narrow(0, k.offset, k.width)));
    EXPECT_EQ(pruner.gradient().numel(), model_->nodes().size() - 2 * q.width);
    const auto chosen = pruner.discretize(task().validation, 0.3);
    EXPECT_EQ(chosen.nodes, chosen.keep.sum().item<std::int64_t>());
    EXPECT_TRUE(at::equal(chosen.keep.narrow(0, q.offset, q.width), chosen.keep.narrow(0, k.offset, k.width)));
}

TEST_F(FastPruning, PublishedPrunerLearnsAgainstDonors) {
    PruneOptions options;
    options.ablation = AblationKind::kDonors;
    auto masks = small_prune_json();
    masks["steps"] = 80;
    masks["k_coef"] = 0.003;
    Pruner pruner(task().train, prune_config(masks, options), means_);
    while (!pruner.finished()) static_cast<void>(pruner.step());
    const auto result = pruner.discretize(task().validation, 0.15);
    EXPECT_LE(result.score.loss, 0.15);
    EXPECT_LT(result.nodes, model_->nodes().size() / 2);
    EXPECT_GT(result.nodes, 0);
}

TEST_F(FastPruning, WithoutNodesDonorsGiveNothingAway) {
    PruneOptions options;
    options.ablation = AblationKind::kDonors;
    Pruner pruner(task().train, prune_config(small_prune_json(), options), means_);
    pruner.set_scores(at::full({model_->nodes().size()}, -1.0));
    const auto result = pruner.discretize(task().validation, 10.0);
    EXPECT_EQ(result.nodes, 0);
    EXPECT_GT(result.score.loss, 0.5) << "donors share the right answer";
}

TEST_F(FastPruning, FrozenNormsAreThoseOfTheWholeModel) {
    const at::NoGradGuard no_grad;
    const auto examples = task().validation;
    // With everything open both are the whole model; with half of it closed they are not the same.
    auto gates = at::ones({model_->nodes().size()});
    for (const auto open : {1.0, 0.0}) {
        gates.slice(0, 0, gates.numel(), 2).fill_(open);
        GateHook own(gates, means_);
        GateHook frozen(gates, means_);
        frozen.freeze_norms_of_each_forward();
        const auto context = model_->context();
        const auto a = answer_differences(context, examples, 1, &own);
        const auto b = answer_differences(context, examples, 1, &frozen);
        const auto apart = (a - b).abs().max().item<double>();
        if (open == 1.0) {
            EXPECT_LT(apart, 1e-4);
        } else {
            EXPECT_GT(apart, 1e-3);
        }

        // Dividing by the recorded factors by hand, at the first norm that they differ at.
        const auto norms = record_norms(context, examples.tokens, {});
        const auto residual = embed(context, examples.tokens);
        EXPECT_LT((residual * norms[0] - at::rms_norm(residual, {residual.size(-1)})).abs().max().item<double>(), 1e-5);
    }
}

}  // namespace
}  // namespace filigree
