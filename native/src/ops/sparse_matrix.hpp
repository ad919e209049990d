// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "kernel_library.h"
#include "kernels/lines.hpp"

namespace filigree::ops {

/// The nonzeros of a weight matrix by row and by column, on the CPU or on a device.
class SparseMatrix {
public:
    /// Take over the nonzeros of a matrix; memory is reused. Must not happen between a forward and its backward.
    /// @param w [m, n] fp32, contiguous. @return whether w has at most `most` of them; if not, nothing is
    /// taken.
    [[nodiscard]] bool assign(const at::Tensor& w, std::int64_t most);

    /// The same on a device by the CUDA kernels, without waiting for it. @param most at least the number of nonzeros.
    void assign_on_device(const at::Tensor& w, std::int64_t most);

    [[nodiscard]] kernels::Lines rows() const { return rows_.view(); }
    [[nodiscard]] kernels::Lines columns() const { return columns_.view(); }
    [[nodiscard]] fgk_slices device_rows() const { return device_rows_.view(); }
    [[nodiscard]] fgk_slices device_columns() const { return device_columns_.view(); }

private:
    struct Entries {
        std::vector<std::int32_t> begin, count, index;
        std::vector<float> value;

        void resize(std::int64_t lines, std::int64_t entries);
        [[nodiscard]] kernels::Lines view() const { return {begin.data(), count.data(), index.data(), value.data()}; }
    };
    Entries rows_;
    Entries columns_;

    struct DeviceEntries {
        at::Tensor line, length;  // int32 [places]
        at::Tensor begin;         // int32 [slices]
        at::Tensor entries;       // fgk_entry [capacity], as int64

        void resize(std::int64_t lines, std::int64_t longest, std::int64_t nonzeros, at::Device device);
        [[nodiscard]] fgk_slices view() const;
    };
    DeviceEntries device_rows_;
    DeviceEntries device_columns_;
};

}  // namespace filigree::ops
