// SPDX-License-Identifier: Apache-2.0
// The projection of keep_largest.hpp on the CPU, with the decay that follows it, in two passes over the weights: one
// counts what lies above a bracket around the last step's threshold and lists what lies in it, the other masks and
// decays.
#pragma once

#include <cstdint>
#include <vector>

#include "model/parameter_table.hpp"

namespace filigree::ops {

/// One weight tensor of two dimensions (a vector is one row).
struct WeightSpan {
    float* data = nullptr;  // [rows, columns]
    std::int64_t rows = 0;
    std::int64_t columns = 0;

    [[nodiscard]] std::int64_t size() const { return rows * columns; }
};

/// Projects one tensor again and again. What it remembers between calls only makes them faster: the set that is kept
/// depends on the weights alone and is exactly that of ops::project().
class WarmProjection {
public:
    /// Zero all but k entries and multiply those with `decay`. The other parameters are those of ops::project().
    /// @throws FG_INVALID_ARGUMENT when k is below minimum_alive * lines.
    void apply(const WeightSpan& w, std::int64_t k, AliveAxis axis, std::int64_t minimum_alive, float decay);

private:
    /// Magnitudes in [low, high), as bits.
    struct Bracket {
        std::int32_t low = 0;
        std::int32_t high = 0;
    };
    /// What a pass over the weights finds for a bracket.
    struct Count {
        std::int64_t above = 0;            ///< entries at or above the bracket
        std::vector<std::int32_t> inside;  ///< flat indices of those in it, ascending
        std::vector<std::int32_t>
            forced;  ///< of entries below its upper end that the minimum-alive rule keeps, ascending
    };

    [[nodiscard]] Bracket first_bracket(const WeightSpan& w, std::int64_t k) const;
    void count(const WeightSpan& w, const Bracket& bracket, AliveAxis axis, std::int64_t per_line);
    void count_by_row(const WeightSpan& w, const Bracket& bracket, std::int64_t per_line);
    void force_columns(const WeightSpan& w, std::int32_t high, std::int64_t per_line);

    Count found_;
    float threshold_ = 0.0F;  ///< of the last call, 0 for none
    float radius_ = 0.03F;    ///< of the bracket around it, relative
};

}  // namespace filigree::ops
