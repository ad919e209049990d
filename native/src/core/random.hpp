// SPDX-License-Identifier: Apache-2.0
// Counter-based random numbers: a stream is a pure function of (seed, purpose, index), so nothing has to be saved to
// resume a run and no draw shifts another.
#pragma once

#include <ATen/core/PhiloxRNGEngine.h>

#include <cstdint>
#include <span>

namespace filigree {

/// What a stream is for. Numbers are part of the trajectory of every run: never renumber.
enum class Purpose : std::uint64_t {
    kInitialWeights = 1,  ///< index = position of the tensor in the parameter table
    kBatch = 2,           ///< index = training step
    kInitialMask = 3,     ///< index = 0
    kPruneBatch = 4,      ///< index = pruning step
    kRevival = 5,         ///< index = training steps done
    kLevel = 6,           ///< index = training step
    kDonors = 7,          ///< index = pruning step
    kJudgingDonors = 8,   ///< index = 0
};

class RandomStream {
public:
    RandomStream(std::uint64_t seed, Purpose purpose, std::uint64_t index)
        : engine_(seed, static_cast<std::uint64_t>(purpose) << 56 | index) {}

    [[nodiscard]] std::uint64_t bits64() {
        const std::uint64_t high = engine_();
        return high << 32 | engine_();
    }
    /// Uniform in [0, 1).
    [[nodiscard]] double uniform() { return static_cast<double>(bits64() >> 11) * 0x1.0p-53; }
    /// Uniform in [0, n), n > 0.
    [[nodiscard]] std::uint64_t below(std::uint64_t n) {
        __extension__ using Wide = unsigned __int128;
        return static_cast<std::uint64_t>((static_cast<Wide>(bits64()) * n) >> 64);
    }
    [[nodiscard]] float normal() { return engine_.randn(10); }

private:
    at::philox_engine engine_;
};

}  // namespace filigree
