// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace filigree::ops {

/// Measure, in some milliseconds, up to which nonzero fraction of a weight [m, n] its product with `rows` rows, of
/// which `kept` are not zero, takes less time by the nonzeros of the weight than by those of the rows. @return in [0,
/// 1].
[[nodiscard]] double measure_crossover(std::int64_t m, std::int64_t n, std::int64_t rows, double kept);

}  // namespace filigree::ops
