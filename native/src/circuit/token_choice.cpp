// SPDX-License-Identifier: Apache-2.0
#include "circuit/token_choice.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <set>
#include <utility>

namespace filigree {
namespace {

constexpr std::int64_t kRankingPairs = 32;
constexpr std::int64_t kDecidingPairs = 128;

using Tokens = std::vector<std::int64_t>;

/// Tokens that a forward reads.
void collect(const Examples& examples, std::set<std::int64_t>& into) {
    const auto tokens = examples.tokens.to(at::kCPU).contiguous();
    const auto positions = examples.positions.to(at::kCPU).contiguous();
    const auto T = tokens.size(1);
    for (std::int64_t row = 0; row < tokens.size(0); ++row) {
        const auto* first = tokens.const_data_ptr<std::int64_t>() + row * T;
        into.insert(first, first + positions.const_data_ptr<std::int64_t>()[row] + 1);
    }
}

/// What a circuit with some tokens is worth on the first pairs of both sets.
class TokenJudge {
public:
    TokenJudge(const Examples& train, const Examples& validation, CircuitMask mask, bool calibrate, std::int64_t pairs)
        : train_(first_pairs(train, pairs)),
          validation_(first_pairs(validation, pairs)),
          mask_(std::move(mask)),
          calibrate_(calibrate) {}

    [[nodiscard]] Verdict operator()(const std::vector<std::uint8_t>& keep) {
        auto host = at::empty({static_cast<std::int64_t>(keep.size())}, at::kBool);
        std::copy(keep.begin(), keep.end(), host.mutable_data_ptr<bool>());
        mask_.tokens = host.to(train_.tokens.device());
        CircuitHook hook(mask_);
        return judge(run_sequences(train_, &hook), run_sequences(validation_, &hook), calibrate_);
    }

private:
    Examples train_;
    Examples validation_;
    CircuitMask mask_;
    bool calibrate_;
};

}  // namespace

TokenChoice choose_tokens(const Examples& train, const Examples& validation, const CircuitMask& mask, double target,
                          bool calibrate) {
    const at::NoGradGuard no_grad;
    const auto V = train.model->config().vocab_size;
    std::vector<std::uint8_t> all(static_cast<std::size_t>(V), 1);
    if (mask.tokens.defined()) {
        const auto host = mask.tokens.to(at::kCPU).contiguous();
        std::copy_n(host.const_data_ptr<bool>(), V, all.begin());
    }
    TokenJudge ranking(train, validation, mask, calibrate, kRankingPairs);
    TokenJudge deciding(train, validation, mask, calibrate, kDecidingPairs);
    TokenChoice choice = {all, deciding(all)};
    if (choice.verdict.loss > target) {
        return choice;
    }

    // Tokens of examples that nobody is judged by stay, for nothing is known of them.
    std::set<std::int64_t> read;
    std::set<std::int64_t> judged;
    for (const auto* examples : {&train, &validation}) {
        collect(*examples, read);
        collect(first_pairs(*examples, kDecidingPairs), judged);
    }
    Tokens open;
    for (std::int64_t token = 0; token < V; ++token) {
        auto& kept = choice.keep[static_cast<std::size_t>(token)];
        if (kept != 0 && judged.contains(token)) {
            open.push_back(token);
        }
        kept = kept != 0 && read.contains(token) ? 1 : 0;
    }
    const auto without = [&](const Tokens& gone) {
        auto keep = choice.keep;
        for (const auto token : gone) {
            keep[static_cast<std::size_t>(token)] = 0;
        }
        return keep;
    };
    std::vector<std::pair<double, std::int64_t>> order;  // loss without the token, token
    for (const auto token : open) {
        order.emplace_back(ranking(without({token})).loss, token);
    }
    std::sort(order.begin(), order.end());
    const auto first = [&](std::size_t count) {
        Tokens gone;
        for (std::size_t i = 0; i < count; ++i) {
            gone.push_back(order[i].second);
        }
        return gone;
    };

    std::size_t gone = 0;
    for (auto too_many = order.size() + 1; too_many - gone > 1;) {
        const auto middle = gone + (too_many - gone) / 2;
        (deciding(without(first(middle))).loss <= target ? gone : too_many) = middle;
    }
    choice.keep = without(first(gone));
    for (auto i = gone; i < order.size(); ++i) {
        auto fewer = without({order[i].second});
        if (deciding(fewer).loss <= target) {
            choice.keep = std::move(fewer);
        }
    }
    choice.verdict = deciding(choice.keep);
    return choice;
}

}  // namespace filigree
