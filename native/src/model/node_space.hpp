// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/model_config.hpp"

namespace filigree {

/// A place in the forward whose channels are nodes (method 1.2).
struct Site {
    std::string name;  ///< published hook key, e.g. "0.mlp.post_act"
    SiteKind kind = SiteKind::kAttnIn;
    std::int64_t layer = 0;
    std::int64_t offset = 0;           ///< index of channel 0 in the flat node space
    std::int64_t width = 0;            ///< number of channels that are nodes
    std::optional<std::int64_t> kept;  ///< entries that AbsTopK keeps of the channels computed here; nothing = all
};

/// The flat node space: masks, means, scores and circuits are arrays of size() over it. Sites lie layer by layer in
/// the order of SiteKind.
class NodeSpace {
public:
    explicit NodeSpace(const ModelConfig& config);
    /// Sites of other widths, all kinds of every layer in order; offsets are filled in.
    explicit NodeSpace(std::vector<Site> sites);

    [[nodiscard]] const std::vector<Site>& sites() const { return sites_; }
    [[nodiscard]] const Site& site(std::int64_t layer, SiteKind kind) const {
        return sites_.at(static_cast<std::size_t>(layer) * kSiteKinds + static_cast<std::size_t>(kind));
    }
    [[nodiscard]] std::int64_t size() const { return size_; }

private:
    std::vector<Site> sites_;
    std::int64_t size_ = 0;
};

}  // namespace filigree
