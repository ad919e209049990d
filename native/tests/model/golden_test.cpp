// SPDX-License-Identifier: Apache-2.0
// Logits and held-out loss against the PyTorch reference.
#include <filigree/filigree.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "golden/golden.hpp"
#include "support/test_device.hpp"

namespace filigree {
namespace {

#define ASSERT_OK(call) ASSERT_EQ((call), FG_OK) << fg_last_error_message()

class GoldenModel : public testing::TestWithParam<golden::Variant> {
protected:
    void SetUp() override { ASSERT_OK(fg_runtime_init(R"({"threads":1})")); }
    void TearDown() override { fg_runtime_shutdown(); }
};

TEST_P(GoldenModel, LogitsMatch) {
    const golden::Case expected(GetParam().name);
    fg_model* model = nullptr;
    ASSERT_OK(fg_model_load(expected.folder().c_str(), GetParam().execution_json().c_str(), test_device_name().c_str(),
                            &model));
    const auto& batch = expected["tokens"][0];
    const auto tokens = golden::flat<std::uint16_t>(batch);
    const auto logits = expected.expected("logits");
    std::vector<float> actual(logits.size());
    ASSERT_OK(fg_model_logits(model, tokens.data(), batch.size(), batch[0].size(), actual.size(), actual.data()));
    EXPECT_LE(golden::relative_error(actual, logits), expected.tolerance("logits"));
    fg_model_destroy(model);
}

INSTANTIATE_TEST_SUITE_P(Cases, GoldenModel, golden::training_cases(), golden::variant_name);

class GoldenText : public GoldenModel {};

TEST_P(GoldenText, HeldOutLossAndNodeMeansMatch) {
    const golden::Case expected(GetParam().name);
    fg_model* model = nullptr;
    ASSERT_OK(fg_model_load(expected.folder().c_str(), GetParam().execution_json().c_str(), test_device_name().c_str(),
                            &model));
    const auto stream = golden::flat<std::uint16_t>(expected["stream"]);

    // Windows in batches of 2 and 1: the last batch is smaller and must not weigh more.
    fg_eval_stats stats{};
    stats.struct_size = sizeof stats;
    ASSERT_OK(fg_model_loss(model, stream.data(), stream.size(), 2, 0, &stats));
    EXPECT_LE(golden::relative_error(stats.loss, expected["stream_loss"].get<double>()), expected.tolerance("loss"));

    const auto means = expected.expected("means");
    std::vector<float> actual(means.size());
    ASSERT_OK(fg_model_node_means(model, stream.data(), stream.size(), 2, 0, actual.size(), actual.data()));
    EXPECT_LE(golden::relative_error(actual, means), expected.tolerance("means"));
    fg_model_destroy(model);
}

INSTANTIATE_TEST_SUITE_P(Cases, GoldenText, golden::under_every_plan({"pruning"}), golden::variant_name);

}  // namespace
}  // namespace filigree
