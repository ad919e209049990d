// SPDX-License-Identifier: Apache-2.0
#include "model/model.hpp"

#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "core/file.hpp"
#include "model/model_files.hpp"
#include "support/expect_error.hpp"
#include "support/small_models.hpp"
#include "support/temporary_folder.hpp"

namespace filigree {
namespace {

TEST(ParameterTable, HasThePublishedNamesAndShapes) {
    const auto model = make_model();
    const auto shape = [&](const std::string& name) { return model->table().find(name).shape; };
    using Shape = std::vector<std::int64_t>;
    EXPECT_EQ(shape("transformer.wte.weight"), (Shape{61, 30}));
    EXPECT_EQ(shape("transformer.wpe.weight"), (Shape{17, 30}));
    EXPECT_EQ(shape("transformer.h.1.ln_1.weight"), (Shape{30}));
    EXPECT_EQ(shape("transformer.h.1.attn.c_attn.weight"), (Shape{72, 30}));
    EXPECT_EQ(shape("transformer.h.1.attn.c_attn.bias"), (Shape{72}));
    EXPECT_EQ(shape("transformer.h.1.attn.c_proj.weight"), (Shape{30, 24}));
    EXPECT_EQ(shape("transformer.h.1.attn.attn_imp.sink_logit"), (Shape{3}));
    EXPECT_EQ(shape("transformer.h.1.mlp.c_fc.weight"), (Shape{70, 30}));
    EXPECT_EQ(shape("transformer.h.1.mlp.c_proj.weight"), (Shape{30, 70}));
    EXPECT_EQ(shape("transformer.ln_f.weight"), (Shape{30}));
    EXPECT_EQ(shape("lm_head.weight"), (Shape{61, 30}));
    EXPECT_EQ(shape("final_logits_bias"), (Shape{61}));
    EXPECT_EQ(shape("bigram_table"), (Shape{61, 61}));
    EXPECT_EQ(model->table().parameters().size(), 4U + 2U * 11U + 2U);
    EXPECT_FG_ERROR(static_cast<void>(model->table().find("lm_head.bias")), FG_NOT_FOUND, "lm_head.bias");
}

TEST(ParameterTable, PutsDecayedTensorsFirstThenTheOtherTrainableOnes) {
    const auto model = make_model();
    std::int64_t offset = 0;
    for (const auto& parameter : model->table().parameters()) {
        EXPECT_EQ(parameter.offset, offset);
        EXPECT_EQ(parameter.decayed(), offset < model->table().decayed_size()) << parameter.name;
        EXPECT_EQ(parameter.trainable, offset < model->table().trainable_size()) << parameter.name;
        offset += parameter.size;
    }
    EXPECT_EQ(offset, model->table().size());
    EXPECT_FALSE(model->table().find("bigram_table").decayed());
    EXPECT_FALSE(model->table().find("transformer.wpe.weight").trainable);
    EXPECT_FALSE(model->table().find("final_logits_bias").trainable);
}

TEST(ParameterTable, RefusesTensorsWhoseEntriesHaveNoNumber) {
    auto config = small_model_json();
    config["d_model"] = 16384;
    config["n_head"] = 1024;
    config["d_head"] = 16;
    config["d_mlp"] = 131072;
    const auto parsed = parse_model_config(config.dump());
    EXPECT_FG_ERROR(ParameterTable(parsed, false), FG_INVALID_CONFIG,
                    "transformer.h.0.mlp.c_fc.weight would have 2147483648 weights");
}

TEST(FreshModel, HasThePublishedInitialDistribution) {
    auto config = small_model_json();
    config["d_model"] = 120;
    config["d_mlp"] = 480;
    const auto model = make_model(config, /*positions=*/true);
    const auto deviation = [&](const std::string& name) {
        return model->tensor(model->table().find(name)).std().item<double>();
    };
    const auto mean = [&](const std::string& name) {
        return model->tensor(model->table().find(name)).mean().item<double>();
    };
    EXPECT_NEAR(deviation("transformer.wte.weight"), 0.02, 0.001);
    EXPECT_NEAR(deviation("transformer.wpe.weight"), 0.02, 0.002);
    EXPECT_NEAR(deviation("lm_head.weight"), 0.02, 0.001);
    EXPECT_NEAR(deviation("transformer.h.0.mlp.c_fc.weight"), 0.02, 0.0005);
    EXPECT_NEAR(deviation("transformer.h.0.mlp.c_proj.weight"), 0.01, 0.0003);  // 0.02 / sqrt(2 * 2)
    EXPECT_NEAR(deviation("transformer.h.1.attn.c_proj.weight"), 0.01, 0.0005);
    EXPECT_NEAR(mean("transformer.h.0.mlp.c_fc.weight"), 0.0, 0.0005);
    EXPECT_NEAR(mean("bigram_table"), 0.01, 0.0005);  // U[0, 1) * 0.02
    EXPECT_EQ(mean("transformer.ln_f.weight"), 1.0);
    EXPECT_EQ(deviation("transformer.h.0.mlp.c_fc.bias"), 0.0);
}

TEST(FreshModel, IsAFunctionOfItsSeed) {
    EXPECT_TRUE(at::equal(make_model(small_model_json(), true, 5)->values(),
                          make_model(small_model_json(), true, 5)->values()));
    EXPECT_FALSE(at::equal(make_model(small_model_json(), true, 5)->values(),
                           make_model(small_model_json(), true, 6)->values()));
}

TEST(SavedModel, LoadsBitIdentically) {
    for (const bool positions : {false, true}) {
        const auto model = make_model(small_model_json(), positions);
        const TemporaryFolder folder;
        save_model(*model, folder.path());
        const auto loaded = load_model(folder.path(), Execution{}, at::kCPU);
        EXPECT_TRUE(at::equal(loaded->values(), model->values()));
        EXPECT_EQ(loaded->table().trainable_size(), model->table().trainable_size());
        EXPECT_EQ(loaded->config().json, model->config().json);
    }
}

TEST(SavedModel, ThatDoesNotFitItsConfigurationIsRefused) {
    const auto model = make_model();
    const TemporaryFolder folder;
    save_model(*model, folder.path());
    const auto load_with = [&](const char* key, const nlohmann::json& value) {
        auto config = small_model_json();
        config[key] = value;
        std::ofstream(folder / "config.json") << config;
        static_cast<void>(load_model(folder.path(), Execution{}, at::kCPU));
    };
    EXPECT_FG_ERROR(load_with("d_mlp", 71), FG_BAD_CHECKPOINT, "mlp.c_fc");
    EXPECT_FG_ERROR(load_with("n_layer", 3), FG_BAD_CHECKPOINT, "transformer.h.2");
    EXPECT_FG_ERROR(load_with("n_layer", 1), FG_BAD_CHECKPOINT, "no place");
    EXPECT_FG_ERROR(load_with("sink", false), FG_BAD_CHECKPOINT, "sink_logit");
}

TEST(ModelConfigText, NamesWhatIsWrong) {
    const auto parse = [](const char* key, const nlohmann::json& value) {
        auto config = small_model_json();
        config[key] = value;
        static_cast<void>(parse_model_config(config.dump()));
    };
    const auto parse_without = [](const char* key) {
        auto config = small_model_json();
        config.erase(key);
        static_cast<void>(parse_model_config(config.dump()));
    };
    EXPECT_FG_ERROR(parse_without("d_model"), FG_INVALID_CONFIG, "model.d_model is missing");
    EXPECT_FG_ERROR(parse("d_modle", 3), FG_INVALID_CONFIG, "model.d_modle is not a known key");
    EXPECT_FG_ERROR(parse("d_model", 31), FG_INVALID_CONFIG, "multiple of n_head");
    EXPECT_FG_ERROR(parse("d_head", 1 << 24), FG_INVALID_CONFIG, "model.d_head times n_head (3) must be at most");
    EXPECT_FG_ERROR(parse("n_layer", 0), FG_INVALID_CONFIG, "model.n_layer must be at least 1");
    EXPECT_FG_ERROR(parse("n_layer", "two"), FG_INVALID_CONFIG, "must be an integer");
    EXPECT_FG_ERROR(parse("afrac", 0.0), FG_INVALID_CONFIG, "afrac");
    EXPECT_FG_ERROR(parse("afrac_loctypes", "attn_in,attn_x"), FG_INVALID_CONFIG, "attn_x");
    EXPECT_FG_ERROR(parse("vocab_size", 70000), FG_INVALID_CONFIG, "at most 65536");
    EXPECT_FG_ERROR(parse("tied_unembed", true), FG_UNSUPPORTED, "tied");
    EXPECT_FG_ERROR(parse("rms_norm", false), FG_UNSUPPORTED, "LayerNorm");
    EXPECT_FG_ERROR(parse("d_pos_emb", 16), FG_UNSUPPORTED, "concatenated");
    EXPECT_FG_ERROR(parse("flash", false), FG_UNSUPPORTED, "sinks without flash");
    EXPECT_FG_ERROR(static_cast<void>(parse_model_config("{")), FG_INVALID_CONFIG, "not valid JSON");
    EXPECT_FG_ERROR(static_cast<void>(parse_model_config("[]")), FG_INVALID_CONFIG, "must be a JSON object");
}

TEST(Tokens, ThatDoNotFitAreNamedWithTheirPosition) {
    const auto model = make_model();
    const std::vector<std::uint16_t> tokens = {1, 2, 61, 4};
    EXPECT_FG_ERROR(static_cast<void>(model->upload_tokens(tokens.data(), 2, 2)), FG_INVALID_ARGUMENT,
                    "id 61 at position 2, vocabulary size 61");
}

}  // namespace
}  // namespace filigree
