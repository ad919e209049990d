// SPDX-License-Identifier: Apache-2.0
#include "circuit/node_edits.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/where.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <utility>

#include "core/to_device.hpp"
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
    auto differences = at::empty({static_cast<std::int64_t>(edits.size()), examples.sequences()}, at::kFloat);
    for (const auto& rows : batches_by_length(examples)) {
        const auto host_rows = to_device(rows, at::kCPU);
        const auto part = trimmed(examples.select(host_rows.to(examples.positions.device())));
        const auto norms = mask.frozen_norms ? record_norms(context, part.tokens, part.positions)  // by half layer
                                             : std::vector<at::Tensor>();
        ResidualRecorder<CircuitHook> recorder(mask);
        static_cast<void>(answer_differences(context, part, 1, &recorder));
        const auto at_once = std::max<std::int64_t>(1, positions_at_once(model) / part.tokens.numel());
        for (std::size_t half_layer = 0; half_layer < placed.size(); ++half_layer) {
            const auto& group = placed[half_layer];
            const auto size = static_cast<std::int64_t>(group.size());
            for (std::int64_t begin = 0; begin < size; begin += at_once) {
                model.check_cancelled();
                const auto count = std::min(at_once, size - begin);
                EditHook hook(mask, &group[static_cast<std::size_t>(begin)], count, part.sequences());
                hook.freeze_norms(repeated(norms, count));
                const auto found =
                    answer_differences(context, part, count, &hook, static_cast<std::int64_t>(half_layer),
                                       recorder.residuals[half_layer])
                        .to(at::kCPU);  // [count, sequences]
                for (std::int64_t i = 0; i < count; ++i) {
                    differences.select(0, group[static_cast<std::size_t>(begin + i)].index)
                        .index_copy_(0, host_rows, found.select(0, i));
                }
            }
        }
    }
    return differences;
}

}  // namespace filigree
