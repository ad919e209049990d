// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "model/model.hpp"
#include "sparsity/schedule.hpp"

namespace filigree {

/// Keeps the weights of a model as sparse as the schedule says (method 2.1.7, 2.2, 2.3).
class Projector {
public:
    /// @throws FG_INVALID_CONFIG when a matrix could not keep its minimum of live weights at the final density.
    Projector(const Model& model, const Fractions& fractions, std::int64_t minimum_alive);

    /// Project every tensor that is sparsified, in place, with the block matrices at `matrix_density`.
    void project(Model& model, double matrix_density) const;

    /// Fraction of a tensor that stays with the block matrices at `matrix_density`; 1 when it is not sparsified.
    [[nodiscard]] double density(const Parameter& parameter, double matrix_density) const {
        return parameter.trainable ? family_density(fractions_, parameter.family, matrix_density) : 1.0;
    }
    /// Entries of a tensor that stay; all of them when it is not sparsified.
    [[nodiscard]] std::int64_t kept(const Parameter& parameter, double matrix_density) const;
    [[nodiscard]] std::int64_t minimum_alive() const { return minimum_alive_; }

private:
    Fractions fractions_;
    std::int64_t minimum_alive_;
};

}  // namespace filigree
