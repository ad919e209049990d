// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "circuit/circuit_mask.hpp"
#include "prune/calibration.hpp"
#include "prune/examples.hpp"

namespace filigree {

/// The tokens that a circuit has to tell apart.
struct TokenChoice {
    std::vector<std::uint8_t> keep;  ///< [V], 1 = embedded as it is
    Verdict verdict;                 ///< of the circuit with these tokens
};

/// Leave out as many tokens as a target allows: they are embedded as mask.embedding. Tokens that no example has are
/// left out; the others by the loss without each alone, first as many as possible together, then one by one. The order
/// comes from 32 pairs of each set, what goes is decided by 128; tokens that only further pairs have stay. Where the
/// target is out of reach with all tokens, all stay.
/// @param mask whose tokens are those to begin with. @param target nats per sequence. @throws FG_CANCELLED.
[[nodiscard]] TokenChoice choose_tokens(const Examples& train, const Examples& validation, const CircuitMask& mask,
                                        double target, bool calibrate);

}  // namespace filigree
