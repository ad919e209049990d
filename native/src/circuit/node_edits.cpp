// SPDX-License-Identifier: Apache-2.0
#include "circuit/node_edits.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/where.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <utility>

#include "model/residuals.hpp"

namespace filigree {
namespace {

struct PlacedEdit {
    NodeEdit edit;
    std::int64_t index = 0;  ///< in the list that was asked for
    const Site* site = nullptr;
};

/// Edits by the half-layer of their node.
std::vector<std::vector<PlacedEdit>> by_half_layer(const Model& model, const std::vector<NodeEdit>& edits) {
    std::vector<std::vector<PlacedEdit>> placed(static_cast<std::size_t>(2 * model.config().n_layer));
    const auto& sites = model.nodes().sites();
    for (std::size_t i = 0; i < edits.size(); ++i) {
        const auto after = std::upper_bound(sites.begin(), sites.end(), edits[i].node,
                                            [](std::int64_t node, const Site& site) { return node < site.offset; });
        const auto& site = *std::prev(after);
        placed[static_cast<std::size_t>(half_layer_of(site))].push_back(
            {edits[i], static_cast<std::int64_t>(i), &site});
    }
    return placed;
}

/// Row block i of the batch has edit first + i.
class EditHook : public CircuitHook {
public:
    EditHook(const CircuitMask& mask, const PlacedEdit* first, std::int64_t count, std::int64_t rows)
        : CircuitHook(mask), first_(first), count_(count), rows_(rows) {}

    at::Tensor at_site(const Site& site, at::Tensor x) override {
        auto edited = x;
        for (std::int64_t i = 0; i < count_; ++i) {
            const auto& [edit, index, place] = first_[i];
            if (place->offset != site.offset) {
                continue;
            }
            if (edited.is_same(x)) {
                edited = x.clone();
            }
            auto channel = edited.narrow(0, i * rows_, rows_).select(2, edit.node - site.offset);  // [rows, T]
            const auto high = at::full_like(channel, edit.high);
            channel.copy_(at::where(channel < edit.threshold, at::full_like(channel, edit.low), high));
        }
        return edited;
    }

private:
    const PlacedEdit* first_;
    std::int64_t count_;
    std::int64_t rows_;
};

}  // namespace

at::Tensor run_edits(const Examples& examples, const CircuitMask& mask, const std::vector<NodeEdit>& edits) {
    const at::NoGradGuard no_grad;
    auto& model = *examples.model;
    const auto context = model.context();
    const auto placed = by_half_layer(model, edits);
    const auto total = examples.sequences();
    auto differences = at::empty({static_cast<std::int64_t>(edits.size()), total}, at::kFloat);
    for (std::int64_t first = 0; first < total; first += kRowsPerForward) {
        const auto rows = std::min(kRowsPerForward, total - first);
        const auto part = trimmed(examples.select(at::arange(first, first + rows, examples.positions.options())));
        std::vector<at::Tensor> norms;  // by half layer, of the last at the answer alone
        if (mask.frozen_norms) {
            norms = record_norms(context, part.tokens, {});
            norms.back() = norms.back().gather(1, part.positions.view({-1, 1, 1}));
        }
        GateHook last_norm;
        last_norm.freeze_norms(norms);
        ResidualRecorder<CircuitHook> recorder(mask);
        static_cast<void>(forward(context, part.tokens, &recorder));
        const auto at_once = std::max<std::int64_t>(1, kRowsPerForward / rows);
        for (std::size_t half_layer = 0; half_layer < placed.size(); ++half_layer) {
            const auto& group = placed[half_layer];
            const auto size = static_cast<std::int64_t>(group.size());
            for (std::int64_t begin = 0; begin < size; begin += at_once) {
                model.check_cancelled();
                const auto count = std::min(at_once, size - begin);
                EditHook hook(mask, &group[static_cast<std::size_t>(begin)], count, rows);
                hook.freeze_norms(repeated(norms, count));
                const auto x = run_layers(context, recorder.residuals[half_layer].repeat({count, 1, 1}),
                                          static_cast<std::int64_t>(half_layer), &hook);  // [count * rows, T, d]
                for (std::int64_t i = 0; i < count; ++i) {
                    const auto logits = answer_logits_of(part, x.narrow(0, i * rows, rows), &last_norm);
                    differences.select(0, group[static_cast<std::size_t>(begin + i)].index)
                        .narrow(0, first, rows)
                        .copy_(logit_differences(part, logits));
                }
            }
        }
    }
    return differences;
}

}  // namespace filigree
