// SPDX-License-Identifier: Apache-2.0
#include "sparsity/projector.hpp"

#include <algorithm>
#include <string>

#include "core/error.hpp"
#include "ops/backend.hpp"
#include "ops/device_optimizer.hpp"
#include "ops/keep_largest.hpp"

namespace filigree {

Projector::Projector(const Model& model, const Fractions& fractions, std::int64_t minimum_alive)
    : fractions_(fractions), minimum_alive_(minimum_alive) {
    for (const auto& parameter : model.table().parameters()) {
        if (parameter.alive_axis == AliveAxis::kNone || fractions.matrix >= 1.0) {
            continue;
        }
        const bool rows = parameter.alive_axis == AliveAxis::kRows;
        const auto lines = parameter.shape[rows ? 0 : 1];
        const auto per_line = std::min(minimum_alive, parameter.shape[rows ? 1 : 0]);
        const auto kept = kept_entries(fractions.matrix, parameter.size);
        if (per_line * lines > kept) {
            throw Error(FG_INVALID_CONFIG, "train.sparsity.minimum_alive is " + std::to_string(minimum_alive) +
                                               ", which needs " + std::to_string(per_line * lines) + " weights in " +
                                               parameter.name + ", but train.sparsity.fractions.matrix leaves it " +
                                               std::to_string(kept) + "; lower minimum_alive or raise the fraction");
        }
    }
}

std::int64_t Projector::kept(const Parameter& parameter, double matrix_density) const {
    const auto fraction = density(parameter, matrix_density);
    return fraction < 1.0 ? kept_entries(fraction, parameter.size) : parameter.size;
}

void Projector::project(Model& model, double matrix_density) const {
    if (ops::backend_of(model.device(), model.execution().plan) == ops::Backend::kCuda) {
        const auto kept_of = [&](const Parameter& parameter) { return kept(parameter, matrix_density); };
        ops::project_on_device(model.table(), model.values(), [&](const Parameter& parameter) {
            return ops::TensorRule{kept_of(parameter), minimum_alive_, 1.0};
        });
        model.sparse_weights().promise(model.values(), kept_of);
        return;
    }
    for (const auto& parameter : model.table().parameters()) {
        if (const auto k = kept(parameter, matrix_density); k < parameter.size) {
            ops::project(model.tensor(parameter), k, parameter.alive_axis, minimum_alive_);
        }
    }
}

}  // namespace filigree
