// SPDX-License-Identifier: Apache-2.0
#include "model/node_space.hpp"

#include <array>
#include <utility>

namespace filigree {
namespace {

// Published hook keys in the order of SiteKind.
constexpr std::array<const char*, kSiteKinds> kHookKeys = {
    "attn.act_in", "attn.q", "attn.k", "attn.v", "attn.resid_delta", "mlp.act_in", "mlp.post_act", "mlp.resid_delta"};

}  // namespace

NodeSpace::NodeSpace(const ModelConfig& config) {
    for (std::int64_t layer = 0; layer < config.n_layer; ++layer) {
        for (std::size_t i = 0; i < kSiteKinds; ++i) {
            const auto kind = static_cast<SiteKind>(i);
            const auto width = config.site_width(kind);
            sites_.push_back(
                {std::to_string(layer) + "." + kHookKeys.at(i), kind, layer, size_, width, config.kept_at(kind)});
            size_ += width;
        }
    }
}

NodeSpace::NodeSpace(std::vector<Site> sites) : sites_(std::move(sites)) {
    for (auto& site : sites_) {
        site.offset = size_;
        size_ += site.width;
    }
}

}  // namespace filigree
