// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "core/random.hpp"
#include "model/model.hpp"

namespace filigree {

/// How units come back that the projection has cut off: no gradient reaches them, so they would stay as they are.
struct Revival {
    std::int64_t every = 0;    ///< steps from one to the next, 0 for none
    double until = 1.0;        ///< fraction of all steps after which there are none
    std::int64_t weights = 1;  ///< that an empty line of a unit gets
    double share = 0.0;        ///< most of a matrix's live weights that may be new after one

    /// Whether there is one after `steps_done` of `steps`.
    [[nodiscard]] bool due(std::int64_t steps_done, std::int64_t steps) const {
        return every > 0 && steps_done % every == 0 &&
               static_cast<double>(steps_done) <= until * static_cast<double>(steps);
    }
};

/// Give dead units weights again. Dead is a neuron that nothing writes or nothing reads (an empty row or column), a
/// value channel likewise unless it has a bias, and a query and key channel of which one is always 0 (an empty row and
/// no bias; method 2.7). Each empty line gets weights at random places, of the median magnitude of its matrix, so that
/// a projection keeps them in place of the weakest; the moments there become 0. Units are taken in random order as far
/// as `rule.share` goes. The model then has more weights than its density allows: project it.
/// @param moment1,moment2 flat [trainable_size].
/// @return number of units that were revived.
std::int64_t revive_dead_units(const Model& model, const at::Tensor& moment1, const at::Tensor& moment2,
                               const Revival& rule, RandomStream random);

}  // namespace filigree
