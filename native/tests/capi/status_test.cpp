// SPDX-License-Identifier: Apache-2.0
// Every status, provoked through the C interface.
#include <filigree/filigree.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <csignal>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "capi/configs.h"
#include "support/file_size_limit.hpp"
#include "support/page_faults.hpp"
#include "support/temporary_folder.hpp"

namespace filigree {
namespace {

/// The call has this status, and the sentence of its failure contains a part.
void expect_status(fg_status actual, fg_status expected, const std::string& part, int line) {
    const std::string sentence = fg_last_error_message();
    EXPECT_STREQ(fg_status_name(actual), fg_status_name(expected)) << "line " << line << ": " << sentence;
    EXPECT_NE(sentence.find(part), std::string::npos) << "line " << line << ": " << sentence << "\nlacks: " << part;
}
#define EXPECT_STATUS(expected, part, call) expect_status((call), (expected), (part), __LINE__)
#define ASSERT_OK(call) ASSERT_EQ((call), FG_OK) << fg_last_error_message()

template <typename Stats>
Stats sized() {
    Stats stats{};
    stats.struct_size = sizeof(Stats);
    return stats;
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
    const auto at = text.find(what);
    if (at == std::string::npos) throw std::logic_error(what + " is not in the text");
    return text.replace(at, what.size(), with);
}

class Status : public testing::Test {
protected:
    void SetUp() override {
        ASSERT_OK(fg_runtime_init(R"({"threads":1})"));
        ASSERT_OK(fg_model_create(TEST_MODEL, TEST_INIT, "cpu", &model_));
        for (std::size_t i = 0; i < tokens_.size(); ++i) tokens_[i] = static_cast<std::uint16_t>(i * 7 % TEST_VOCAB);
        corpus_ = {tokens_.data(), tokens_.size(), 1.0};
    }

    void TearDown() override { fg_runtime_shutdown(); }

    fg_trainer* trainer(const char* config = TEST_TRAINER) {
        fg_trainer* result = nullptr;
        EXPECT_EQ(fg_trainer_create(model_, config, &corpus_, 1, &result), FG_OK) << fg_last_error_message();
        return result;
    }

    fg_examples* examples() {
        fg_examples* result = nullptr;
        EXPECT_EQ(
            fg_examples_create(model_, tokens_.data(), 2, TEST_BLOCK, positions_.data(), answers_.data(), &result),
            FG_OK)
            << fg_last_error_message();
        return result;
    }

    fg_circuit circuit() {
        auto result = sized<fg_circuit>();
        result.nodes = TEST_NODES;
        result.keep = keep_.data();
        result.means = means_.data();
        return result;
    }

    void expect_model_config(fg_status expected, const std::string& part, const std::string& config) {
        fg_model* none = nullptr;
        EXPECT_STATUS(expected, part, fg_model_create(config.c_str(), TEST_INIT, "cpu", &none));
        EXPECT_EQ(none, nullptr);
    }

    void expect_trainer_config(const std::string& part, const std::string& config) {
        fg_trainer* none = nullptr;
        EXPECT_STATUS(FG_INVALID_CONFIG, part, fg_trainer_create(model_, config.c_str(), &corpus_, 1, &none));
        EXPECT_EQ(none, nullptr);
    }

    std::vector<float> read(const char* name, std::uint64_t count) {
        std::vector<float> values(count);
        EXPECT_EQ(fg_model_read_tensor(model_, name, count, values.data()), FG_OK) << fg_last_error_message();
        return values;
    }

    fg_model* model_ = nullptr;
    std::array<std::uint16_t, 1024> tokens_{};
    fg_corpus corpus_{};
    std::array<std::int32_t, 4> positions_{15, 15, 15, 15};
    std::array<std::uint16_t, 4> answers_{1, 2, 3, 4};
    std::array<float, TEST_NODES> means_{};
    std::array<std::uint8_t, TEST_NODES> keep_{};
    TemporaryFolder folder_;
};

// ---- FG_INVALID_ARGUMENT ----

TEST_F(Status, NullArgumentsAreInvalid) {
    fg_model* model = nullptr;
    fg_trainer* trainer = nullptr;
    fg_examples* made = nullptr;
    fg_pruner* pruner = nullptr;
    fg_buffer* buffer = nullptr;
    auto eval = sized<fg_eval_stats>();
    auto task = sized<fg_task_stats>();
    std::array<float, TEST_BLOCK * TEST_VOCAB> logits{};
    fg_trainer* open = this->trainer();
    fg_examples* pairs = examples();
    const auto folder = folder_.path().string();

    EXPECT_STATUS(FG_INVALID_ARGUMENT, "config_json", fg_runtime_init(nullptr));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "out_json", fg_runtime_info(nullptr));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "out_json", fg_runtime_measure(nullptr));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "kind", fg_debug_raise(nullptr));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "config_json", fg_model_create(nullptr, TEST_INIT, "cpu", &model));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "init_json", fg_model_create(TEST_MODEL, nullptr, "cpu", &model));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "device", fg_model_create(TEST_MODEL, TEST_INIT, nullptr, &model));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "out_model", fg_model_create(TEST_MODEL, TEST_INIT, "cpu", nullptr));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "folder", fg_model_load(nullptr, TEST_EXECUTION, "cpu", &model));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "execution_json", fg_model_load(folder.c_str(), nullptr, "cpu", &model));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "device", fg_model_load(folder.c_str(), TEST_EXECUTION, nullptr, &model));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "out_model", fg_model_load(folder.c_str(), TEST_EXECUTION, "cpu", nullptr));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "model", fg_model_save(nullptr, folder.c_str()));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "folder", fg_model_save(model_, nullptr));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "model", fg_model_info(nullptr, &buffer));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "out_json", fg_model_info(model_, nullptr));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "name", fg_model_read_tensor(model_, nullptr, 1, logits.data()));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "out_values", fg_model_read_tensor(model_, "lm_head.weight", 1024, nullptr));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "values", fg_model_write_tensor(model_, "lm_head.weight", nullptr, 1024));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "tokens", fg_model_logits(model_, nullptr, 1, 1, TEST_VOCAB, logits.data()));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "out_logits",
                  fg_model_logits(model_, tokens_.data(), 1, 1, TEST_VOCAB, nullptr));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "tokens", fg_model_loss(model_, nullptr, 64, 2, 0, &eval));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "out_stats", fg_model_loss(model_, tokens_.data(), 64, 2, 0, nullptr));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "out_means",
                  fg_model_node_means(model_, tokens_.data(), 64, 2, 0, TEST_NODES, nullptr));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "model", fg_model_cancel(nullptr));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "model", fg_trainer_create(nullptr, TEST_TRAINER, &corpus_, 1, &trainer));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "config_json", fg_trainer_create(model_, nullptr, &corpus_, 1, &trainer));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "corpora", fg_trainer_create(model_, TEST_TRAINER, nullptr, 1, &trainer));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "out_trainer", fg_trainer_create(model_, TEST_TRAINER, &corpus_, 1, nullptr));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "folder", fg_trainer_resume(model_, nullptr, &corpus_, 1, &trainer));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "trainer", fg_trainer_step(nullptr, 1, nullptr));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "out_stats", fg_trainer_step(open, 1, nullptr));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "out_json", fg_trainer_metrics(open, nullptr));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "out_json", fg_trainer_profile(open, nullptr));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "folder", fg_trainer_save(open, nullptr));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "tokens",
                  fg_examples_create(model_, nullptr, 2, TEST_BLOCK, positions_.data(), answers_.data(), &made));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "eval_positions",
                  fg_examples_create(model_, tokens_.data(), 2, TEST_BLOCK, nullptr, answers_.data(), &made));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "answers",
                  fg_examples_create(model_, tokens_.data(), 2, TEST_BLOCK, positions_.data(), nullptr, &made));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "means",
                  fg_pruner_create(model_, TEST_PRUNER, pairs, nullptr, TEST_NODES, &pruner));
    fg_fast_pruner* fast = nullptr;
    const fg_prune_task prune_task = {pairs, pairs};
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "config_json",
                  fg_fast_pruner_create(model_, nullptr, &prune_task, 1, means_.data(), TEST_NODES, &fast));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "tasks",
                  fg_fast_pruner_create(model_, TEST_FAST_PRUNER, nullptr, 1, means_.data(), TEST_NODES, &fast));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "means",
                  fg_fast_pruner_create(model_, TEST_FAST_PRUNER, &prune_task, 1, nullptr, TEST_NODES, &fast));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "out_pruner",
                  fg_fast_pruner_create(model_, TEST_FAST_PRUNER, &prune_task, 1, means_.data(), TEST_NODES, nullptr));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "fast pruner", fg_fast_pruner_advance(nullptr, nullptr));
    auto circuit = this->circuit();
    circuit.means = nullptr;
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "means", fg_circuit_evaluate(model_, pairs, &circuit, 1, 0, &task));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "means", fg_circuit_differences(model_, pairs, &circuit, 4, logits.data()));
    circuit = this->circuit();
    circuit.keep = nullptr;
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "keep", fg_circuit_calibrate(model_, pairs, &circuit, &task));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "out_differences", fg_circuit_differences(model_, pairs, nullptr, 4, nullptr));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "keep", fg_circuit_edges(model_, nullptr, TEST_NODES, &buffer));
    EXPECT_EQ(buffer, nullptr);
}

TEST_F(Status, FastPrunerGivesItsCircuitsWhenItIsFinished) {
    fg_examples* pairs = examples();
    const fg_prune_task task = {pairs, pairs};
    fg_fast_pruner* pruner = nullptr;
    ASSERT_OK(fg_fast_pruner_create(model_, TEST_FAST_PRUNER, &task, 1, means_.data(), TEST_NODES, &pruner));
    std::array<std::uint8_t, TEST_NODES> keep{};
    fg_buffer* edges = nullptr;
    auto found = sized<fg_found_circuit>();
    EXPECT_STATUS(FG_INVALID_STATE, "not finished",
                  fg_fast_pruner_circuit(pruner, 0, 0, TEST_NODES, keep.data(), &edges, &found));
    auto stats = sized<fg_fast_prune_stats>();
    std::uint64_t pieces = 0;
    do {
        ASSERT_OK(fg_fast_pruner_advance(pruner, &stats));
        EXPECT_EQ(stats.pieces, ++pieces);
    } while (stats.phase != FG_FAST_PRUNE_DONE);
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "1 tasks and 2 targets",
                  fg_fast_pruner_circuit(pruner, 0, 2, TEST_NODES, keep.data(), &edges, &found));
    ASSERT_OK(fg_fast_pruner_circuit(pruner, 0, 1, TEST_NODES, keep.data(), &edges, &found));
    EXPECT_EQ(found.reached, 1U);

    // What it gives can be evaluated, with exactly its edges.
    auto circuit = sized<fg_circuit>();
    circuit.nodes = TEST_NODES;
    circuit.keep = keep.data();
    circuit.means = means_.data();
    const fg_edge none[1] = {};
    circuit.edges = fg_buffer_size(edges) == 0 ? none : static_cast<const fg_edge*>(fg_buffer_data(edges));
    circuit.n_edges = fg_buffer_size(edges) / sizeof(fg_edge);
    auto score = sized<fg_task_stats>();
    ASSERT_OK(fg_circuit_evaluate(model_, pairs, &circuit, found.scale, found.shift, &score));
    EXPECT_LE(score.loss, 5.0);
    const fg_edge wrong[1] = {{1, 0, 1.0F}};
    circuit.edges = wrong;
    circuit.n_edges = 1;
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "the edge 1 -> 0",
                  fg_circuit_evaluate(model_, pairs, &circuit, 1.0, 0.0, &score));
    fg_buffer_destroy(edges);
    fg_fast_pruner_destroy(pruner);
    EXPECT_STATUS(FG_INVALID_STATE, "closed", fg_fast_pruner_advance(pruner, &stats));
}

TEST_F(Status, TokensOfACircuitHaveToFit) {
    auto* pairs = examples();
    std::vector<std::uint8_t> tokens(TEST_VOCAB, 1);
    std::vector<float> embedding(TEST_WIDTH);
    auto found = sized<fg_found_circuit>();
    auto score = sized<fg_task_stats>();
    auto circuit = this->circuit();
    const auto choose = [&](double target) {
        return fg_circuit_tokens(model_, pairs, pairs, &circuit, target, 1, TEST_VOCAB, tokens.data(), &found);
    };
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "embedding", choose(5.0));
    circuit.embedding = embedding.data();
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "d_model is 0", choose(5.0));
    circuit.d_model = TEST_WIDTH;
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "target_loss", choose(0.0));
    ASSERT_OK(choose(5.0));
    EXPECT_EQ(found.reached, 1U);
    EXPECT_EQ(std::count(tokens.begin(), tokens.end(), 1), 0) << "guessing needs no token";

    circuit.tokens = tokens.data();
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "vocab_size is 0",
                  fg_circuit_evaluate(model_, pairs, &circuit, 1.0, 0.0, &score));
    circuit.vocab_size = TEST_VOCAB;
    ASSERT_OK(fg_circuit_evaluate(model_, pairs, &circuit, found.scale, found.shift, &score));
    EXPECT_LE(score.loss, 5.0);
    tokens[3] = 2;
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "0 and 1", fg_circuit_evaluate(model_, pairs, &circuit, 1.0, 0.0, &score));
}

TEST_F(Status, ATeacherHasToFitAndToBeThere) {
    auto config = nlohmann::json::parse(TEST_TRAINER);
    config["distill"]["weight"] = 0.5;
    fg_trainer* taught = trainer(config.dump().c_str());
    fg_train_stats stats{};
    stats.struct_size = sizeof(stats);
    EXPECT_STATUS(FG_INVALID_STATE, "teacher", fg_trainer_step(taught, 1, &stats));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "model", fg_trainer_set_teacher(taught, nullptr));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "its own teacher", fg_trainer_set_teacher(taught, model_));
    fg_model* teacher = nullptr;
    ASSERT_OK(fg_model_create(TEST_MODEL, TEST_INIT, "cpu", &teacher));
    fg_trainer* plain = trainer();
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "distill.weight is 0", fg_trainer_set_teacher(plain, teacher));
    ASSERT_OK(fg_trainer_set_teacher(taught, teacher));
    fg_model_destroy(teacher);
    EXPECT_STATUS(FG_INVALID_STATE, "closed", fg_trainer_set_teacher(plain, teacher));
    ASSERT_OK(fg_trainer_step(taught, 1, &stats));  // the trainer keeps it alive
    fg_trainer_destroy(plain);
    fg_trainer_destroy(taught);
}

TEST_F(Status, DestroyingNullDoesNothing) {
    fg_model_destroy(nullptr);
    fg_trainer_destroy(nullptr);
    fg_examples_destroy(nullptr);
    fg_pruner_destroy(nullptr);
    fg_fast_pruner_destroy(nullptr);
    fg_buffer_destroy(nullptr);
    EXPECT_EQ(fg_buffer_data(nullptr), nullptr);
    EXPECT_EQ(fg_buffer_size(nullptr), 0U);
}

TEST_F(Status, HandleOfAnotherTypeIsInvalid) {
    fg_trainer* trainer = this->trainer();
    fg_buffer* info = nullptr;
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "not a model", fg_model_info(reinterpret_cast<fg_model*>(trainer), &info));
    auto stats = sized<fg_train_stats>();
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "not a trainer",
                  fg_trainer_step(reinterpret_cast<fg_trainer*>(model_), 1, &stats));
    // Destroying through the wrong type must not free what the right type still uses.
    fg_model_destroy(reinterpret_cast<fg_model*>(trainer));
    EXPECT_EQ(fg_trainer_step(trainer, 1, &stats), FG_OK) << fg_last_error_message();
}

TEST_F(Status, AddressThatIsNoHandleIsInvalid) {
    int mine = 0;
    fg_buffer* info = nullptr;
    const fg_status status = fg_model_info(reinterpret_cast<fg_model*>(&mine), &info);
    EXPECT_TRUE(status == FG_INVALID_ARGUMENT || status == FG_INVALID_STATE) << fg_status_name(status);
}

TEST_F(Status, SizesThatDoNotFitAreInvalid) {
    std::array<float, TEST_BLOCK * TEST_VOCAB> values{};
    auto eval = sized<fg_eval_stats>();
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "lm_head.weight",
                  fg_model_read_tensor(model_, "lm_head.weight", 1023, values.data()));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "lm_head.weight",
                  fg_model_write_tensor(model_, "lm_head.weight", values.data(), 1));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "count", fg_model_logits(model_, tokens_.data(), 1, 2, 1, values.data()));
    EXPECT_STATUS(
        FG_INVALID_ARGUMENT, "block_size",
        fg_model_logits(model_, tokens_.data(), 1, TEST_BLOCK + 1, (TEST_BLOCK + 1) * TEST_VOCAB, values.data()));
    // batch * length * vocab_size wraps around 64 bits to the right count.
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "",
                  fg_model_logits(model_, tokens_.data(), std::uint64_t{1} << 60, 1, 0, values.data()));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "", fg_model_loss(model_, tokens_.data(), TEST_BLOCK - 1, 1, 0, &eval));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "", fg_model_loss(model_, tokens_.data(), 64, 0, 0, &eval));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "nodes",
                  fg_model_node_means(model_, tokens_.data(), 64, 1, 0, TEST_NODES - 1, values.data()));
    fg_examples* pairs = examples();
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "count", fg_circuit_differences(model_, pairs, nullptr, 3, values.data()));
    auto circuit = this->circuit();
    circuit.nodes = TEST_NODES + 1;
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "nodes", fg_circuit_differences(model_, pairs, &circuit, 4, values.data()));
    circuit = this->circuit();
    circuit.struct_size = 1;
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "struct_size",
                  fg_circuit_differences(model_, pairs, &circuit, 4, values.data()));
    eval.struct_size = 1;
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "struct_size", fg_model_loss(model_, tokens_.data(), 64, 1, 0, &eval));
}

TEST_F(Status, TokenThatDoesNotFitTheVocabularyIsInvalid) {
    std::array<float, TEST_BLOCK * TEST_VOCAB> logits{};
    auto eval = sized<fg_eval_stats>();
    fg_trainer* none = nullptr;
    auto bad = tokens_;
    bad[700] = TEST_VOCAB;
    const fg_corpus corpus{bad.data(), bad.size(), 1.0};
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "64", fg_trainer_create(model_, TEST_TRAINER, &corpus, 1, &none));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "64", fg_model_loss(model_, bad.data(), bad.size(), 4, 0, &eval));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "64", fg_model_logits(model_, &bad[700], 1, 1, TEST_VOCAB, logits.data()));
    fg_trainer* trainer = this->trainer();
    auto stats = sized<fg_train_stats>();
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "64", fg_trainer_step_on(trainer, &bad[696], 1, 8, &stats));
}

TEST_F(Status, CorporaThatCannotBeSampledAreInvalid) {
    fg_trainer* none = nullptr;
    fg_corpus corpus = corpus_;
    corpus.count = TEST_BLOCK - 1;
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "", fg_trainer_create(model_, TEST_TRAINER, &corpus, 1, &none));
    corpus = corpus_;
    corpus.share = 0;
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "share", fg_trainer_create(model_, TEST_TRAINER, &corpus, 1, &none));
    corpus.share = std::numeric_limits<double>::quiet_NaN();
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "share", fg_trainer_create(model_, TEST_TRAINER, &corpus, 1, &none));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "", fg_trainer_create(model_, TEST_TRAINER, &corpus_, 0, &none));
}

TEST_F(Status, ExamplesOutOfRangeAreInvalid) {
    fg_examples* none = nullptr;
    const auto create = [&] {
        return fg_examples_create(model_, tokens_.data(), 2, TEST_BLOCK, positions_.data(), answers_.data(), &none);
    };
    positions_[1] = TEST_BLOCK;
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "position", create());
    positions_[1] = -1;
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "position", create());
    positions_[1] = 0;
    answers_[3] = answers_[2];
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "answer", create());
    answers_[3] = TEST_VOCAB;
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "answer", create());
}

TEST_F(Status, ExamplesOfAnotherModelAreInvalid) {
    fg_examples* pairs = examples();
    fg_model* other = nullptr;
    ASSERT_OK(fg_model_create(TEST_MODEL, TEST_INIT, "cpu", &other));
    fg_pruner* none = nullptr;
    auto task = sized<fg_task_stats>();
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "model",
                  fg_pruner_create(other, TEST_PRUNER, pairs, means_.data(), TEST_NODES, &none));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "model", fg_circuit_evaluate(other, pairs, nullptr, 1, 0, &task));
    std::array<float, 4> differences{};
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "model", fg_circuit_differences(other, pairs, nullptr, 4, differences.data()));
}

TEST_F(Status, InterventionsThatNameNothingAreInvalid) {
    fg_examples* pairs = examples();
    const auto circuit = this->circuit();
    std::array<float, 4 * TEST_NODES> values{};
    const std::array<std::uint32_t, 4> donors{1, 0, 3, 4};
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "the donor of sequence 3 is 4",
                  fg_circuit_with_donors(model_, pairs, &circuit, donors.data(), 4, values.data()));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "circuit",
                  fg_circuit_with_donors(model_, pairs, nullptr, donors.data(), 4, values.data()));
    const std::array<std::uint32_t, 2> nodes{0, TEST_NODES};
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "node",
                  fg_circuit_ablations(model_, pairs, &circuit, nodes.data(), 2, 8, values.data()));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "count",
                  fg_circuit_ablations(model_, pairs, &circuit, nodes.data(), 1, 5, values.data()));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "n is 0",
                  fg_circuit_activations(model_, pairs, nullptr, nodes.data(), 0, 0, values.data()));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "no head 99",
                  fg_circuit_attention(model_, pairs, nullptr, 0, 99, 4, values.data()));
    std::array<float, TEST_NODES> high{};
    EXPECT_STATUS(FG_INVALID_CONFIG, "steps",
                  fg_circuit_binarise(model_, pairs, &circuit, "{}", 1, 0, TEST_NODES, values.data(), high.data()));
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "without nodes",
                  fg_circuit_binarise(model_, pairs, &circuit, R"({"steps":1,"batch_pairs":1,"init_pairs":1,"lr":0.1})",
                                      1, 0, TEST_NODES, values.data(), high.data()));
    double scale = 0;
    double shift = 0;
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "count", fg_calibration_fit(values.data(), 3, &scale, &shift));
    values[1] = std::numeric_limits<float>::infinity();
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "difference 1", fg_calibration_fit(values.data(), 4, &scale, &shift));
}

TEST_F(Status, KeepOtherThanZeroAndOneIsInvalid) {
    keep_[3] = 2;
    fg_buffer* none = nullptr;
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "keep", fg_circuit_edges(model_, keep_.data(), TEST_NODES, &none));
}

TEST_F(Status, DeviceNameThatIsNoneIsInvalid) {
    fg_model* none = nullptr;
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "abacus", fg_model_create(TEST_MODEL, TEST_INIT, "abacus", &none));
}

// ---- FG_INVALID_CONFIG ----

TEST_F(Status, BadConfigurationNamesThePath) {
    const std::string model = TEST_MODEL;
    expect_model_config(FG_INVALID_CONFIG, "", "");
    expect_model_config(FG_INVALID_CONFIG, "", "[]");
    expect_model_config(FG_INVALID_CONFIG, "", "{\"block_size\":16");
    expect_model_config(FG_INVALID_CONFIG, "model.n_layer is missing", replaced(model, "n_layer", "n_layers"));
    expect_model_config(FG_INVALID_CONFIG, "model.n_layers is not a known key; the nearest one is \"n_layer\"",
                        replaced(model, "\"n_layer\"", "\"n_layers\":2,\"n_layer\""));
    expect_model_config(FG_INVALID_CONFIG, "\"n_layer\" twice",
                        replaced(model, "\"n_layer\"", "\"n_layer\":3,\"n_layer\""));
    expect_model_config(FG_INVALID_CONFIG, "sink", replaced(model, ",\"sink\":true", ""));
    expect_model_config(FG_INVALID_CONFIG, "n_layer", replaced(model, "\"n_layer\":2", "\"n_layer\":0"));
    expect_model_config(FG_INVALID_CONFIG, "n_layer", replaced(model, "\"n_layer\":2", "\"n_layer\":2.5"));
    expect_model_config(FG_INVALID_CONFIG, "n_layer", replaced(model, "\"n_layer\":2", "\"n_layer\":\"2\""));
    expect_model_config(FG_INVALID_CONFIG, "afrac", replaced(model, "\"afrac\":0.25", "\"afrac\":1.5"));
    expect_model_config(FG_INVALID_CONFIG, "attn_inn", replaced(model, "attn_in,", "attn_inn,"));
    expect_model_config(FG_INVALID_CONFIG, "vocab_size", replaced(model, "\"vocab_size\":64", "\"vocab_size\":65537"));

    const std::string trainer = TEST_TRAINER;
    expect_trainer_config("sparsity.anneal.shape", replaced(trainer, "\"linear\"", "\"cubic\""));
    expect_trainer_config("sparsity.fractions.matrix", replaced(trainer, "\"matrix\":0.25,", ""));
    expect_trainer_config("adam.beta3", replaced(trainer, "\"beta1\":0.9", "\"beta1\":0.9,\"beta3\":0.9"));
    expect_trainer_config("seq_len", replaced(trainer, "\"seq_len\":16", "\"seq_len\":17"));
    expect_trainer_config("steps", replaced(trainer, "\"steps\":12", "\"steps\":0"));
    expect_trainer_config("warmup", replaced(trainer, "\"warmup\":0.1", "\"warmup\":-0.1"));
    EXPECT_STATUS(FG_INVALID_CONFIG, "thread", fg_runtime_init(R"({"thread":2})"));
    fg_model* none = nullptr;
    const auto expect_execution = [&](const char* part, const char* json) {
        EXPECT_STATUS(FG_INVALID_CONFIG, part, fg_model_load(folder_.path().c_str(), json, "cpu", &none));
    };
    expect_execution("execution.precision", R"({"precision":"fp16","plan":"fast"})");
    expect_execution("execution.plan", R"({"precision":"fp32","plan":"faster"})");
    expect_execution("execution.plan is missing", R"({"precision":"fp32"})");
}

TEST_F(Status, MinimumAliveThatCannotBeMetNamesTheTensor) {
    expect_trainer_config("c_", replaced(TEST_TRAINER, "\"minimum_alive\":1", "\"minimum_alive\":5"));
}

// ---- FG_INVALID_STATE ----

TEST_F(Status, ClosedHandlesAreInvalid) {
    fg_trainer* trainer = this->trainer();
    fg_examples* pairs = examples();
    fg_pruner* pruner = nullptr;
    ASSERT_OK(fg_pruner_create(model_, TEST_PRUNER, pairs, means_.data(), TEST_NODES, &pruner));
    auto train = sized<fg_train_stats>();
    auto prune = sized<fg_prune_stats>();
    auto task = sized<fg_task_stats>();
    fg_buffer* buffer = nullptr;

    fg_model_destroy(model_);
    EXPECT_STATUS(FG_INVALID_STATE, "model", fg_model_info(model_, &buffer));
    EXPECT_STATUS(FG_INVALID_STATE, "model", fg_model_cancel(model_));
    // What was made from the model lives on.
    EXPECT_EQ(fg_trainer_step(trainer, 1, &train), FG_OK) << fg_last_error_message();
    EXPECT_EQ(fg_pruner_step(pruner, 1, &prune), FG_OK) << fg_last_error_message();

    fg_trainer_destroy(trainer);
    EXPECT_STATUS(FG_INVALID_STATE, "trainer", fg_trainer_step(trainer, 1, &train));
    fg_examples_destroy(pairs);
    EXPECT_STATUS(FG_INVALID_STATE, "examples",
                  fg_pruner_discretize(pruner, pairs, 0.1, TEST_NODES, keep_.data(), &task));
    // The pruner keeps its examples alive.
    EXPECT_EQ(fg_pruner_step(pruner, 1, &prune), FG_OK) << fg_last_error_message();
    fg_pruner_destroy(pruner);
    EXPECT_STATUS(FG_INVALID_STATE, "pruner", fg_pruner_step(pruner, 1, &prune));

    fg_model_destroy(model_);
    fg_trainer_destroy(trainer);
    fg_examples_destroy(pairs);
    fg_pruner_destroy(pruner);
}

TEST_F(Status, FinishedTrainingAndPruningAreInvalidState) {
    fg_trainer* trainer = this->trainer();
    auto train = sized<fg_train_stats>();
    ASSERT_OK(fg_trainer_step(trainer, 1000, &train));
    EXPECT_EQ(train.step, std::uint64_t{TEST_STEPS});
    EXPECT_STATUS(FG_INVALID_STATE, "", fg_trainer_step(trainer, 1, &train));
    fg_pruner* pruner = nullptr;
    ASSERT_OK(fg_pruner_create(model_, TEST_PRUNER, examples(), means_.data(), TEST_NODES, &pruner));
    auto prune = sized<fg_prune_stats>();
    ASSERT_OK(fg_pruner_step(pruner, 1000, &prune));
    EXPECT_STATUS(FG_INVALID_STATE, "", fg_pruner_step(pruner, 1, &prune));
}

TEST_F(Status, RuntimeMustBeStartedOnceInOneWay) {
    EXPECT_STATUS(FG_INVALID_STATE, "threads", fg_runtime_init(R"({"threads":3})"));
    EXPECT_EQ(fg_runtime_init(R"({"threads":1})"), FG_OK);
    fg_runtime_shutdown();
    fg_model* none = nullptr;
    EXPECT_STATUS(FG_INVALID_STATE, "fg_runtime_init", fg_model_create(TEST_MODEL, TEST_INIT, "cpu", &none));
}

// ---- Two threads, FG_CANCELLED ----

TEST_F(Status, SecondThreadOnABusyModelIsInvalidStateAndCancelStopsTheFirst) {
    fg_trainer* trainer = this->trainer(TEST_LONG_TRAINER);
    auto stats = sized<fg_train_stats>();
    std::string sentence;
    std::atomic<fg_status> first{FG_OK};
    std::thread worker([&] {
        do {  // the other thread may be at the model first
            first = fg_trainer_step(trainer, 100'000'000, &stats);
        } while (first == FG_INVALID_STATE);
        sentence = fg_last_error_message();
    });
    fg_buffer* info = nullptr;
    fg_status second = FG_OK;
    for (int attempt = 0; attempt < 1000 && second == FG_OK; ++attempt) {
        second = fg_model_info(model_, &info);
        if (second == FG_OK) {
            fg_buffer_destroy(info);
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
    }
    EXPECT_STREQ(fg_status_name(second), "FG_INVALID_STATE");
    EXPECT_NE(std::string(fg_last_error_message()).find("thread"), std::string::npos) << fg_last_error_message();
    auto other = sized<fg_train_stats>();
    EXPECT_EQ(fg_trainer_step(trainer, 1, &other), FG_INVALID_STATE);
    EXPECT_EQ(fg_model_cancel(model_), FG_OK);
    worker.join();
    EXPECT_STREQ(fg_status_name(first), "FG_CANCELLED");
    EXPECT_FALSE(sentence.empty());
    // Still usable.
    EXPECT_EQ(fg_trainer_step(trainer, 1, &stats), FG_OK) << fg_last_error_message();
    EXPECT_GE(stats.step, 1U);
}

TEST_F(Status, CancelBeforehandStopsTheNextCallOnly) {
    fg_trainer* trainer = this->trainer();
    auto stats = sized<fg_train_stats>();
    ASSERT_OK(fg_model_cancel(model_));
    EXPECT_STATUS(FG_CANCELLED, "", fg_trainer_step(trainer, 2, &stats));
    ASSERT_OK(fg_trainer_step(trainer, 2, &stats));
    ASSERT_OK(fg_model_cancel(model_));
    auto eval = sized<fg_eval_stats>();
    EXPECT_STATUS(FG_CANCELLED, "", fg_model_loss(model_, tokens_.data(), tokens_.size(), 4, 0, &eval));
    EXPECT_EQ(fg_model_loss(model_, tokens_.data(), tokens_.size(), 4, 0, &eval), FG_OK);
}

TEST_F(Status, CallAfterCallTakesNoMemoryFromTheSystem) {
    const std::vector<std::uint16_t> text(std::size_t{1} << 16, 3);
    const auto evaluate = [&] {
        auto eval = sized<fg_eval_stats>();
        ASSERT_OK(fg_model_loss(model_, text.data(), text.size(), text.size() / TEST_BLOCK, 0, &eval));
    };
    for (int i = 0; i < 3; ++i) evaluate();
    const auto before = pages_taken();
    for (int i = 0; i < 10; ++i) evaluate();
    EXPECT_LE(pages_taken() - before, 100) << "the logits of one call alone have 4,096 pages";
}

TEST_F(Status, DifferentModelsRunInParallel) {
    fg_model* other = nullptr;
    ASSERT_OK(fg_model_create(TEST_MODEL, TEST_INIT, "cpu", &other));
    std::array<fg_status, 2> statuses{};
    std::array<double, 2> losses{};
    std::array<fg_model*, 2> models{model_, other};
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < 2; ++i) {
        threads.emplace_back([&, i] {
            auto stats = sized<fg_train_stats>();
            fg_trainer* trainer = nullptr;
            statuses.at(i) = fg_trainer_create(models.at(i), TEST_TRAINER, &corpus_, 1, &trainer);
            if (statuses.at(i) == FG_OK) statuses.at(i) = fg_trainer_step(trainer, TEST_STEPS, &stats);
            losses.at(i) = stats.loss;
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(statuses[0], FG_OK);
    EXPECT_EQ(statuses[1], FG_OK);
    EXPECT_EQ(losses[0], losses[1]);
}

// ---- FG_NOT_FOUND, FG_IO, FG_BAD_CHECKPOINT ----

TEST_F(Status, MissingTensorAndFolderAreNotFound) {
    float value = 0;
    EXPECT_STATUS(FG_NOT_FOUND, "lm_hat.weight", fg_model_read_tensor(model_, "lm_hat.weight", 1, &value));
    EXPECT_STATUS(FG_NOT_FOUND, "lm_hat.weight", fg_model_write_tensor(model_, "lm_hat.weight", &value, 1));
    fg_model* none = nullptr;
    const auto nowhere = (folder_ / "nowhere").string();
    EXPECT_STATUS(FG_NOT_FOUND, "nowhere", fg_model_load(nowhere.c_str(), TEST_EXECUTION, "cpu", &none));
    EXPECT_STATUS(FG_NOT_FOUND, "nowhere", fg_model_save(model_, nowhere.c_str()));
    fg_trainer* no_trainer = nullptr;
    EXPECT_STATUS(FG_NOT_FOUND, "nowhere", fg_trainer_resume(model_, nowhere.c_str(), &corpus_, 1, &no_trainer));
}

TEST_F(Status, FullDiskIsIoAndKeepsTheCheckpoint) {
    fg_trainer* trainer = this->trainer();
    const auto folder = folder_.path().string();
    auto stats = sized<fg_train_stats>();
    ASSERT_OK(fg_trainer_step(trainer, 2, &stats));
    ASSERT_OK(fg_trainer_save(trainer, folder.c_str()));
    const auto saved = read("lm_head.weight", TEST_VOCAB * TEST_WIDTH);
    ASSERT_OK(fg_trainer_step(trainer, 2, &stats));
    {
        const FileSizeLimit full(8192);
        EXPECT_STATUS(FG_IO, "model.safetensors", fg_model_save(model_, folder.c_str()));
        EXPECT_STATUS(FG_IO, "safetensors", fg_trainer_save(trainer, folder.c_str()));
    }
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        EXPECT_NE(entry.path().extension(), ".partial") << entry.path();
    }
    fg_model* loaded = nullptr;
    ASSERT_OK(fg_model_load(folder.c_str(), TEST_EXECUTION, "cpu", &loaded));
    std::vector<float> values(saved.size());
    ASSERT_OK(fg_model_read_tensor(loaded, "lm_head.weight", values.size(), values.data()));
    EXPECT_EQ(values, saved);
}

TEST_F(Status, UnreadableFileIsIo) {
    const auto folder = folder_.path().string();
    ASSERT_OK(fg_model_save(model_, folder.c_str()));
    std::filesystem::remove(folder_ / "model.safetensors");
    std::filesystem::create_directory(folder_ / "model.safetensors");
    fg_model* none = nullptr;
    EXPECT_STATUS(FG_IO, "model.safetensors", fg_model_load(folder.c_str(), TEST_EXECUTION, "cpu", &none));
}

TEST_F(Status, DamagedCheckpointsAreBad) {
    fg_trainer* trainer = this->trainer();
    const auto folder = folder_.path().string();
    fg_model* none = nullptr;
    fg_trainer* no_trainer = nullptr;
    auto stats = sized<fg_train_stats>();
    ASSERT_OK(fg_trainer_step(trainer, 1, &stats));
    ASSERT_OK(fg_trainer_save(trainer, folder.c_str()));

    std::filesystem::resize_file(folder_ / "trainer.safetensors", 1000);
    EXPECT_STATUS(FG_BAD_CHECKPOINT, "trainer.safetensors",
                  fg_trainer_resume(model_, folder.c_str(), &corpus_, 1, &no_trainer));
    std::filesystem::resize_file(folder_ / "model.safetensors", 5000);
    EXPECT_STATUS(FG_BAD_CHECKPOINT, "model.safetensors", fg_model_load(folder.c_str(), TEST_EXECUTION, "cpu", &none));

    // Tensors that do not fit the configuration beside them.
    ASSERT_OK(fg_model_save(model_, folder.c_str()));
    std::ofstream(folder_ / "config.json") << replaced(TEST_MODEL, "\"d_mlp\":32", "\"d_mlp\":48");
    EXPECT_STATUS(FG_BAD_CHECKPOINT, "mlp", fg_model_load(folder.c_str(), TEST_EXECUTION, "cpu", &none));
    EXPECT_EQ(none, nullptr);
    EXPECT_EQ(no_trainer, nullptr);
}

TEST_F(Status, TrainerStateOfAnotherModelIsBad) {
    fg_trainer* trainer = this->trainer();
    const auto folder = folder_.path().string();
    ASSERT_OK(fg_trainer_save(trainer, folder.c_str()));
    fg_model* wider = nullptr;
    ASSERT_OK(fg_model_create(replaced(TEST_MODEL, "\"d_mlp\":32", "\"d_mlp\":48").c_str(), TEST_INIT, "cpu", &wider));
    fg_trainer* none = nullptr;
    EXPECT_STATUS(FG_BAD_CHECKPOINT, "trainer.safetensors",
                  fg_trainer_resume(wider, folder.c_str(), &corpus_, 1, &none));
}

// ---- FG_UNSUPPORTED, FG_CUDA, FG_OUT_OF_MEMORY, FG_INTERNAL, FG_DIVERGED ----

TEST_F(Status, ValidButUnsupportedConfigurationsSaySo) {
    const std::string model = TEST_MODEL;
    expect_model_config(FG_UNSUPPORTED, "dropout", replaced(model, "\"dropout\":0.0", "\"dropout\":0.1"));
    expect_model_config(FG_UNSUPPORTED, "rms_norm", replaced(model, "\"rms_norm\":true", "\"rms_norm\":false"));
    expect_model_config(FG_UNSUPPORTED, "tied_unembed",
                        replaced(model, "\"tied_unembed\":false", "\"tied_unembed\":true"));
    expect_model_config(FG_UNSUPPORTED, "d_pos_emb", replaced(model, "\"d_pos_emb\":null", "\"d_pos_emb\":8"));
}

TEST_F(Status, CudaThatIsNotThereIsCuda) {
    fg_model* none = nullptr;
    // Present or not, no machine has this one.
    EXPECT_STATUS(FG_CUDA, "CUDA", fg_model_create(TEST_MODEL, TEST_INIT, "cuda:63", &none));
}

// AddressSanitizer reserves terabytes of address space and ends the process where malloc would return NULL.
#if !defined(__SANITIZE_ADDRESS__)
TEST_F(Status, ModelThatDoesNotFitTheMemoryIsOutOfMemory) {
    rlimit before{};
    getrlimit(RLIMIT_AS, &before);
    std::uint64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const rlimit little{pages * 4096 + (std::uint64_t{256} << 20), before.rlim_max};
    setrlimit(RLIMIT_AS, &little);
    fg_model* none = nullptr;
    // Embedding and unembedding of 65536 x 4096 fp32: 2 GiB.
    const auto large = replaced(replaced(TEST_MODEL, "\"vocab_size\":64", "\"vocab_size\":65536"), "\"d_model\":16",
                                "\"d_model\":4096");
    const fg_status status = fg_model_create(large.c_str(), TEST_INIT, "cpu", &none);
    const std::string sentence = fg_last_error_message();
    setrlimit(RLIMIT_AS, &before);
    EXPECT_STREQ(fg_status_name(status), "FG_OUT_OF_MEMORY") << sentence;
    EXPECT_FALSE(sentence.empty());
    EXPECT_EQ(none, nullptr);
    fg_buffer* info = nullptr;
    EXPECT_EQ(fg_model_info(model_, &info), FG_OK) << "the library is usable after it";
}
#endif

TEST_F(Status, ExceptionsOfEveryKindBecomeStatuses) {
    for (int code = FG_INVALID_ARGUMENT; code <= FG_DIVERGED; ++code) {
        const auto status = static_cast<fg_status>(code);
        const std::string kind = std::string("error:") + fg_status_name(status);
        EXPECT_EQ(fg_debug_raise(kind.c_str()), status);
        EXPECT_STRNE(fg_last_error_message(), "");
    }
    EXPECT_EQ(fg_debug_raise("bad_alloc"), FG_OUT_OF_MEMORY);
    EXPECT_STRNE(fg_last_error_message(), "");
    for (const char* kind : {"c10", "std", "unknown"}) {
        EXPECT_EQ(fg_debug_raise(kind), FG_INTERNAL) << kind;
        EXPECT_STRNE(fg_last_error_message(), "");
    }
    // A backtrace is no sentence for a person.
    ASSERT_EQ(fg_debug_raise("c10"), FG_INTERNAL);
    EXPECT_EQ(std::string(fg_last_error_message()).find("frame #"), std::string::npos);
    EXPECT_STATUS(FG_INVALID_ARGUMENT, "no such", fg_debug_raise("no such kind"));
}

TEST_F(Status, NotFiniteLossIsDivergedAndKeepsTheWeights) {
    const std::uint64_t count = TEST_MLP * TEST_WIDTH;
    const char* name = "transformer.h.1.mlp.c_fc.weight";
    auto weights = read(name, count);
    weights[5] = std::numeric_limits<float>::infinity();
    fg_trainer* trainer = this->trainer();
    ASSERT_OK(fg_model_write_tensor(model_, name, weights.data(), count));
    const auto before = read("lm_head.weight", TEST_VOCAB * TEST_WIDTH);
    auto stats = sized<fg_train_stats>();
    EXPECT_STATUS(FG_DIVERGED, name, fg_trainer_step(trainer, 1, &stats));
    EXPECT_EQ(read("lm_head.weight", TEST_VOCAB * TEST_WIDTH), before);
    EXPECT_EQ(read(name, count), weights);
}

TEST_F(Status, ErrorsOfOtherThreadsAreNotSeen) {
    ASSERT_EQ(fg_debug_raise("std"), FG_INTERNAL);
    const std::string mine = fg_last_error_message();
    std::string theirs = "unset";
    std::thread([&] { theirs = fg_last_error_message(); }).join();
    EXPECT_EQ(theirs, "");
    EXPECT_EQ(fg_last_error_message(), mine);
}

TEST_F(Status, NothingIsWrittenOnFailure) {
    fg_trainer* trainer = this->trainer();
    auto stats = sized<fg_train_stats>();
    ASSERT_OK(fg_trainer_step(trainer, 1000, &stats));
    auto untouched = sized<fg_train_stats>();
    untouched.loss = 42;
    EXPECT_NE(fg_trainer_step(trainer, 1, &untouched), FG_OK);
    EXPECT_EQ(untouched.loss, 42);
    EXPECT_EQ(untouched.step, 0U);
}

}  // namespace
}  // namespace filigree
