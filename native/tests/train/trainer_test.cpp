// SPDX-License-Identifier: Apache-2.0
#include "train/trainer.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <set>
#include <utility>

#include "model/model_files.hpp"
#include "ops/thread_count.hpp"
#include "sparsity/weight_statistics.hpp"
#include "support/expect_error.hpp"
#include "support/page_faults.hpp"
#include "support/small_models.hpp"
#include "support/temporary_folder.hpp"
#include "train/evaluation.hpp"

namespace filigree {
namespace {

class Training : public testing::Test {
protected:
    std::unique_ptr<Trainer> trainer(const nlohmann::json& config = small_train_json(),
                                     const nlohmann::json& model = small_model_json(), bool positions = false) const {
        return std::make_unique<Trainer>(make_model(model, positions), parse_train_config(config.dump()), streams());
    }
    std::vector<TokenStream> streams() const { return {{tokens_.data(), tokens_.size(), 1.0}}; }

    std::vector<std::uint16_t> tokens_ = learnable_tokens(5000, 61);
};

TEST_F(Training, KeepsExactlyTheScheduledNumberOfWeights) {
    const auto run = trainer(small_train_json(), small_model_json(), /*positions=*/true);
    const auto& table = run->model().table();
    while (!run->finished()) {
        const auto report = run->step();
        for (const auto& parameter : table.parameters()) {
            const auto density = family_density(run->config().fractions, parameter.family, report.density);
            const auto nonzeros = run->model().tensor(parameter).count_nonzero().item<std::int64_t>();
            if (parameter.trainable && density < 1.0) {
                const auto allowed = kept_entries(density, parameter.size);
                // The first step has learning rate 0, so biases are all zero still.
                const bool may_be_zero = parameter.family == Family::kBias;
                EXPECT_TRUE(may_be_zero ? nonzeros <= allowed : nonzeros == allowed)
                    << parameter.name << ": " << nonzeros << " of " << allowed;
            }
        }
    }
    EXPECT_EQ(run->model().tensor(table.find("transformer.h.0.mlp.c_fc.weight")).count_nonzero().item<std::int64_t>(),
              static_cast<std::int64_t>(0.2 * 70 * 30));
    EXPECT_EQ(run->model().tensor(table.find("transformer.h.0.mlp.c_fc.bias")).count_nonzero().item<std::int64_t>(),
              35);
}

TEST_F(Training, KeepsTheMinimumAliveOnTheRightAxis) {
    auto config = small_train_json();
    config["sparsity"]["fractions"]["matrix"] = 0.15;
    const auto run = trainer(config);
    while (!run->finished()) static_cast<void>(run->step());
    const auto live = [&](const std::string& name, std::int64_t along) {
        return run->model().tensor(run->model().table().find(name)).ne(0).sum(along).min().item<std::int64_t>();
    };
    for (const std::string layer : {"transformer.h.0.", "transformer.h.1."}) {
        EXPECT_GE(live(layer + "attn.c_attn.weight", 1), 3);
        EXPECT_GE(live(layer + "attn.c_proj.weight", 0), 3);
        EXPECT_GE(live(layer + "mlp.c_fc.weight", 1), 3);
        EXPECT_GE(live(layer + "mlp.c_proj.weight", 0), 3);
    }
}

TEST_F(Training, RefusesAMinimumAliveThatCannotBeMet) {
    auto config = small_train_json();
    config["sparsity"]["fractions"]["matrix"] = 0.09;
    EXPECT_FG_ERROR(static_cast<void>(trainer(config)), FG_INVALID_CONFIG, "attn.c_attn.weight");
}

TEST_F(Training, LowersTheLossOfBothVariants) {
    for (const bool sparse : {true, false}) {
        auto config = small_train_json();
        config["steps"] = 150;
        auto model = small_model_json();
        if (!sparse) {
            model["afrac"] = nullptr;
            for (auto& fraction : config["sparsity"]["fractions"]) fraction = 1.0;
        }
        const auto run = trainer(config, model);
        const auto first = run->step().loss;
        double last = 0.0;
        while (!run->finished()) last = run->step().loss;
        EXPECT_NEAR(first, std::log(61.0), 0.1);
        EXPECT_LT(last, 2.0) << (sparse ? "sparse" : "dense");
        if (!sparse) {
            const auto& matrix = run->model().table().find("transformer.h.0.mlp.c_fc.weight");
            EXPECT_EQ(run->model().tensor(matrix).count_nonzero().item<std::int64_t>(), matrix.size);
        }
    }
}

TEST_F(Training, ResumesBitIdentically) {
    const auto whole = trainer();
    while (!whole->finished()) static_cast<void>(whole->step());

    for (const int stop : {1, 7, 19}) {
        const TemporaryFolder folder;
        {
            const auto first = trainer();
            for (int i = 0; i < stop; ++i) static_cast<void>(first->step());
            first->save(folder.path());
        }
        const std::shared_ptr<Model> model = load_model(folder.path(), Execution{}, test_device());
        const auto second = Trainer::resume(model, folder.path(), streams());
        EXPECT_EQ(second->steps_done(), stop);
        EXPECT_EQ(second->tokens_seen(), stop * 4 * 17);
        while (!second->finished()) static_cast<void>(second->step());
        EXPECT_TRUE(at::equal(model->values(), whole->model().values())) << "stopped after " << stop;
    }
}

/// A run that lets units die, since its gradients are all that would keep them.
nlohmann::json reviving_json() {
    auto config = small_train_json();
    config["steps"] = 60;
    config["sparsity"]["minimum_alive"] = 0;
    config["sparsity"]["fractions"]["matrix"] = 0.04;
    config["sparsity"]["anneal"]["end"] = 0.2;
    return config;
}

nlohmann::json statistics(const Trainer& trainer) { return nlohmann::json::parse(trainer.metrics_json()); }

TEST_F(Training, RevivalKeepsMoreUnitsAliveAndTheNumberOfWeights) {
    const auto run = [&](std::int64_t every) {
        auto config = reviving_json();
        config["sparsity"]["revive"] = {{"every", every}, {"until", 0.9}, {"weights", 2}, {"share", 0.2}};
        auto one = trainer(config);
        while (!one->finished()) static_cast<void>(one->step());
        return one;
    };
    const auto plain = run(0);
    const auto revived = run(5);
    EXPECT_FALSE(statistics(*plain).contains("revived"));
    EXPECT_GT(statistics(*revived)["revived"].get<int>(), 0);
    const auto alive = [&](const Trainer& one, const char* layer) {
        return statistics(one)[std::string("num_alive_neurons/c_fc/layer_") + layer].get<int>();
    };
    EXPECT_GT(alive(*revived, "0") + alive(*revived, "1"), alive(*plain, "0") + alive(*plain, "1"));
    for (const auto& parameter : revived->model().table().parameters()) {
        if (parameter.family == Family::kMatrix) {
            EXPECT_EQ(revived->model().tensor(parameter).count_nonzero().item<std::int64_t>(),
                      kept_entries(0.04, parameter.size))
                << parameter.name;
        }
    }
}

TEST_F(Training, LevelsAreDrawnUntilTheFinalOneIsLeft) {
    auto config = small_train_json();
    config["sparsity"]["minimum_alive"] = 0;
    config["sparsity"]["fractions"]["matrix"] = 0.1;
    config["sparsity"]["levels"] = {{"count", 3}, {"ratio", 2.0}, {"settle", 0.25}};
    const auto run = trainer(config);
    const auto& matrix = run->model().table().find("transformer.h.0.mlp.c_fc.weight");
    const auto& head = run->model().table().find("lm_head.weight");
    const auto nonzeros = [&](const Parameter& parameter) {
        return run->model().tensor(parameter).count_nonzero().item<std::int64_t>();
    };
    for (int step = 0; step < 15; ++step) {
        const auto report = run->step();
        if (step >= 10) {  // annealing is over: the densest level is kept, 4 times the final one
            EXPECT_DOUBLE_EQ(report.density, 0.4);
            EXPECT_EQ(nonzeros(matrix), kept_entries(0.4, matrix.size));
            EXPECT_EQ(nonzeros(head), head.size);  // 4 times a half is all of it
        }
    }
    while (!run->finished()) {
        EXPECT_DOUBLE_EQ(run->step().density, 0.1);
        EXPECT_EQ(nonzeros(matrix), kept_entries(0.1, matrix.size));
        EXPECT_EQ(nonzeros(head), kept_entries(0.5, head.size));
    }
}

TEST_F(Training, AStepOfALevelSeesTheWeightsItLeaves) {
    auto config = small_train_json();
    config["sparsity"]["minimum_alive"] = 0;
    config["sparsity"]["anneal"] = {{"shape", "linear"}, {"start", 0.0}, {"end", 0.0}, {"exponent", 1.0}};
    config["sparsity"]["levels"] = {{"count", 2}, {"ratio", 3.0}, {"settle", 0.1}};
    // Losses of a batch at the first step are those of the two levels of the same weights.
    std::set<double> losses;
    for (int seed = 1; seed < 9; ++seed) {
        config["seed"] = seed;
        const auto run = trainer(config);
        losses.insert(run->step_on(random_batch(run->model(), 4, 17)).loss);
    }
    auto expected = [&](double factor) {
        const auto model = make_model();
        const Fractions own{0.2 * factor, std::min(1.0, 0.5 * factor), std::min(1.0, 0.5 * factor),
                            std::min(1.0, 0.5 * factor), std::min(1.0, 0.5 * factor)};
        Projector(*model, own, 0).project(*model, 0.2 * factor);
        return next_token_loss(model->context(), random_batch(*model, 4, 17), nullptr).item<double>();
    };
    const auto dense = next_token_loss(make_model()->context(), random_batch(*make_model(), 4, 17), nullptr);
    EXPECT_EQ(losses, (std::set<double>{expected(1.0), dense.item<double>()}))
        << "the densest level has nothing to project away before the first update";
}

TEST_F(Training, DistillationMixesCrossEntropyAndDivergence) {
    const std::shared_ptr<Model> teacher = make_model(small_model_json(), false, 7);
    teacher->values().mul_(3.0);  // predictions that differ visibly from those of a fresh model
    const auto with = [&](double weight, double temperature) {
        auto config = small_train_json();
        config["distill"] = {{"weight", weight}, {"temperature", temperature}};
        auto run = trainer(config);
        if (weight > 0.0) run->set_teacher(teacher);
        return run;
    };
    const auto batch = random_batch(*teacher, 4, 17);
    const auto gradient = [&](double weight, double temperature) {
        const auto run = with(weight, temperature);
        static_cast<void>(run->compute_gradients(batch));
        return run->gradients().clone();
    };
    const auto plain = gradient(0.0, 1.0);
    const auto whole = gradient(1.0, 2.0);
    const auto mixed = gradient(0.25, 2.0);
    const auto expected = plain * 0.75 + whole * 0.25;
    EXPECT_LE((mixed - expected).abs().max().item<double>(), 1e-5 * expected.abs().max().item<double>());
    EXPECT_GT((whole - plain).norm().item<double>(), 0.1 * plain.norm().item<double>());
    // The statistics stay those of the cross-entropy.
    EXPECT_NEAR(with(0.7, 2.0)->step_on(batch).loss, with(0.0, 1.0)->step_on(batch).loss, 1e-5);
}

TEST_F(Training, PartsOfABatchAddUpToIt) {
    const std::shared_ptr<Model> teacher = make_model(small_model_json(), false, 7);
    const auto with = [&](std::int64_t accumulate, double weight) {
        auto config = small_train_json();
        config["accumulate"] = accumulate;
        config["distill"]["weight"] = weight;
        auto run = trainer(config);
        if (weight > 0.0) run->set_teacher(teacher);
        return run;
    };
    for (const double weight : {0.0, 0.5}) {
        for (const std::int64_t rows : {4, 5, 1}) {  // five rows are not a whole number of equal parts
            const auto batch = random_batch(*teacher, rows, 17);
            const auto whole = with(1, weight);
            const auto loss = whole->compute_gradients(batch);
            for (const std::int64_t accumulate : {2, 4}) {
                SCOPED_TRACE(std::to_string(rows) + " rows in " + std::to_string(accumulate));
                const auto parts = with(accumulate, weight);
                // Twice, since gradients of the batch before must not be added to.
                static_cast<void>(parts->compute_gradients(random_batch(*teacher, rows, 17, 10)));
                EXPECT_NEAR(parts->compute_gradients(batch), loss, 1e-6 * loss);
                const auto difference = (parts->gradients() - whole->gradients()).abs().max().item<double>();
                EXPECT_LE(difference, 1e-5 * whole->gradients().abs().max().item<double>());
                const auto report = parts->step_on(batch);
                const auto expected = with(1, weight)->step_on(batch);
                EXPECT_NEAR(report.loss, expected.loss, 1e-6 * loss);
                EXPECT_NEAR(report.grad_norm, expected.grad_norm, 1e-5 * expected.grad_norm);
            }
        }
    }
}

TEST_F(Training, ARunThatIsOlderThanAccumulateGoesOn) {
    const TemporaryFolder folder;
    const auto first = trainer();
    static_cast<void>(first->step());
    first->save(folder.path());
    const auto file = folder.path() / "trainer.safetensors";
    std::ifstream in(file, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(in), {}};
    const std::string key = R"(\"accumulate\":1,)";
    const auto at = bytes.find(key);
    ASSERT_NE(at, std::string::npos);
    bytes.replace(at, key.size(), key.size(), ' ');
    std::ofstream(file, std::ios::binary) << bytes;
    const std::shared_ptr<Model> model = load_model(folder.path(), Execution{}, test_device());
    const auto second = Trainer::resume(model, folder.path(), streams());
    EXPECT_EQ(second->config().accumulate, 1);
    EXPECT_EQ(second->step().loss, first->step().loss);
}

TEST_F(Training, RefusesPartsThatAreNotEqual) {
    auto config = small_train_json();
    config["accumulate"] = 3;
    EXPECT_FG_ERROR(static_cast<void>(trainer(config)), FG_INVALID_CONFIG, "train.accumulate must divide batch_size");
}

TEST_F(Training, AModelThatIsItsTeachersEqualLearnsNothingFromIt) {
    auto config = small_train_json();
    config["distill"] = {{"weight", 1.0}, {"temperature", 1.5}};
    const auto run = trainer(config);
    run->set_teacher(make_model());  // the same seed, so the same weights
    static_cast<void>(run->compute_gradients(random_batch(run->model(), 4, 17)));
    EXPECT_LE(run->gradients().abs().max().item<double>(), 1e-6);
}

TEST_F(Training, DistillationBringsAModelToItsTeacher) {
    auto plain = small_train_json();
    plain["steps"] = 200;
    auto model = small_model_json();
    model["afrac"] = nullptr;
    for (auto& fraction : plain["sparsity"]["fractions"]) fraction = 1.0;
    const auto taught = make_model(model);
    Trainer teaching(taught, parse_train_config(plain.dump()), streams());
    while (!teaching.finished()) static_cast<void>(teaching.step());
    auto config = plain;
    config["distill"] = {{"weight", 1.0}, {"temperature", 2.0}};
    const auto run = trainer(config, model);
    run->set_teacher(taught);
    while (!run->finished()) static_cast<void>(run->step());
    const auto batch = random_batch(run->model(), 16, 17);
    const auto loss = [&](const Model& one) { return next_token_loss(one.context(), batch, nullptr).item<double>(); };
    EXPECT_NEAR(loss(run->model()), loss(*taught), 0.25);
    EXPECT_LT(held_out_loss(run->model(), {tokens_.data(), tokens_.size(), 8, 0}).loss, 2.0);
}

TEST_F(Training, ResumesEveryOptionBitIdentically) {
    auto config = reviving_json();
    config["sparsity"]["revive"] = {{"every", 4}, {"until", 0.9}, {"weights", 2}, {"share", 0.2}};
    config["sparsity"]["levels"] = {{"count", 2}, {"ratio", 2.0}, {"settle", 0.3}};
    config["distill"] = {{"weight", 0.5}, {"temperature", 2.0}};
    const std::shared_ptr<Model> teacher = make_model(small_model_json(), false, 7);
    const auto start = [&] {
        auto run = trainer(config);
        run->set_teacher(teacher);
        return run;
    };
    const auto whole = start();
    while (!whole->finished()) static_cast<void>(whole->step());
    for (const int stop : {3, 20, 50}) {
        const TemporaryFolder folder;
        {
            const auto first = start();
            for (int i = 0; i < stop; ++i) static_cast<void>(first->step());
            first->save(folder.path());
        }
        const std::shared_ptr<Model> model = load_model(folder.path(), Execution{}, test_device());
        const auto second = Trainer::resume(model, folder.path(), streams());
        EXPECT_FG_ERROR(second->set_teacher(make_model(small_model_json(), false, 8)), FG_INVALID_ARGUMENT,
                        "not the teacher that the run was started with");
        second->set_teacher(teacher);
        while (!second->finished()) static_cast<void>(second->step());
        EXPECT_TRUE(at::equal(model->values(), whole->model().values())) << "stopped after " << stop;
        EXPECT_EQ(statistics(*second)["revived"], statistics(*whole)["revived"]);
    }
}

TEST_F(Training, RefusesATeacherThatDoesNotFit) {
    auto config = small_train_json();
    EXPECT_FG_ERROR(trainer(config)->set_teacher(make_model()), FG_INVALID_ARGUMENT, "train.distill.weight is 0");
    config["distill"]["weight"] = 0.5;
    const auto run = trainer(config);
    EXPECT_FG_ERROR(static_cast<void>(run->step()), FG_INVALID_STATE, "needs a teacher");
    auto other = small_model_json();
    other["vocab_size"] = 62;
    EXPECT_FG_ERROR(run->set_teacher(make_model(other)), FG_INVALID_ARGUMENT, "vocabulary of 62");
    other = small_model_json();
    other["block_size"] = 16;
    EXPECT_FG_ERROR(run->set_teacher(make_model(other)), FG_INVALID_ARGUMENT, "takes 16 tokens");
}

TEST_F(Training, IsBitIdenticalFromRunToRun) {
    const auto run = [&] {
        const auto one = trainer();
        while (!one->finished()) static_cast<void>(one->step());
        return one->model().values().clone();
    };
    EXPECT_TRUE(at::equal(run(), run()));
}

TEST_F(Training, IsBitIdenticalOnThreadsWhateverTheCrossover) {
    const auto text = learnable_tokens(20'000, 1024);
    auto config = small_train_json();
    config.update({{"steps", 6}, {"batch_size", 8}, {"seq_len", 128}});
    const auto run = [&](const Crossover& crossover) {
        Trainer trainer(make_model(wide_model_json()), parse_train_config(config.dump()),
                        {{text.data(), text.size(), 1.0}});
        trainer.model().sparse_weights().set_crossover(crossover);
        while (!trainer.finished()) static_cast<void>(trainer.step());
        return trainer.model().values().clone();
    };
    const ops::ThreadCount two(2);
    const auto once = run({0.0, 0.0});
    EXPECT_TRUE(at::equal(run({0.0, 0.0}), once));
    EXPECT_TRUE(at::equal(run({1.0, 1.0}), once)) << "products by nonzeros differ from those without";
    EXPECT_TRUE(at::equal(run({0.3, 0.6}), once)) << "products that are of one kind and then of the other differ";
}

TEST_F(Training, PlansAgreeUpToRoundingAndInTheWeightsTheyKeep) {
    auto of_levels = small_train_json();
    of_levels["sparsity"]["levels"] = {{"count", 2}, {"ratio", 2.0}, {"settle", 0.2}};
    for (const auto& config : {small_train_json(), of_levels}) {
        SCOPED_TRACE(config.dump());
        const auto with = [&](Plan plan) {
            const auto model = std::make_shared<Model>(parse_model_config(small_model_json().dump()),
                                                       ModelInit{1, true, {Precision::kFp32, plan}}, test_device());
            return std::make_unique<Trainer>(model, parse_train_config(config.dump()), streams());
        };
        const auto fast = with(Plan::kFast);
        const auto reference = with(Plan::kReference);
        for (int i = 0; i < 10; ++i) {
            const auto expected = reference->step();
            const auto actual = fast->step();
            EXPECT_NEAR(actual.loss, expected.loss, 1e-5 * expected.loss) << "step " << i;
            EXPECT_NEAR(actual.grad_norm, expected.grad_norm, 1e-4 * expected.grad_norm) << "step " << i;
            for (const auto& parameter : fast->model().table().parameters()) {
                const auto a = fast->model().tensor(parameter);
                const auto b = reference->model().tensor(parameter);
                EXPECT_EQ(a.count_nonzero().item<std::int64_t>(), b.count_nonzero().item<std::int64_t>())
                    << parameter.name << " after step " << i;
                // A weight that only one of them keeps is as small as the smallest of either: within some roundings of
                // the threshold, from above and below.
                const auto differ = a.ne(0).logical_xor(b.ne(0));
                if (differ.any().item<bool>()) {
                    const auto smallest = std::min(a.abs().masked_select(a.ne(0)).min().item<double>(),
                                                   b.abs().masked_select(b.ne(0)).min().item<double>());
                    const auto largest = (a - b).abs().masked_select(differ).max().item<double>();
                    EXPECT_LE(largest, smallest * (1.0 + 4.0 * 1.2e-7)) << parameter.name << " after step " << i;
                }
            }
        }
    }
}

TEST_F(Training, RoundedFactorsMoveAStepByLittle) {
    auto model_config = small_model_json();
    model_config["afrac"] = nullptr;  // a different top-k choice would be a difference of kind, not of rounding
    auto config = small_train_json();
    config["warmup"] = 0.0;
    for (auto& fraction : config["sparsity"]["fractions"]) fraction = 1.0;  // nor should another weight be kept
    struct Outcome {
        StepReport result;
        at::Tensor change;  // of all weights
    };
    const auto first_step = [&](Precision precision) {
        const auto model = std::make_shared<Model>(parse_model_config(model_config.dump()),
                                                   ModelInit{1, true, {precision, Plan::kFast}}, test_device());
        const auto before = model->values().clone();
        const auto result = Trainer(model, parse_train_config(config.dump()), streams()).step();
        return Outcome{result, model->values() - before};
    };
    const auto exact = first_step(Precision::kFp32);
    const auto rounded = first_step(Precision::kBf16);
    EXPECT_NE(rounded.result.grad_norm, exact.result.grad_norm) << "nothing was rounded";
    // bf16 has 8 bits: 2^-8 a factor, some products deep.
    EXPECT_NEAR(rounded.result.loss, exact.result.loss, 0.005 * exact.result.loss);
    EXPECT_NEAR(rounded.result.grad_norm, exact.result.grad_norm, 0.02 * exact.result.grad_norm);
    const auto error = (rounded.change - exact.change).norm() / exact.change.norm();
    EXPECT_LT(error.item<double>(), 0.03);
}

TEST_F(Training, RoundsAlikeInEveryRun) {
    constexpr int kSteps = 12;
    const auto run = [&](Precision precision) {
        const auto model = std::make_shared<Model>(parse_model_config(small_model_json().dump()),
                                                   ModelInit{1, true, {precision, Plan::kFast}}, test_device());
        Trainer trainer(model, parse_train_config(small_train_json().dump()), streams());
        double loss = 0.0;
        for (int i = 0; i < kSteps; ++i) loss += trainer.step().loss / kSteps;
        return std::pair(model->values().clone(), loss);
    };
    const auto [values, loss] = run(Precision::kBf16);
    EXPECT_TRUE(at::equal(values, run(Precision::kBf16).first));
    const auto exact = run(Precision::kFp32).second;
    EXPECT_NE(loss, exact) << "nothing was rounded";
    EXPECT_NEAR(loss, exact, 0.02 * exact);  // other entries are kept here and there
}

TEST_F(Training, Bf16StaysWithinTheSpreadOfSeedsAndIsBitIdenticalFromRunToRun) {
    auto config = small_train_json();
    config["steps"] = 150;
    struct Outcome {
        double loss = 0.0;  // mean over the last third of the steps
        at::Tensor values;
    };
    const auto run = [&](Precision precision, std::uint64_t seed) {
        const auto model = std::make_shared<Model>(parse_model_config(small_model_json().dump()),
                                                   ModelInit{seed, true, {precision, Plan::kFast}}, test_device());
        Trainer trainer(model, parse_train_config(config.dump()), streams());
        Outcome outcome;
        while (!trainer.finished()) {
            const auto loss = trainer.step().loss;
            outcome.loss += trainer.steps_done() > 100 ? loss / 50.0 : 0.0;
        }
        outcome.values = model->values().clone();
        return outcome;
    };
    std::vector<double> exact;
    double rounded = 0.0;  // mean over the seeds
    for (const std::uint64_t seed : {1, 2, 3, 4}) {
        exact.push_back(run(Precision::kFp32, seed).loss);
        rounded += run(Precision::kBf16, seed).loss / 4.0;
    }
    EXPECT_GE(rounded, *std::min_element(exact.begin(), exact.end()));
    EXPECT_LE(rounded, *std::max_element(exact.begin(), exact.end()));
    const auto first = run(Precision::kBf16, 1);
    EXPECT_TRUE(at::equal(first.values, run(Precision::kBf16, 1).values));
    EXPECT_FALSE(at::equal(first.values, run(Precision::kFp32, 1).values)) << "nothing was rounded";
}

TEST_F(Training, ProfileNamesThePlanAndItsPartsFitIntoTheWhole) {
    const auto run = trainer();
    for (int i = 0; i < 3; ++i) static_cast<void>(run->step());
    const auto profile = nlohmann::json::parse(run->profile_json());
    EXPECT_EQ(profile["plan"], "fast");
    for (const auto* crossover : {"crossover", "dense_crossover"}) {
        EXPECT_GE(profile[crossover].get<double>(), 0.0);
        EXPECT_LE(profile[crossover].get<double>(), 1.0);
    }
    EXPECT_GT(profile["cpu_seconds"].get<double>(), 0.0);
    if (run->model().device().is_cuda()) {
        EXPECT_TRUE(profile["parts"].empty());
        return;
    }
    double total = 0.0;
    for (const auto& [name, seconds] : profile["parts"].items()) total += seconds.get<double>();
    EXPECT_GT(profile["parts"]["weight_gradients"].get<double>(), 0.0);
    EXPECT_GT(profile["parts"]["adam"].get<double>(), 0.0);
    EXPECT_LE(total, profile["seconds"].get<double>());
}

TEST_F(Training, TakesNoMemoryFromTheSystemInTheSteadyState) {
    auto config = small_train_json();
    config["steps"] = 40;
    config["batch_size"] = 256;  // so that activations are large enough to be given back to the system
    const auto run = trainer(config);
    while (run->steps_done() < 20) static_cast<void>(run->step());
    const auto before = pages_taken();
    while (!run->finished()) static_cast<void>(run->step());
    EXPECT_LE(pages_taken() - before, 200) << "a step's activations alone have more pages";
}

TEST_F(Training, KeepsAboutAsMuchMemoryAsAStepTakesWhileItsSizesChange) {
    auto config = small_train_json();
    config["steps"] = 300;  // of which half keep another number of weights each
    config["batch_size"] = 2;
    config["sparsity"]["levels"] = {{"count", 2}, {"ratio", 2.0}, {"settle", 0.3}};
    auto wide = small_model_json();
    wide["d_mlp"] = 1400;  // so that what the projection takes is large enough to be kept
    for (const auto plan : {Plan::kFast, Plan::kReference}) {
        const auto model = std::make_shared<Model>(parse_model_config(wide.dump()),
                                                   ModelInit{1, false, {Precision::kFp32, plan}}, test_device());
        Trainer run(model, parse_train_config(config.dump()), streams());
        while (run.steps_done() < 5) static_cast<void>(run.step());
        const auto early = run.kept_bytes();
        while (!run.finished()) static_cast<void>(run.step());
        EXPECT_LE(run.kept_bytes(), 2 * early + (std::size_t{4} << 20));
    }
}

TEST_F(Training, ResumesWithThePlanOfItsCheckpoint) {
    const TemporaryFolder folder;
    const auto first = trainer();
    static_cast<void>(first->step());
    first->model().sparse_weights().set_crossover({0.0625, 0.125});
    first->save(folder.path());
    const std::shared_ptr<Model> model = load_model(folder.path(), Execution{}, test_device());
    static_cast<void>(Trainer::resume(model, folder.path(), streams()));
    EXPECT_EQ(model->sparse_weights().crossover().sparse_inputs, 0.0625);
    EXPECT_EQ(model->sparse_weights().crossover().dense_inputs, 0.125);
}

TEST_F(Training, RefusesTrainerStateOfAnotherModel) {
    const TemporaryFolder folder;
    trainer()->save(folder.path());
    auto other = small_model_json();
    other["d_mlp"] = 72;
    EXPECT_FG_ERROR(static_cast<void>(Trainer::resume(make_model(other), folder.path(), streams())), FG_BAD_CHECKPOINT,
                    "adam.m");
}

TEST_F(Training, StopsBeforeAStepWhenTheWeightsAreNotFinite) {
    const auto run = trainer();
    static_cast<void>(run->step());
    const auto before = run->model().values().clone();
    run->model()
        .tensor(run->model().table().find("transformer.h.1.mlp.c_fc.weight"))
        .select(0, 3)
        .fill_(std::numeric_limits<double>::quiet_NaN());
    EXPECT_FG_ERROR(static_cast<void>(run->step()), FG_DIVERGED, "first in transformer.h.1.mlp.c_fc.weight");
    EXPECT_EQ(run->steps_done(), 1);
    EXPECT_TRUE(at::equal(run->model().tensor(run->model().table().find("lm_head.weight")),
                          ParameterTable::view(before, run->model().table().find("lm_head.weight"))));
}

TEST_F(Training, NamesTheSiteThatOverflows) {
    auto model = small_model_json();
    model["afrac"] = nullptr;
    const auto run = trainer(small_train_json(), model);
    // Finite weights whose product is not: the neurons of layer 1 overflow fp32.
    run->model().tensor(run->model().table().find("transformer.h.1.ln_2.weight")).fill_(1e30);
    run->model().tensor(run->model().table().find("transformer.h.1.mlp.c_fc.weight")).fill_(1e20);
    EXPECT_FG_ERROR(static_cast<void>(run->step()), FG_DIVERGED, "1.mlp.post_act");
}

TEST_F(Training, NamesTheTensorWhoseGradientOverflows) {
    auto config = small_model_json();
    config["afrac"] = nullptr;
    const auto run = trainer(small_train_json(), config);
    const auto tensor = [&](const std::string& name) { return run->model().tensor(run->model().table().find(name)); };
    // One huge neuron that nothing reads: the loss is finite, the gradient of the weights that could read it is not.
    tensor("transformer.h.1.mlp.c_fc.bias").select(0, 5).fill_(1e38);
    tensor("transformer.h.1.mlp.c_proj.weight").select(1, 5).zero_();
    tensor("lm_head.weight").mul_(100.0);
    const auto before = run->model().values().clone();
    EXPECT_FG_ERROR(static_cast<void>(run->step()), FG_DIVERGED,
                    "the gradient is not finite at step 0: first in the gradient of transformer.h.1.mlp.c_proj.weight");
    EXPECT_TRUE(at::equal(run->model().values(), before));
}

TEST_F(Training, SaysWhenOnlyTheNormOfTheGradientOverflows) {
    auto config = small_model_json();
    config["afrac"] = nullptr;
    const auto run = trainer(small_train_json(), config);
    run->model().tensor(run->model().table().find("transformer.h.1.mlp.c_fc.bias")).select(0, 5).fill_(1e30);
    run->model().tensor(run->model().table().find("transformer.h.1.mlp.c_proj.weight")).select(1, 5).zero_();
    EXPECT_FG_ERROR(static_cast<void>(run->step()), FG_DIVERGED, "first in its norm");
}

TEST_F(Training, SavesNoWeightsThatAreNotFinite) {
    const TemporaryFolder folder;
    const auto run = trainer();
    static_cast<void>(run->step());
    run->model()
        .tensor(run->model().table().find("lm_head.weight"))
        .select(0, 3)
        .fill_(std::numeric_limits<double>::infinity());
    EXPECT_FG_ERROR(run->save(folder.path()), FG_DIVERGED, "lm_head.weight is not finite after step 1");
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST_F(Training, DrawsBatchesByShareAndAsAFunctionOfTheStep) {
    const std::vector<std::uint16_t> low(100, 1);
    const std::vector<std::uint16_t> high(5000, 2);
    const Sampler sampler({{low.data(), low.size(), 3.0}, {high.data(), high.size(), 1.0}}, 61, 10, 42);
    const auto batch = sampler.batch(2000, 7);
    EXPECT_EQ(batch, sampler.batch(2000, 7));
    EXPECT_NE(batch, sampler.batch(2000, 8));
    const auto from_low = std::count(batch.begin(), batch.end(), 1) / 10;
    EXPECT_NEAR(static_cast<double>(from_low) / 2000.0, 0.75, 0.05);
}

TEST_F(Training, RefusesCorporaThatDoNotFit) {
    const std::vector<std::uint16_t> short_stream(16, 1);
    const std::vector<std::uint16_t> foreign(20, 61);
    const auto with = [&](std::vector<TokenStream> list) {
        static_cast<void>(Trainer(make_model(), parse_train_config(small_train_json().dump()), std::move(list)));
    };
    EXPECT_FG_ERROR(with({}), FG_INVALID_ARGUMENT, "at least one corpus");
    EXPECT_FG_ERROR(with({{short_stream.data(), 16, 1.0}}), FG_INVALID_ARGUMENT, "fewer than one sequence");
    EXPECT_FG_ERROR(with({{foreign.data(), 20, 1.0}}), FG_INVALID_ARGUMENT, "id 61 at position 0");
    EXPECT_FG_ERROR(with({{tokens_.data(), 20, 0.0}}), FG_INVALID_ARGUMENT, "share");
}

TEST_F(Training, ClipsOrNormalisesTheGradientAsConfigured) {
    // With eps far above the gradient Adam is linear in it, so a step shows the scale it was given.
    const auto moved = [&](const std::string& rule) {
        auto config = small_train_json();
        config["gradient"] = rule;
        config["warmup"] = 0.0;
        config["weight_decay"] = 0.0;
        config["adam"]["eps"] = 1e6;
        for (auto& fraction : config["sparsity"]["fractions"]) fraction = 1.0;
        const auto run = trainer(config);
        const auto before = run->model().values().clone();
        const auto report = run->step();
        const auto rms = report.grad_norm / std::sqrt(static_cast<double>(run->model().table().trainable_size()));
        EXPECT_LT(rms, 1.0);
        const auto difference = (run->model().values() - before).norm().item<double>();
        return std::pair(difference, rms);
    };
    const auto [normalised, rms] = moved("normalize");
    const auto [clipped, same_rms] = moved("clip");
    EXPECT_EQ(rms, same_rms);
    EXPECT_NEAR(clipped / normalised, rms + 1e-5, 1e-3);  // a small gradient is left as it is
}

TEST_F(Training, RejectsAnUnknownOrMissingKey) {
    const auto parse = [](const nlohmann::json& patch) {
        auto config = small_train_json();
        config.merge_patch(patch);
        static_cast<void>(parse_train_config(config.dump()));
    };
    EXPECT_FG_ERROR(parse({{"lrr", 1}}), FG_INVALID_CONFIG, "train.lrr is not a known key");
    EXPECT_FG_ERROR(parse({{"lr", nullptr}}), FG_INVALID_CONFIG, "train.lr is missing");
    EXPECT_FG_ERROR(parse({{"sparsity", {{"anneal", {{"shape", "cosine"}}}}}}), FG_INVALID_CONFIG,
                    "train.sparsity.anneal.shape must be one of \"linear\", \"power_law\"");
    EXPECT_FG_ERROR(parse({{"sparsity", {{"anneal", {{"end", 0.0}}}}}}), FG_INVALID_CONFIG, "before start");
    EXPECT_FG_ERROR(parse({{"sparsity", {{"fractions", {{"matrix", 0.0}}}}}}), FG_INVALID_CONFIG, "fractions.matrix");
    EXPECT_FG_ERROR(parse({{"sparsity", {{"levels", {{"count", 2}, {"ratio", 2.0}}}}}}), FG_INVALID_CONFIG,
                    "train.sparsity.levels.settle");
    EXPECT_FG_ERROR(parse({{"sparsity", {{"revive", {{"weights", 0}}}}}}), FG_INVALID_CONFIG, "revive.weights");
    EXPECT_FG_ERROR(parse({{"distill", {{"weight", 1.5}}}}), FG_INVALID_CONFIG, "train.distill.weight");
}

TEST_F(Training, RefusesSequencesLongerThanTheModelTakes) {
    auto config = small_train_json();
    config["seq_len"] = 18;
    EXPECT_FG_ERROR(static_cast<void>(trainer(config)), FG_INVALID_CONFIG, "block_size 17");
}

TEST(WeightStatistics, CountWhatTheirDefinitionsSay) {
    const auto model = make_model();
    const auto& table = model->table();
    model->tensor(table.find("transformer.h.0.mlp.c_fc.weight")).select(0, 5).zero_();  // one dead neuron
    const auto qkv = model->tensor(table.find("transformer.h.1.attn.c_attn.weight"));
    qkv.select(0, 2).zero_();       // query channel 2 is dead
    qkv.select(0, 24 + 2).zero_();  // and so is its key
    qkv.select(0, 24 + 9).zero_();  // key channel 9 has no weight but a bias
    model->tensor(table.find("transformer.h.1.attn.c_attn.bias")).select(0, 24 + 9).fill_(0.5);
    const auto json = nlohmann::json::parse(weight_statistics_json(*model));
    EXPECT_EQ(json["num_alive_neurons/c_fc/layer_0"], 69);
    EXPECT_EQ(json["num_alive_neurons/c_fc/layer_1"], 70);
    EXPECT_EQ(json["dead_qk/layer_0"], 0);
    EXPECT_EQ(json["dead_qk/layer_1"], 1);
    const auto matrices = 2 * (72 * 30 + 30 * 24 + 70 * 30 + 30 * 70) - 30 - 3 * 30;
    EXPECT_EQ(json["L0_non_embed"], matrices + 61 * 30);
    EXPECT_EQ(json["L0_non_LN"], matrices + 2 * 61 * 30);
    EXPECT_EQ(json["L0"], count_nonzeros(*model));
    EXPECT_EQ(json["L0"], matrices + 2 * 61 * 30 + 5 * 30 + 1);  // norm gains and the one bias; sinks are 0
}

TEST(HeldOutLoss, IsTheMeanOverAllWindowsWhateverTheBatch) {
    const auto model = make_model();
    const auto tokens = learnable_tokens(17 * 7 + 5, 61);
    const auto once = held_out_loss(*model, {tokens.data(), tokens.size(), 7, 0});
    const auto split = held_out_loss(*model, {tokens.data(), tokens.size(), 3, 0});
    EXPECT_EQ(once.predictions, 7U * 16U);
    EXPECT_NEAR(once.loss, split.loss, 1e-6);
    EXPECT_EQ(held_out_loss(*model, {tokens.data(), tokens.size(), 3, 2}).predictions, 2U * 16U);
    EXPECT_FG_ERROR(static_cast<void>(held_out_loss(*model, {tokens.data(), 16, 1, 0})), FG_INVALID_ARGUMENT,
                    "fewer than one window");
}

TEST(Cancelling, StopsALongCallOnce) {
    const auto model = make_model();
    const auto tokens = learnable_tokens(1000, 61);
    model->cancel();
    EXPECT_FG_ERROR(static_cast<void>(held_out_loss(*model, {tokens.data(), tokens.size(), 1, 0})), FG_CANCELLED,
                    "on request");
    EXPECT_GT(held_out_loss(*model, {tokens.data(), tokens.size(), 1, 0}).loss, 0.0);
}

}  // namespace
}  // namespace filigree
