// SPDX-License-Identifier: Apache-2.0
// Masks, mask learning, circuit scores and edges against the PyTorch reference.
#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/GradMode.h>
#include <filigree/filigree.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "golden/golden.hpp"
#include "model/model_files.hpp"
#include "prune/pruner.hpp"
#include "support/test_device.hpp"

namespace filigree {
namespace {

#define ASSERT_OK(call) ASSERT_EQ((call), FG_OK) << fg_last_error_message()

at::Tensor as_tensor(std::vector<float> values) {
    return at::from_blob(values.data(), {static_cast<std::int64_t>(values.size())}, at::kFloat)
        .to(test_device(), at::kFloat, /*non_blocking=*/false, /*copy=*/true);
}

/// Values of a tensor on the host.
std::vector<float> as_vector(const at::Tensor& tensor) {
    const auto values = tensor.detach().cpu().contiguous();
    return {values.const_data_ptr<float>(), values.const_data_ptr<float>() + values.numel()};
}

class GoldenPrune : public testing::TestWithParam<golden::Variant> {
protected:
    void SetUp() override { ASSERT_OK(fg_runtime_init(R"({"threads":1})")); }
    void TearDown() override { fg_runtime_shutdown(); }

    [[nodiscard]] std::uint64_t pairs() const { return expected_["tokens"].size(); }
    [[nodiscard]] std::uint64_t length() const { return expected_["tokens"][0][0].size(); }
    /// @param means must outlive the result.
    [[nodiscard]] fg_circuit circuit(const std::vector<float>& means) const {
        fg_circuit circuit{};
        circuit.struct_size = sizeof circuit;
        circuit.nodes = means.size();
        circuit.keep = keep_.data();
        circuit.means = means.data();
        return circuit;
    }

    const golden::Case expected_{GetParam().name};
    const std::vector<std::uint16_t> tokens_ = golden::flat<std::uint16_t>(expected_["tokens"]);
    const std::vector<std::int32_t> positions_ = golden::flat<std::int32_t>(expected_["eval_positions"]);
    const std::vector<std::uint16_t> answers_ = golden::flat<std::uint16_t>(expected_["answers"]);
    const std::vector<std::uint8_t> keep_ = golden::flat<std::uint8_t>(expected_["keep"]);
};

/// The same model, examples and means inside the core, where masks can be given.
class GoldenMasks : public GoldenPrune {
protected:
    const std::shared_ptr<Model> model_ =
        load_model(expected_.folder(), parse_execution(GetParam().execution_json()), test_device());
    const Examples examples_ = make_examples(model_, tokens_.data(), static_cast<std::int64_t>(pairs()),
                                             static_cast<std::int64_t>(length()), positions_.data(), answers_.data());
    const at::Tensor means_ = as_tensor(expected_.expected("means"));
};

TEST_P(GoldenMasks, LogitsUnderAMaskMatch) {
    const at::NoGradGuard no_grad;
    GateHook hook(as_tensor(std::vector<float>(keep_.begin(), keep_.end())), means_);
    const auto residual = forward(model_->context(), examples_.tokens, &hook);
    const auto logits = unembed(model_->context(), residual.flatten(0, 1), examples_.tokens.flatten());
    EXPECT_LE(golden::relative_error(as_vector(logits), expected_.expected("masked_logits")),
              expected_.tolerance("masked_logits"));
}

TEST_P(GoldenMasks, MaskGradientMatches) {
    Pruner pruner(examples_, PruneConfig{parse_mask_config(expected_.text("pruner.json")), {}}, means_);
    pruner.set_scores(as_tensor(expected_.expected("tau0")));
    const auto task_loss = pruner.compute_gradient(examples_);
    EXPECT_LE(golden::relative_error(task_loss, expected_["steps"][0]["task_loss"].get<double>()),
              expected_.tolerance("task_loss"));
    EXPECT_LE(golden::relative_error(as_vector(pruner.gradient()), expected_.expected("tau0_gradient")),
              expected_.tolerance("tau_gradient"));
}

TEST_P(GoldenMasks, MaskLearningStepsMatch) {
    Pruner pruner(examples_, PruneConfig{parse_mask_config(expected_.text("pruner.json")), {}}, means_);
    pruner.set_scores(as_tensor(expected_.expected("tau0")));
    const auto& steps = expected_["steps"];
    for (std::size_t i = 0; i < steps.size(); ++i) {
        SCOPED_TRACE("step " + std::to_string(i + 1));
        const auto report = pruner.step();
        EXPECT_LE(golden::relative_error(report.task_loss, steps[i]["task_loss"].get<double>()),
                  expected_.tolerance("task_loss"));
        EXPECT_NEAR(report.lr, steps[i]["lr"].get<double>(), 1e-12);
        EXPECT_EQ(pruner.scores().ge(0).sum().item<std::int64_t>(), steps[i]["nodes"].get<std::int64_t>());
        EXPECT_LE(golden::relative_error(as_vector(pruner.scores()), expected_.expected("tau" + std::to_string(i + 1))),
                  expected_.tolerance("tau"));
    }
}

TEST_P(GoldenPrune, ScoresAndCalibrationMatch) {
    fg_model* model = nullptr;
    ASSERT_OK(fg_model_load(expected_.folder().c_str(), GetParam().execution_json().c_str(), test_device_name().c_str(),
                            &model));
    fg_examples* examples = nullptr;
    ASSERT_OK(
        fg_examples_create(model, tokens_.data(), pairs(), length(), positions_.data(), answers_.data(), &examples));
    const auto means = expected_.expected("means");
    const fg_circuit given = circuit(means);
    for (const std::string name : {"whole", "circuit"}) {
        SCOPED_TRACE(name);
        const auto* circuit = name == "whole" ? nullptr : &given;
        const auto& scores = expected_[name];
        fg_task_stats stats{};
        stats.struct_size = sizeof stats;
        ASSERT_OK(fg_circuit_evaluate(model, examples, circuit, 1.0, 0.0, &stats));
        const auto tolerance = expected_.tolerance("scores");
        EXPECT_LE(golden::relative_error(stats.raw_loss, scores["raw_loss"].get<double>()), tolerance);
        EXPECT_LE(golden::relative_error(stats.loss, scores["raw_loss"].get<double>()), tolerance);
        EXPECT_LE(golden::relative_error(stats.full_loss, scores["full_loss"].get<double>()), tolerance);
        EXPECT_DOUBLE_EQ(stats.accuracy, scores["accuracy"].get<double>());
        EXPECT_EQ(stats.sequences, 2 * pairs());

        // The reference has no ridge. A ridge of r moves the optimum w by about r * (w - (1, 0)) / curvature: below
        // 5e-3 for the 1e-4 of the core and the curvatures of these examples; the loss moves by its square.
        ASSERT_OK(fg_circuit_calibrate(model, examples, circuit, &stats));
        EXPECT_NEAR(stats.scale, scores["calibrated"]["scale"].get<double>(), 5e-3);
        EXPECT_NEAR(stats.shift, scores["calibrated"]["shift"].get<double>(), 5e-3);
        EXPECT_NEAR(stats.loss, scores["calibrated"]["loss"].get<double>(), 5e-6);
    }
    fg_examples_destroy(examples);
    fg_model_destroy(model);
}

TEST_P(GoldenPrune, DifferencesAreThoseOfTheMaskedLogits) {
    fg_model* model = nullptr;
    ASSERT_OK(fg_model_load(expected_.folder().c_str(), GetParam().execution_json().c_str(), test_device_name().c_str(),
                            &model));
    fg_examples* examples = nullptr;
    ASSERT_OK(
        fg_examples_create(model, tokens_.data(), pairs(), length(), positions_.data(), answers_.data(), &examples));
    const auto means = expected_.expected("means");
    std::vector<float> differences(2 * pairs());
    const fg_circuit given = circuit(means);
    ASSERT_OK(fg_circuit_differences(model, examples, &given, differences.size(), differences.data()));
    const auto logits = expected_.expected("masked_logits");  // [2P, T, V]
    const auto vocabulary = logits.size() / (differences.size() * length());
    const auto largest = std::ranges::max(logits, {}, [](float logit) { return std::abs(logit); });
    for (std::size_t row = 0; row < differences.size(); ++row) {
        const auto* at_answer = &logits[(row * length() + static_cast<std::size_t>(positions_[row])) * vocabulary];
        const auto a = answers_[row / 2 * 2];
        const auto b = answers_[row / 2 * 2 + 1];
        // The tolerance is relative to the largest logit; a difference has the errors of two.
        EXPECT_NEAR(differences[row], at_answer[a] - at_answer[b],
                    2 * expected_.tolerance("masked_logits") * std::abs(largest))
            << row;
    }

    // The whole model has other differences, and its own two-way loss follows from them.
    std::vector<float> whole(differences.size());
    ASSERT_OK(fg_circuit_differences(model, examples, nullptr, whole.size(), whole.data()));
    EXPECT_NE(whole, differences);
    double loss = 0.0;
    for (std::size_t row = 0; row < whole.size(); ++row) {
        loss += std::log1p(std::exp(row % 2 == 0 ? -whole[row] : whole[row])) / static_cast<double>(whole.size());
    }
    EXPECT_LE(golden::relative_error(loss, expected_["whole"]["raw_loss"].get<double>()),
              expected_.tolerance("scores"));
    fg_examples_destroy(examples);
    fg_model_destroy(model);
}

TEST_P(GoldenPrune, EdgesMatch) {
    fg_model* model = nullptr;
    ASSERT_OK(fg_model_load(expected_.folder().c_str(), GetParam().execution_json().c_str(), test_device_name().c_str(),
                            &model));
    fg_buffer* buffer = nullptr;
    ASSERT_OK(fg_circuit_edges(model, keep_.data(), keep_.size(), &buffer));
    const std::span edges(static_cast<const fg_edge*>(fg_buffer_data(buffer)),
                          fg_buffer_size(buffer) / sizeof(fg_edge));
    const auto& wanted = expected_["edges"];
    ASSERT_EQ(edges.size(), wanted.size());
    for (std::size_t i = 0; i < edges.size(); ++i) {
        EXPECT_EQ(edges[i].source, wanted[i][0].get<std::uint32_t>()) << "edge " << i;
        EXPECT_EQ(edges[i].target, wanted[i][1].get<std::uint32_t>()) << "edge " << i;
        EXPECT_EQ(edges[i].weight, wanted[i][2].get<float>()) << "edge " << i;
    }
    fg_buffer_destroy(buffer);
    fg_model_destroy(model);
}

INSTANTIATE_TEST_SUITE_P(Cases, GoldenMasks, golden::under_every_plan({"pruning"}), golden::variant_name);
INSTANTIATE_TEST_SUITE_P(Cases, GoldenPrune, golden::under_every_plan({"pruning"}), golden::variant_name);

}  // namespace
}  // namespace filigree
