// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace filigree {

/// Kinds of node sites, in the order in which a layer visits them (method 1.2).
enum class SiteKind : std::uint8_t {
    kAttnIn,
    kAttnQ,
    kAttnK,
    kAttnV,
    kAttnOut,
    kMlpIn,
    kMlpNeuron,
    kMlpOut,
};
inline constexpr std::size_t kSiteKinds = 8;

/// Name of a kind in `afrac_loctypes` ("attn_in", ...).
[[nodiscard]] const char* site_kind_name(SiteKind kind);

enum class Activation : std::uint8_t { kGelu, kRelu };

/// Architecture of a model: the fields of the published GPTConfig (method 1.9) that this core honours.
struct ModelConfig {
    std::int64_t block_size = 0;  ///< longest sequence
    std::int64_t vocab_size = 0;  ///< V
    std::int64_t n_layer = 0;     ///< L
    std::int64_t n_head = 0;      ///< H
    std::int64_t d_head = 0;      ///< dh
    std::int64_t d_model = 0;     ///< d
    std::int64_t d_mlp = 0;       ///< m
    Activation activation = Activation::kGelu;
    std::optional<double> afrac;              ///< kept fraction of activations; nothing = dense
    std::array<bool, kSiteKinds> afrac_at{};  ///< which sites AbsTopK acts on
    bool bigram_table = false;
    bool learnable_bigram_table = false;
    bool sink = false;
    std::string json;  ///< the text this was read from, canonical, all fields

    [[nodiscard]] std::int64_t attention_width() const { return n_head * d_head; }  ///< A
    [[nodiscard]] std::int64_t site_width(SiteKind kind) const;
    /// Number of entries that AbsTopK keeps at a site: max(1, int(afrac * width)), or nothing when it is off.
    [[nodiscard]] std::optional<std::int64_t> kept_at(SiteKind kind) const;
};

/// Read the strict JSON form. Throws FG_INVALID_CONFIG for malformed or impossible values and FG_UNSUPPORTED for
/// published options that this core does not have.
[[nodiscard]] ModelConfig parse_model_config(std::string_view json);

}  // namespace filigree
