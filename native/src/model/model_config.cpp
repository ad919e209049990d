// SPDX-License-Identifier: Apache-2.0
#include "model/model_config.hpp"

#include <algorithm>
#include <sstream>

#include "core/config_reader.hpp"
#include "core/error.hpp"

namespace filigree {
namespace {

constexpr std::int64_t kMaxDimension = 1 << 24;

constexpr std::array<const char*, kSiteKinds> kSiteKindNames = {"attn_in",  "attn_q", "attn_k",     "attn_v",
                                                                "attn_out", "mlp_in", "mlp_neuron", "mlp_out"};

std::array<bool, kSiteKinds> parse_loctypes(const ConfigReader& reader, const std::string& list) {
    std::array<bool, kSiteKinds> result{};
    std::istringstream stream(list);
    for (std::string name; std::getline(stream, name, ',');) {
        const auto found = std::find(kSiteKindNames.begin(), kSiteKindNames.end(), name);
        if (found == kSiteKindNames.end()) {
            reader.fail("afrac_loctypes", "names an unknown site \"" + name + "\"");
        }
        result.at(static_cast<std::size_t>(found - kSiteKindNames.begin())) = true;
    }
    return result;
}

void require(bool supported, const char* what) {
    if (!supported) {
        throw Error(FG_UNSUPPORTED, std::string("this version does not support ") + what);
    }
}

}  // namespace

const char* site_kind_name(SiteKind kind) { return kSiteKindNames.at(static_cast<std::size_t>(kind)); }

std::int64_t ModelConfig::site_width(SiteKind kind) const {
    switch (kind) {
        case SiteKind::kAttnQ:
        case SiteKind::kAttnK:
        case SiteKind::kAttnV:
            return attention_width();
        case SiteKind::kMlpNeuron:
            return d_mlp;
        case SiteKind::kAttnIn:
        case SiteKind::kAttnOut:
        case SiteKind::kMlpIn:
        case SiteKind::kMlpOut:
            break;
    }
    return d_model;
}

std::optional<std::int64_t> ModelConfig::kept_at(SiteKind kind) const {
    const auto width = site_width(kind);
    if (!afrac || !afrac_at.at(static_cast<std::size_t>(kind))) {
        return std::nullopt;
    }
    const auto kept = std::max<std::int64_t>(1, static_cast<std::int64_t>(*afrac * static_cast<double>(width)));
    return kept < width ? std::optional(kept) : std::nullopt;
}

ModelConfig parse_model_config(std::string_view json) {
    auto reader = ConfigReader::parse(json, "model");
    ModelConfig config;
    config.block_size = reader.integer("block_size", 2, kMaxDimension);
    config.vocab_size = reader.integer("vocab_size", 2, 65536);
    config.n_layer = reader.integer("n_layer", 1, 1024);
    config.n_head = reader.integer("n_head", 1, kMaxDimension);
    config.d_head = reader.integer("d_head", 1, kMaxDimension);
    config.d_model = reader.integer("d_model", 1, kMaxDimension);
    config.d_mlp = reader.integer("d_mlp", 1, kMaxDimension);
    const auto activation = reader.choice("activation_type", {"gelu", "relu"});
    config.activation = activation == 0 ? Activation::kGelu : Activation::kRelu;
    config.afrac = reader.number_or_null("afrac", 0.0, 1.0);
    config.afrac_at = parse_loctypes(reader, reader.text("afrac_loctypes"));
    config.bigram_table = reader.boolean("enable_bigram_table");
    config.learnable_bigram_table = reader.boolean("learnable_bigram_table");
    config.sink = reader.boolean("sink");

    const auto flash = reader.boolean("flash");
    const auto dropout = reader.number("dropout", 0.0, 1.0);
    const auto bias = reader.boolean("bias");
    const auto ln_bias = reader.boolean("ln_bias");
    const auto rms_norm = reader.boolean("rms_norm");
    const auto residual_activation = reader.choice("residual_activation_type", {"identity", "relu"});
    const auto tied_unembed = reader.boolean("tied_unembed");
    const auto concatenated = !reader.is_null("d_pos_emb");
    // Fields that change how the published code computes, or where its tokenizer lives, but not what: kept in the
    // checkpoint, without effect here.
    static_cast<void>(reader.boolean("dropout_cat_pos_emb"));
    static_cast<void>(reader.boolean("sinusoidal_cat_pos_emb"));
    static_cast<void>(reader.boolean("enable_sparse_kernels"));
    static_cast<void>(reader.boolean("grad_checkpointing"));
    static_cast<void>(reader.boolean("debug_nans"));
    static_cast<void>(reader.text("tokenizer_name"));
    reader.finish();

    if (config.d_model % config.n_head != 0) {
        reader.fail("d_model", "must be a multiple of n_head (" + std::to_string(config.n_head) + "), not " +
                                   std::to_string(config.d_model));
    }
    if (config.attention_width() > kMaxDimension) {
        reader.fail("d_head", "times n_head (" + std::to_string(config.n_head) + ") must be at most " +
                                  std::to_string(kMaxDimension) + ", not " + std::to_string(config.attention_width()));
    }
    if (config.afrac && *config.afrac <= 0.0) {
        reader.fail("afrac", "must be above 0, or null for no activation sparsity");
    }
    require(rms_norm, "LayerNorm (rms_norm must be true)");
    require(bias, "models without biases (bias must be true)");
    require(!ln_bias, "norm biases (ln_bias must be false)");
    require(dropout == 0.0, "dropout (dropout must be 0)");
    require(residual_activation == 0, "an activation on the residual (residual_activation_type must be \"identity\")");
    require(!tied_unembed, "a tied unembedding (tied_unembed must be false)");
    require(!concatenated, "concatenated positions (d_pos_emb must be null)");
    // The published class ignores sinks without flash; a model that says both would not mean what it says.
    require(flash || !config.sink, "sinks without flash (the published code would ignore the sinks)");
    config.json = nlohmann::json::parse(json).dump(2);
    return config;
}

}  // namespace filigree
