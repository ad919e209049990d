// SPDX-License-Identifier: Apache-2.0
// Gradients and ten training steps with projection against the PyTorch reference.
#include <ATen/core/Tensor.h>
#include <filigree/filigree.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "golden/golden.hpp"
#include "model/model_files.hpp"
#include "support/temporary_folder.hpp"
#include "support/test_device.hpp"
#include "train/trainer.hpp"

namespace filigree {
namespace {

#define ASSERT_OK(call) ASSERT_EQ((call), FG_OK) << fg_last_error_message()

class GoldenTrain : public testing::TestWithParam<golden::Variant> {
protected:
    void SetUp() override { ASSERT_OK(fg_runtime_init(R"({"threads":1})")); }
    void TearDown() override { fg_runtime_shutdown(); }
};

TEST_P(GoldenTrain, GradientOfEveryTensorMatches) {
    const golden::Case expected(GetParam().name);
    const std::shared_ptr<Model> model =
        load_model(expected.folder(), parse_execution(GetParam().execution_json()), test_device());
    const auto& batch = expected["tokens"][0];
    const auto tokens = golden::flat<std::uint16_t>(batch);
    Trainer trainer(model, parse_train_config(expected.text("trainer.json")), {{tokens.data(), tokens.size(), 1.0}});
    const auto rows = static_cast<std::int64_t>(batch.size());
    const auto loss = trainer.compute_gradients(
        model->upload_tokens(tokens.data(), rows, static_cast<std::int64_t>(batch[0].size())));
    EXPECT_LE(golden::relative_error(loss, expected["steps"][0]["loss"].get<double>()), expected.tolerance("loss"));

    std::size_t compared = 0;
    for (const auto& parameter : model->table().parameters()) {
        if (!parameter.trainable) continue;
        const auto gradient = ParameterTable::view(trainer.gradients(), parameter).cpu().contiguous();
        const std::span<const float> actual(gradient.const_data_ptr<float>(), static_cast<std::size_t>(parameter.size));
        EXPECT_LE(golden::relative_error(actual, expected.expected("gradient." + parameter.name)),
                  expected.tolerance("gradient"))
            << parameter.name;
        ++compared;
    }
    EXPECT_EQ(compared, expected["steps"][0]["nonzeros"].size());
}

struct TensorInfo {
    std::string name;
    std::uint64_t size = 1;
    std::uint64_t nonzeros = 0;
};

/// The trainable tensors in the order of the optimiser state.
std::vector<TensorInfo> trainable_tensors(fg_model* model) {
    fg_buffer* buffer = nullptr;
    EXPECT_EQ(fg_model_info(model, &buffer), FG_OK) << fg_last_error_message();
    const auto info = nlohmann::json::parse(static_cast<const char*>(fg_buffer_data(buffer)));
    fg_buffer_destroy(buffer);
    std::vector<TensorInfo> tensors;
    for (const auto& tensor : info.at("tensors")) {
        if (!tensor.at("trainable").get<bool>()) continue;
        TensorInfo one{tensor.at("name"), 1, tensor.at("nonzeros")};
        for (const auto& length : tensor.at("shape")) one.size *= length.get<std::uint64_t>();
        tensors.push_back(one);
    }
    return tensors;
}

/// Weights through the interface, moments from the checkpoint.
void expect_state(const golden::Case& expected, fg_model* model, fg_trainer* trainer, int step) {
    const TemporaryFolder folder;
    ASSERT_OK(fg_trainer_save(trainer, folder.path().c_str()));
    const SafetensorsFile state(folder.path() / "trainer.safetensors");
    const auto moment1 = golden::read(state, "adam.m");
    const auto moment2 = golden::read(state, "adam.v");
    const auto after = "step" + std::to_string(step);
    std::size_t offset = 0;
    for (const auto& tensor : trainable_tensors(model)) {
        std::vector<float> weight(tensor.size);
        ASSERT_OK(fg_model_read_tensor(model, tensor.name.c_str(), weight.size(), weight.data()));
        const auto expect = [&](const std::string& kind, std::span<const float> actual) {
            EXPECT_LE(golden::relative_error(actual, expected.expected(after + "." + kind + "." + tensor.name)),
                      expected.tolerance(kind + "_" + after))
                << kind << " of " << tensor.name << " after step " << step;
        };
        expect("weight", weight);
        expect("adam_m", std::span(moment1).subspan(offset, tensor.size));
        expect("adam_v", std::span(moment2).subspan(offset, tensor.size));
        offset += tensor.size;
    }
    EXPECT_EQ(offset, moment1.size());
    EXPECT_EQ(offset, moment2.size());
}

TEST_P(GoldenTrain, TenStepsMatch) {
    const golden::Case expected(GetParam().name);
    fg_model* model = nullptr;
    ASSERT_OK(fg_model_load(expected.folder().c_str(), GetParam().execution_json().c_str(), test_device_name().c_str(),
                            &model));
    const auto all_tokens = golden::flat<std::uint16_t>(expected["tokens"]);
    const fg_corpus corpus{all_tokens.data(), all_tokens.size(), 1.0};
    fg_trainer* trainer = nullptr;
    ASSERT_OK(fg_trainer_create(model, expected.text("trainer.json").c_str(), &corpus, 1, &trainer));

    const auto& steps = expected["steps"];
    for (std::size_t i = 0; i < steps.size(); ++i) {
        SCOPED_TRACE("step " + std::to_string(i + 1));
        const auto& batch = expected["tokens"][i];
        const auto tokens = golden::flat<std::uint16_t>(batch);
        fg_train_stats stats{};
        stats.struct_size = sizeof stats;
        ASSERT_OK(fg_trainer_step_on(trainer, tokens.data(), batch.size(), batch[0].size(), &stats));
        EXPECT_EQ(stats.step, i + 1);
        EXPECT_LE(golden::relative_error(stats.loss, steps[i]["loss"].get<double>()), expected.tolerance("loss"));
        EXPECT_LE(golden::relative_error(stats.grad_norm, steps[i]["grad_norm"].get<double>()),
                  expected.tolerance("grad_norm"));
        // Rounding of a handful of double operations; the learning rate may be 0.
        EXPECT_NEAR(stats.lr, steps[i]["lr"].get<double>(), 1e-12);
        EXPECT_NEAR(stats.density, steps[i]["density"].get<double>(), 1e-12);

        std::uint64_t total = 0;
        for (const auto& tensor : trainable_tensors(model)) {
            EXPECT_EQ(tensor.nonzeros, steps[i]["nonzeros"].at(tensor.name).get<std::uint64_t>()) << tensor.name;
            if (tensor.name != "bigram_table") total += tensor.nonzeros;  // no L0 counts it
        }
        EXPECT_EQ(stats.nonzeros, total);
        if (i == 0 || i + 1 == steps.size()) expect_state(expected, model, trainer, static_cast<int>(i) + 1);
    }
    fg_trainer_destroy(trainer);
    fg_model_destroy(model);
}

INSTANTIATE_TEST_SUITE_P(Cases, GoldenTrain, golden::training_cases(), golden::variant_name);

}  // namespace
}  // namespace filigree
