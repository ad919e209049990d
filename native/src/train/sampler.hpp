// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace filigree {

/// A borrowed stream of training tokens and its relative weight.
struct TokenStream {
    const std::uint16_t* tokens = nullptr;
    std::uint64_t count = 0;
    double share = 1.0;
};

/// Draws training sequences: the stream by share, the place in it uniformly. A batch is a function of (seed, step)
/// alone.
class Sampler {
public:
    /// Checks every token. @throws FG_INVALID_ARGUMENT for no stream, one that is too short, a share that is not
    /// positive, or a token that does not fit the vocabulary.
    Sampler(std::vector<TokenStream> streams, std::int64_t vocab_size, std::int64_t seq_len, std::uint64_t seed);

    /// @return [batch_size, seq_len], row-major.
    [[nodiscard]] std::vector<std::uint16_t> batch(std::int64_t batch_size, std::int64_t step) const;

private:
    std::vector<TokenStream> streams_;
    std::vector<double> cumulative_;  // shares, running sum, last = 1
    std::int64_t seq_len_;
    std::uint64_t seed_;
};

}  // namespace filigree
