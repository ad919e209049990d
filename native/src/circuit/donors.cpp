// SPDX-License-Identifier: Apache-2.0
#include "circuit/donors.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <c10/core/GradMode.h>

#include "core/to_device.hpp"
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
    const auto own = examples.select(rows);
    // Of a donor nothing counts behind the position at which the other one is evaluated.
    auto both = examples.select(at::cat({rows, donors}));
    both.positions = own.positions.repeat({2});
    both = trimmed(both);
    const auto context = examples.model->context();
    const auto x = forward(context, both.tokens, &hook, both.positions).squeeze(1);  // [2n, d]
    const auto at_answer = own.tokens.gather(1, own.positions.view({-1, 1})).squeeze(1);
    const auto pair = unembed_pair(context, x.narrow(0, 0, rows.size(0)), at_answer, own.answers);  // [n, 2]
    return pair.select(1, 0) - pair.select(1, 1);
}

std::vector<ScoredSequence> run_with_donors(const Examples& examples, const at::Tensor& gates,
                                            const at::Tensor& donors) {
    const at::NoGradGuard no_grad;
    std::vector<ScoredSequence> sequences(static_cast<std::size_t>(examples.sequences()));
    DonorHook hook(gates);
    for (const auto& batch : batches_by_length(examples)) {
        examples.model->check_cancelled();
        const auto rows = to_device(batch, examples.positions.device());
        const auto scored = scored_sequences(
            examples.select(rows), differences_with_donors(examples, rows, donors.index_select(0, rows), hook));
        for (std::size_t i = 0; i < batch.size(); ++i) {
            sequences[static_cast<std::size_t>(batch[i])] = scored[i];
        }
    }
    return sequences;
}

}  // namespace filigree
