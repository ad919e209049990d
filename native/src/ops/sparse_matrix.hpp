// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "kernels/lines.hpp"

namespace filigree::ops {

/// The nonzeros of a weight matrix by row and by column.
class SparseMatrix {
public:
    /// Take over the nonzeros of a matrix; memory is reused. Must not happen between a forward and its backward.
    /// @param w [m, n] fp32, contiguous, on the CPU. @return whether w has at most `most` of them; if not, nothing is
    /// taken.
    [[nodiscard]] bool assign(const at::Tensor& w, std::int64_t most);

    [[nodiscard]] kernels::Lines rows() const { return rows_.view(); }
    [[nodiscard]] kernels::Lines columns() const { return columns_.view(); }

private:
    struct Entries {
        std::vector<std::int32_t> begin, count, index;
        std::vector<float> value;

        void resize(std::int64_t lines, std::int64_t entries);
        [[nodiscard]] kernels::Lines view() const { return {begin.data(), count.data(), index.data(), value.data()}; }
    };
    Entries rows_;
    Entries columns_;
};

}  // namespace filigree::ops
