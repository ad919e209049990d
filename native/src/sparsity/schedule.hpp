// SPDX-License-Identifier: Apache-2.0
// How dense the model may be and how fast it learns, as functions of the step (method 2.2, 2.4, 2.5).
#pragma once

#include <cstdint>

#include "model/parameter_table.hpp"

namespace filigree {

enum class AnnealShape : std::uint8_t { kLinear, kPowerLaw };

/// Final kept fraction of each family that is sparsified, in (0, 1].
struct Fractions {
    double matrix = 1.0;
    double embedding = 1.0;
    double unembedding = 1.0;
    double bias = 1.0;
    double position = 1.0;
};

struct Anneal {
    AnnealShape shape = AnnealShape::kLinear;
    double start = 0.0;     ///< fraction of all steps at which the density leaves 1
    double end = 0.0;       ///< fraction of all steps at which it reaches its final value
    double exponent = 1.0;  ///< of the linear shape: 1 - (1 - u)^exponent
};

/// Density of the block matrices at 0-based step `step` of `steps`.
[[nodiscard]] double matrix_density(const Anneal& anneal, double final_density, std::int64_t step, std::int64_t steps);

/// Density of a family when the block matrices have `matrix_density`: all start dense and arrive together.
[[nodiscard]] double family_density(const Fractions& fractions, Family family, double matrix_density);

/// Number of entries that a tensor of `size` keeps: int(density * size).
[[nodiscard]] std::int64_t kept_entries(double density, std::int64_t size);

/// Warm-up and linear decay to 0 at 0-based step `step`; `warmup` is a fraction of `steps`.
[[nodiscard]] double learning_rate(double peak, double warmup, std::int64_t step, std::int64_t steps);

/// The "sharkfin" factor sqrt(final density / density): 1 at the end, small while the model is dense.
[[nodiscard]] double sharkfin(double final_density, double density);

}  // namespace filigree
