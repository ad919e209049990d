// SPDX-License-Identifier: Apache-2.0
// How a computation is carried out. It never changes what is computed beyond rounding.
#pragma once

#include <cstdint>

namespace filigree {

/// Precision of matrix products; weights, statistics, logits, loss and top-k decisions are fp32 always.
enum class Precision : std::uint8_t { kFp32, kBf16 };

/// kFast: the kernels of src/kernels where there is one for the device, the composition elsewhere. kReference: every op
/// is a plain composition of LibTorch's, which is what tests and benchmarks compare with.
enum class Plan : std::uint8_t { kFast, kReference };

struct Execution {
    Precision precision = Precision::kFp32;
    Plan plan = Plan::kFast;
};

}  // namespace filigree
