// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace filigree::ops {

/// What the machine can do at best, with all threads of LibTorch's pool.
struct MachineRates {
    double flops =
        0.0;  ///< fp32 operations per second, two to a multiply-add, with all operands in the first-level cache
    double bytes = 0.0;  ///< per second, reading memory far larger than the caches
};

/// Measure, in about a fifth of a second.
[[nodiscard]] MachineRates measure_machine_rates();

}  // namespace filigree::ops
