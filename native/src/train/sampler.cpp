// SPDX-License-Identifier: Apache-2.0
#include "train/sampler.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "core/random.hpp"
#include "model/model.hpp"

namespace filigree {

Sampler::Sampler(std::vector<TokenStream> streams, std::int64_t vocab_size, std::int64_t seq_len, std::uint64_t seed)
    : streams_(std::move(streams)), seq_len_(seq_len), seed_(seed) {
    if (streams_.empty()) {
        throw Error(FG_INVALID_ARGUMENT, "training needs at least one corpus");
    }
    double total = 0.0;
    for (std::size_t i = 0; i < streams_.size(); ++i) {
        const auto& stream = streams_[i];
        const auto name = "corpus " + std::to_string(i);
        if (stream.tokens == nullptr || stream.count < static_cast<std::uint64_t>(seq_len)) {
            throw Error(FG_INVALID_ARGUMENT, name + " has " + std::to_string(stream.count) +
                                                 " tokens, fewer than one sequence of " + std::to_string(seq_len));
        }
        if (!std::isfinite(stream.share) || stream.share <= 0.0) {
            throw Error(FG_INVALID_ARGUMENT, "the share of " + name + " must be above 0");
        }
        check_tokens(stream.tokens, stream.count, vocab_size, "the tokens of " + name);
        total += stream.share;
        cumulative_.push_back(total);
    }
    for (auto& bound : cumulative_) {
        bound /= total;
    }
}

std::vector<std::uint16_t> Sampler::batch(std::int64_t batch_size, std::int64_t step) const {
    RandomStream random(seed_, Purpose::kBatch, static_cast<std::uint64_t>(step));
    const auto length = static_cast<std::uint64_t>(seq_len_);
    std::vector<std::uint16_t> result;
    result.reserve(static_cast<std::uint64_t>(batch_size) * length);
    for (std::int64_t row = 0; row < batch_size; ++row) {
        const auto chosen = std::upper_bound(cumulative_.begin(), cumulative_.end() - 1, random.uniform());
        const auto& stream = streams_[static_cast<std::size_t>(chosen - cumulative_.begin())];
        const auto* begin = stream.tokens + random.below(stream.count - length + 1);
        result.insert(result.end(), begin, begin + length);
    }
    return result;
}

}  // namespace filigree
