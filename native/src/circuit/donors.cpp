// SPDX-License-Identifier: Apache-2.0
#include "circuit/donors.hpp"

#include <ATen/ops/cat.h>

#include "ops/gate.hpp"
#include "prune/task_score.hpp"

namespace filigree {

at::Tensor DonorHook::at_site(const Site& site, at::Tensor x) {
    const auto half = x.size(0) / 2;
    const auto donor = x.narrow(0, half, half);
    const auto gate = gates_.narrow(0, site.offset, site.width);
    return at::cat({ops::mask_to_mean(x.narrow(0, 0, half), gate, donor.detach()), donor});
}

at::Tensor differences_with_donors(const Examples& examples, const at::Tensor& rows, const at::Tensor& donors,
                                   DonorHook& hook) {
    auto both = examples.select(at::cat({rows, donors}));
    // Of a donor nothing counts behind the position at which the other one is evaluated.
    both.positions = examples.positions.index_select(0, rows).repeat({2});
    return answer_differences(examples.model->context(), trimmed(both), 1, &hook).squeeze(0).narrow(0, 0, rows.size(0));
}

std::vector<ScoredSequence> run_with_donors(const Examples& examples, const at::Tensor& gates,
                                            const at::Tensor& donors) {
    DonorHook hook(gates);
    return score_in_batches(examples, [&](const at::Tensor& rows) {
        return scored_sequences(examples.select(rows),
                                differences_with_donors(examples, rows, donors.index_select(0, rows), hook));
    });
}

}  // namespace filigree
