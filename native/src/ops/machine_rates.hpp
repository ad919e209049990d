// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace filigree::ops {

/// What the machine can do at best, with all threads of LibTorch's pool.
struct MachineRates {
    /// Operations per second, two to a multiply-add, with all operands in the first-level cache.
    double flops = 0.0;
    double bf16_flops = 0.0;  ///< the same with factors in bf16, sums in fp32
    double bytes = 0.0;       ///< per second, reading or copying memory far larger than the caches
};

/// Measure, in about half a second.
[[nodiscard]] MachineRates measure_machine_rates();

}  // namespace filigree::ops
