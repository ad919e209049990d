// SPDX-License-Identifier: Apache-2.0
#include "circuit/donors.hpp"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <numeric>

#include "ops/gate.hpp"

namespace filigree {

at::Tensor DonorHook::at_site(const Site& site, at::Tensor x) {
    const auto half = x.size(0) / 2;
    const auto donor = x.narrow(0, half, half);
    const auto gate = own_.narrow(0, site.offset, site.width);
    return at::cat({ops::mask_to_mean(x.narrow(0, 0, half), gate, donor.detach()), donor});
}

at::Tensor draw_donors(const Examples& examples, RandomStream random) {
    const auto pairs = examples.pairs();
    const auto lengths = examples.positions.view({-1, 2}).amax(1).to(at::kCPU).contiguous();
    const auto* length = lengths.const_data_ptr<std::int64_t>();
    std::vector<std::int64_t> by_length(static_cast<std::size_t>(pairs));
    std::iota(by_length.begin(), by_length.end(), 0);
    std::stable_sort(by_length.begin(), by_length.end(),
                     [&](std::int64_t a, std::int64_t b) { return length[a] < length[b]; });
    auto donors = at::empty({2 * pairs}, at::kLong);
    for (std::int64_t row = 0; row < 2 * pairs; ++row) {
        const auto own = row / 2;
        const auto first =
            std::lower_bound(by_length.begin(), by_length.end(), length[own],
                             [&](std::int64_t pair, std::int64_t least) { return length[pair] < least; });
        // The pair itself is among them and stands for the last one, which the draw leaves out.
        const auto others = static_cast<std::uint64_t>(by_length.end() - first) - 1;
        auto chosen = own;
        if (others > 0) {
            chosen = first[static_cast<std::ptrdiff_t>(random.below(others))];
            chosen = chosen == own ? by_length.back() : chosen;
        } else if (pairs > 1) {
            chosen = by_length[static_cast<std::size_t>(pairs - 2)];  // the longest of all is its own
        }
        donors.mutable_data_ptr<std::int64_t>()[row] = 2 * chosen + static_cast<std::int64_t>(random.below(2));
    }
    return donors.to(examples.positions.device());
}

at::Tensor differences_with_donors(const Examples& examples, const at::Tensor& rows, const at::Tensor& donors,
                                   DonorHook& hook) {
    auto both = examples.select(at::cat({rows, donors}));
    // Of a donor nothing counts behind the position at which the other one is evaluated.
    both.positions = examples.positions.index_select(0, rows).repeat({2});
    return answer_differences(examples.model->context(), trimmed(both), 1, &hook).squeeze(0).narrow(0, 0, rows.size(0));
}

std::vector<ScoredSequence> run_with_donors(const Examples& examples, const at::Tensor& gates, const at::Tensor& donors,
                                            bool frozen_norms) {
    DonorHook hook(gates, frozen_norms);
    return score_in_batches(examples, [&](const at::Tensor& rows) {
        return scored_sequences(examples.select(rows),
                                differences_with_donors(examples, rows, donors.index_select(0, rows), hook));
    });
}

}  // namespace filigree
