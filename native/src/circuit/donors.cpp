// SPDX-License-Identifier: Apache-2.0
#include "circuit/donors.hpp"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <c10/core/GradMode.h>

#include <algorithm>

#include "ops/gate.hpp"
#include "prune/task_score.hpp"

namespace filigree {

at::Tensor DonorHook::at_site(const Site& site, at::Tensor x) {
    const auto half = x.size(0) / 2;
    const auto donor = x.narrow(0, half, half);
    const auto gate = gates_.narrow(0, site.offset, site.width);
    return at::cat({ops::mask_to_mean(x.narrow(0, 0, half), gate, donor.detach()), donor});
}

at::Tensor answer_logits_with_donors(const Examples& examples, const at::Tensor& rows, const at::Tensor& donors,
                                     DonorHook& hook) {
    const auto both = examples.select(at::cat({rows, donors}));
    const auto x = forward(examples.model->context(), both.tokens, &hook);  // [2n, T, d]
    return answer_logits_of(examples.select(rows), x.narrow(0, 0, rows.size(0)));
}

std::vector<ScoredSequence> run_with_donors(const Examples& examples, const at::Tensor& gates,
                                            const at::Tensor& donors) {
    const at::NoGradGuard no_grad;
    std::vector<ScoredSequence> sequences;
    DonorHook hook(gates);
    const auto total = examples.sequences();
    constexpr auto kRows = kRowsPerForward / 2;
    for (std::int64_t first = 0; first < total; first += kRows) {
        examples.model->check_cancelled();
        const auto rows = at::arange(first, std::min(total, first + kRows), examples.positions.options());
        const auto logits = answer_logits_with_donors(examples, rows, donors.index_select(0, rows), hook);
        const auto scored = scored_sequences(examples.select(rows), logits);
        sequences.insert(sequences.end(), scored.begin(), scored.end());
    }
    return sequences;
}

}  // namespace filigree
