// SPDX-License-Identifier: Apache-2.0
// Configurations of small models and runs that a test changes in one place.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/random.hpp"
#include "model/model.hpp"
#include "prune/examples.hpp"
#include "prune/pruner.hpp"
#include "support/test_device.hpp"
#include "train/trainer.hpp"

namespace filigree {

inline nlohmann::json small_model_json() {
    return {{"block_size", 17},
            {"vocab_size", 61},
            {"n_layer", 2},
            {"n_head", 3},
            {"d_head", 8},
            {"d_model", 30},
            {"dropout", 0.0},
            {"bias", true},
            {"ln_bias", false},
            {"rms_norm", true},
            {"residual_activation_type", "identity"},
            {"activation_type", "gelu"},
            {"afrac", 0.25},
            {"afrac_loctypes", "attn_in,attn_q,attn_k,attn_v,attn_out,mlp_in,mlp_neuron,mlp_out"},
            {"debug_nans", false},
            {"tied_unembed", false},
            {"tokenizer_name", "test"},
            {"grad_checkpointing", false},
            {"d_mlp", 70},
            {"enable_bigram_table", true},
            {"learnable_bigram_table", true},
            {"d_pos_emb", nullptr},
            {"dropout_cat_pos_emb", false},
            {"sinusoidal_cat_pos_emb", false},
            {"enable_sparse_kernels", false},
            {"flash", true},
            {"sink", true}};
}

/// So wide and long that threads share the work, and that rows and vectors are of the length of a model in use.
inline nlohmann::json wide_model_json() {
    auto config = small_model_json();
    config.update(
        {{"block_size", 128}, {"vocab_size", 1024}, {"n_head", 16}, {"d_head", 16}, {"d_model", 256}, {"d_mlp", 1024}});
    return config;
}

inline nlohmann::json small_train_json() {
    return {
        {"steps", 20},
        {"batch_size", 4},
        {"accumulate", 1},
        {"seq_len", 17},
        {"seed", 3},
        {"lr", 0.02},
        {"warmup", 0.1},
        {"adam", {{"beta1", 0.9}, {"beta2", 0.95}, {"eps", 0.1}}},
        {"weight_decay", 0.1},
        {"gradient", "normalize"},
        {"sparsity",
         {{"fractions", {{"matrix", 0.2}, {"embedding", 0.5}, {"unembedding", 0.5}, {"bias", 0.5}, {"position", 0.5}}},
          {"anneal", {{"shape", "linear"}, {"start", 0.01}, {"end", 0.5}, {"exponent", 1.0}}},
          {"minimum_alive", 3},
          {"sharkfin", true},
          {"revive", {{"every", 0}, {"until", 1.0}, {"weights", 1}, {"share", 0.0}}},
          {"levels", {{"count", 1}, {"ratio", 1.0}, {"settle", 0.0}}}}},
        {"distill", {{"weight", 0.0}, {"temperature", 1.0}}}};
}

inline nlohmann::json small_prune_json() {
    return {{"steps", 10},    {"batch_pairs", 4},   {"seed", 5},        {"lr", 0.01},
            {"beta1", 0.9},   {"beta2", 0.95},      {"eps", 1e-8},      {"weight_decay", 1e-3},
            {"k_coef", 1e-3}, {"init_scale", 0.01}, {"init_bias", 0.1}, {"temperature", 1.0},
            {"warmup", 0.0},  {"clip_rms", 1.0}};
}

inline PruneConfig prune_config(const nlohmann::json& masks, PruneOptions options = {}) {
    return {parse_mask_config(masks.dump()), options};
}

inline std::shared_ptr<Model> make_model(const nlohmann::json& config = small_model_json(), bool positions = false,
                                         std::uint64_t seed = 1) {
    return std::make_shared<Model>(parse_model_config(config.dump()), ModelInit{seed, positions, {}}, test_device());
}

/// Tokens of a sequence that can be learnt: each is a fixed function of the one before, one time in eight at random.
inline std::vector<std::uint16_t> learnable_tokens(std::uint64_t count, std::uint64_t vocab_size,
                                                   std::uint64_t seed = 1) {
    RandomStream random(seed, Purpose::kBatch, 1 << 20);
    std::vector<std::uint16_t> tokens(count);
    std::uint64_t token = 0;
    for (auto& slot : tokens) {
        token = random.below(8) == 0 ? random.below(vocab_size) : (7 * token + 3) % vocab_size;
        slot = static_cast<std::uint16_t>(token);
    }
    return tokens;
}

/// Random tokens as a batch on the model's device. @return [rows, columns] int64.
inline at::Tensor random_batch(const Model& model, std::int64_t rows, std::int64_t columns, std::uint64_t seed = 9) {
    RandomStream random(seed, Purpose::kBatch, 0);
    std::vector<std::uint16_t> tokens(static_cast<std::size_t>(rows * columns));
    for (auto& token : tokens) {
        token = static_cast<std::uint16_t>(random.below(static_cast<std::uint64_t>(model.config().vocab_size)));
    }
    return model.upload_tokens(tokens.data(), rows, columns);
}

/// Pairs whose right answer (0 or 1) is told by the first token (2 or 3); the rest is random.
inline Examples cue_examples(const std::shared_ptr<Model>& model, std::int64_t pairs, std::uint64_t seed = 4) {
    constexpr std::int64_t kLength = 9;
    RandomStream random(seed, Purpose::kPruneBatch, 0);
    std::vector<std::uint16_t> tokens;
    std::vector<std::int32_t> positions;
    std::vector<std::uint16_t> answers;
    for (std::int64_t pair = 0; pair < pairs; ++pair) {
        std::vector<std::uint16_t> tail(kLength - 1);
        for (auto& token : tail) token = static_cast<std::uint16_t>(4 + random.below(40));
        for (std::uint16_t member = 0; member < 2; ++member) {
            tokens.push_back(static_cast<std::uint16_t>(2 + member));
            tokens.insert(tokens.end(), tail.begin(), tail.end());
            positions.push_back(kLength - 1);
            answers.push_back(member);
        }
    }
    return make_examples(model, tokens.data(), pairs, kLength, positions.data(), answers.data());
}

/// Train a model to answer cue_examples(): the right answer follows each example as its next token.
inline void teach_cue(const std::shared_ptr<Model>& model) {
    // Emulated kernels would take a minute for what LibTorch's operations do in seconds.
    const bool emulated = std::getenv("FILIGREE_EMULATED_CUDA") != nullptr;
    const auto pupil =
        emulated ? std::make_shared<Model>(model->config(), ModelInit{1, false, {Precision::kFp32, Plan::kReference}},
                                           model->device())
                 : model;
    pupil->values().copy_(model->values());
    const std::vector<std::uint16_t> unused(17, 1);
    auto config = small_train_json();
    config["steps"] = 800;
    for (auto& fraction : config["sparsity"]["fractions"]) fraction = 1.0;
    Trainer trainer(pupil, parse_train_config(config.dump()), {{unused.data(), unused.size(), 1.0}});
    while (!trainer.finished()) {
        const auto examples = cue_examples(pupil, 16, static_cast<std::uint64_t>(100 + trainer.steps_done()));
        const auto right = examples.answers.select(1, 0).clone();
        right.slice(0, 1, right.size(0), 2).copy_(examples.answers.select(1, 1).slice(0, 1, right.size(0), 2));
        static_cast<void>(trainer.step_on(at::cat(std::vector<at::Tensor>{examples.tokens, right.view({-1, 1})}, 1)));
    }
    model->values().copy_(pupil->values());
}

}  // namespace filigree
