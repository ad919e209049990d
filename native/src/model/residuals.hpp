// SPDX-License-Identifier: Apache-2.0
// A forward that begins in the middle: from the residual before a half layer, as an earlier forward had it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "model/node_space.hpp"

namespace filigree {

/// The half layer that a site is in: attention of layer l is 2 l, its MLP 2 l + 1.
[[nodiscard]] inline std::int64_t half_layer_of(const Site& site) {
    return 2 * site.layer + (site.kind >= SiteKind::kMlpIn ? 1 : 0);
}

/// @tparam Hook a ForwardHook, which does what it does.
template <typename Hook>
class ResidualRecorder : public Hook {
public:
    using Hook::Hook;
    at::Tensor at_residual(std::int64_t half_layer, at::Tensor x) override {
        static_cast<void>(half_layer);
        residuals.push_back(x);
        return x;
    }
    std::vector<at::Tensor> residuals;  ///< [B, T, d], before every half layer
};

}  // namespace filigree
