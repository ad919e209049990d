// SPDX-License-Identifier: Apache-2.0
#include "prune/compact_model.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/index_put.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>

#include "core/to_device.hpp"
#include "ops/backend.hpp"

namespace filigree {
namespace {

using Channels = std::vector<std::int64_t>;

/// Position of every element of `part` in the ascending `all`.
Channels positions_in(const Channels& all, const Channels& part) {
    Channels positions;
    for (const auto channel : part) {
        positions.push_back(std::lower_bound(all.begin(), all.end(), channel) - all.begin());
    }
    return positions;
}

/// The channels that AbsTopK has to choose among, and how many of them it keeps.
struct Choice {
    Channels computed;
    std::optional<std::int64_t> kept;
};

/// @param varies channels that are no constants, and open ones. @param constants value of every other one.
Choice choose(const std::vector<bool>& varies, const std::vector<float>& constants, std::optional<std::int64_t> kept) {
    Choice choice;
    Channels fixed;
    for (std::int64_t c = 0; c < static_cast<std::int64_t>(varies.size()); ++c) {
        (varies[static_cast<std::size_t>(c)] ? choice.computed : fixed).push_back(c);
    }
    if (!kept) {
        return choice;
    }
    std::stable_sort(fixed.begin(), fixed.end(), [&](std::int64_t a, std::int64_t b) {
        return std::abs(constants[static_cast<std::size_t>(a)]) > std::abs(constants[static_cast<std::size_t>(b)]);
    });
    const auto varying = static_cast<std::int64_t>(choice.computed.size());
    const auto always = std::max<std::int64_t>(0, *kept - varying);
    const auto ever = std::min(*kept, static_cast<std::int64_t>(fixed.size()));
    choice.computed.insert(choice.computed.end(), fixed.begin() + always, fixed.begin() + ever);
    std::sort(choice.computed.begin(), choice.computed.end());
    if (const auto left = *kept - always; left < static_cast<std::int64_t>(choice.computed.size())) {
        choice.kept = left;
    }
    return choice;
}

}  // namespace

/// Builds a compact model layer by layer.
class Compaction {
public:
    Compaction(CompactModel& into, const EdgeCircuit& circuit, const at::Tensor& means)
        : into_(into),
          model_(into.model_),
          circuit_(circuit),
          all_means_(means),
          folded_(fold(into.model_, circuit, means)),
          sites_(model_.nodes().sites()) {
        into_.routing_.resize(sites_.size());
        into_.placed_.resize(folded_.size());
    }

    void run() {
        for (std::size_t i = 0; i < sites_.size(); ++i) {
            const auto& site = model_.nodes().sites()[i];
            Channels open;
            for (std::int64_t c = 0; c < site.width; ++c) {
                if (circuit_.keep[static_cast<std::size_t>(site.offset + c)] != 0) {
                    open.push_back(c);
                    into_.numbers_.push_back(site.offset + c);
                }
            }
            sites_[i].width = static_cast<std::int64_t>(open.size());
            open_.push_back(std::move(open));
        }
        for (std::int64_t layer = 0; layer < model_.config().n_layer; ++layer) {
            attention(layer);
            mlp(layer);
        }
        into_.nodes_ = NodeSpace(sites_);
        into_.means_ = all_means_.index_select(0, to_device(into_.numbers_, all_means_.device()));
        if (circuit_.edges) {
            place_edges();
        }
    }

private:
    [[nodiscard]] static std::size_t index(std::int64_t layer, SiteKind kind) {
        return static_cast<std::size_t>(layer) * kSiteKinds + static_cast<std::size_t>(kind);
    }
    [[nodiscard]] const Channels& open(std::int64_t layer, SiteKind kind) const { return open_[index(layer, kind)]; }
    [[nodiscard]] at::Tensor means_of(std::int64_t layer, SiteKind kind) const {
        const auto& site = model_.nodes().site(layer, kind);
        return all_means_.narrow(0, site.offset, site.width);
    }
    [[nodiscard]] at::Tensor upload(const Channels& channels) const { return to_device(channels, all_means_.device()); }

    /// Settle which channels of a site are computed, from the rows of its matrix.
    /// @param also more rows that vary; undefined for none.
    Channels settle(std::int64_t layer, SiteKind kind, const FoldedMatrix& matrix, const at::Tensor& also) {
        const auto width = matrix.bias.size(0);
        auto fed = matrix.weight.ne(0).any(1);
        if (also.defined()) {
            fed = fed.logical_or(also);
        }
        const auto fed_host = fed.to(at::kCPU).contiguous();
        auto constants = matrix.bias;
        if (kind == SiteKind::kMlpNeuron) {
            constants = model_.config().activation == Activation::kGelu ? at::gelu(constants) : at::relu(constants);
        }
        const auto constants_host = constants.to(at::kCPU).contiguous();
        std::vector<bool> varies(static_cast<std::size_t>(width));
        for (std::int64_t c = 0; c < width; ++c) {
            varies[static_cast<std::size_t>(c)] = fed_host.const_data_ptr<bool>()[c];
        }
        const auto kept = model_.nodes().site(layer, kind).kept;
        if (!kept) {
            std::fill(varies.begin(), varies.end(), false);  // without AbsTopK nobody asks for the others
        }
        for (const auto c : open(layer, kind)) {
            varies[static_cast<std::size_t>(c)] = true;
        }
        const auto* values = constants_host.const_data_ptr<float>();
        auto choice = choose(varies, {values, values + width}, kept);
        sites_[index(layer, kind)].kept = choice.kept;
        auto& routing = into_.routing_[index(layer, kind)];
        routing.computed = static_cast<std::int64_t>(choice.computed.size());
        if (choice.computed != open(layer, kind)) {
            routing.taken = upload(positions_in(choice.computed, open(layer, kind)));
        }
        computed_.resize(sites_.size());
        computed_[index(layer, kind)] = choice.computed;
        return choice.computed;
    }

    void read(std::int64_t layer, SiteKind kind) {
        into_.routing_[index(layer, kind)].taken = upload(open(layer, kind));
    }

    void write(std::int64_t layer, SiteKind kind) {
        auto& routing = into_.routing_[index(layer, kind)];
        routing.places = upload(open(layer, kind));
        routing.around = means_of(layer, kind);
    }

    [[nodiscard]] static at::Tensor cut(const at::Tensor& matrix, const at::Tensor& rows, const at::Tensor& columns) {
        return matrix.index_select(0, rows).index_select(1, columns);
    }

    void attention(std::int64_t layer) {
        const auto& config = model_.config();
        const auto dh = config.d_head;
        const auto& [q, k, v, o, fc, proj] = folded_[static_cast<std::size_t>(layer)];
        const auto& whole = model_.context().weights.layers[static_cast<std::size_t>(layer)];
        auto& w = into_.weights_.layers[static_cast<std::size_t>(layer)];
        read(layer, SiteKind::kAttnIn);
        write(layer, SiteKind::kAttnOut);

        std::vector<bool> live(static_cast<std::size_t>(config.n_head));
        for (const auto kind : {SiteKind::kAttnQ, SiteKind::kAttnK, SiteKind::kAttnV}) {
            for (const auto c : open(layer, kind)) {
                live[static_cast<std::size_t>(c / dh)] = true;
            }
        }
        if (std::find(live.begin(), live.end(), true) == live.end()) {
            live[0] = true;  // attention over no heads is no attention
        }
        Channels heads;
        Channels channels;  // of those heads
        for (std::int64_t h = 0; h < config.n_head; ++h) {
            if (live[static_cast<std::size_t>(h)]) {
                heads.push_back(h);
                for (std::int64_t c = 0; c < dh; ++c) {
                    channels.push_back(h * dh + c);
                }
            }
        }
        heads_.push_back(heads);
        head_channels_.push_back(channels);

        const auto in = upload(open(layer, SiteKind::kAttnIn));
        std::vector<at::Tensor> matrices;
        std::vector<at::Tensor> biases;
        const auto project = [&](SiteKind kind, const FoldedMatrix& matrix) {
            const auto rows = upload(settle(layer, kind, matrix, {}));
            matrices.push_back(cut(matrix.weight, rows, in));
            biases.push_back(matrix.bias.index_select(0, rows));
            auto& routing = into_.routing_[index(layer, kind)];
            routing.places = upload(positions_in(channels, open(layer, kind)));
            routing.around = means_of(layer, kind).index_select(0, upload(channels));
        };
        project(SiteKind::kAttnQ, q);
        project(SiteKind::kAttnK, k);
        project(SiteKind::kAttnV, v);
        w.c_attn = at::cat(matrices, 0);
        w.c_attn_bias = at::cat(biases, 0);

        at::Tensor shared;  // rows of W_o that change with the pattern of a head
        const auto kept_heads = upload(heads);
        if (config.sink) {
            w.sink = whole.sink.index_select(0, kept_heads);
            shared = o.share.index_select(1, kept_heads).ne(0).any(1);
        }
        if (config.sink && heads.size() < static_cast<std::size_t>(config.n_head)) {
            // The other heads give to tokens what their mean query and keys say, which varies with the position.
            w.o_position = positional(layer, o, live);
            shared = shared.logical_or(w.o_position.ne(0).any(0));
        }
        const auto rows = upload(settle(layer, SiteKind::kAttnOut, o, shared));
        w.o_proj = cut(o.weight, rows, upload(channels));
        w.o_proj_bias = o.bias.index_select(0, rows);
        if (config.sink) {
            w.o_share = cut(o.share, rows, kept_heads);
        }
        if (w.o_position.defined()) {
            w.o_position = w.o_position.index_select(1, rows);
        }
    }

    /// What heads without open channels add to the attention output. @return [block_size, d].
    [[nodiscard]] at::Tensor positional(std::int64_t layer, const FoldedMatrix& o,
                                        const std::vector<bool>& live) const {
        const auto& config = model_.config();
        const auto by_head = [&](SiteKind kind) { return means_of(layer, kind).view({config.n_head, config.d_head}); };
        const auto score = (by_head(SiteKind::kAttnQ) * by_head(SiteKind::kAttnK)).sum(-1) /
                           std::sqrt(static_cast<double>(config.d_head));  // [H], the same for every pair of positions
        const auto seen = at::arange(1, config.block_size + 1, all_means_.options()).unsqueeze(1);  // [block_size, 1]
        const auto& sink = model_.context().weights.layers[static_cast<std::size_t>(layer)].sink;
        auto share = (seen.log() + score - sink).sigmoid();  // [block_size, H], seen e^score / (that + e^sink)
        Channels closed;
        for (std::int64_t h = 0; h < config.n_head; ++h) {
            if (!live[static_cast<std::size_t>(h)]) {
                closed.push_back(h);
            }
        }
        const auto heads = upload(closed);
        return share.index_select(1, heads).matmul(o.share.index_select(1, heads).t());
    }

    void mlp(std::int64_t layer) {
        const auto& [q, k, v, o, fc, proj] = folded_[static_cast<std::size_t>(layer)];
        auto& w = into_.weights_.layers[static_cast<std::size_t>(layer)];
        read(layer, SiteKind::kMlpIn);
        write(layer, SiteKind::kMlpOut);
        const auto neurons = upload(settle(layer, SiteKind::kMlpNeuron, fc, {}));
        w.c_fc = cut(fc.weight, neurons, upload(open(layer, SiteKind::kMlpIn)));
        w.c_fc_bias = fc.bias.index_select(0, neurons);
        const auto rows = upload(settle(layer, SiteKind::kMlpOut, proj, {}));
        w.c_proj = cut(proj.weight, rows, upload(open(layer, SiteKind::kMlpNeuron)));
        w.c_proj_bias = proj.bias.index_select(0, rows);
    }

    /// Number of a node of the model here.
    [[nodiscard]] std::int64_t here(std::uint32_t node) const {
        return std::lower_bound(into_.numbers_.begin(), into_.numbers_.end(), static_cast<std::int64_t>(node)) -
               into_.numbers_.begin();
    }

    void place_edges() {
        auto edges = *circuit_.edges;
        const auto host_means = all_means_.to(at::kCPU).contiguous();
        const auto* mean = host_means.const_data_ptr<float>();
        for (std::int64_t layer = 0; layer < model_.config().n_layer; ++layer) {
            const auto kinds = block_matrices(model_.context().weights.layers[static_cast<std::size_t>(layer)]);
            const auto channels_of = [&](SiteKind kind) -> const Channels& { return computed_[index(layer, kind)]; };
            for (std::size_t product = 0; product < CompactModel::kProducts; ++product) {
                constexpr std::array<std::pair<std::size_t, std::size_t>, CompactModel::kProducts> kMatrices = {
                    {{0, 3}, {3, 4}, {4, 5}, {5, 6}}};
                Channels entry;
                Channels row;
                Channels share;
                std::vector<float> weight;
                std::vector<float> given;
                auto& placed = into_.placed_[static_cast<std::size_t>(layer)].at(product);
                placed.first = static_cast<std::int64_t>(into_.edges_.size());
                std::int64_t rows_before = 0;
                for (auto m = kMatrices.at(product).first; m < kMatrices.at(product).second; ++m) {
                    const auto& source = model_.nodes().site(layer, kinds.at(m).source);
                    const auto& target = model_.nodes().site(layer, kinds.at(m).target);
                    const auto of_value = kinds.at(m).source == SiteKind::kAttnV;
                    const auto& columns =
                        of_value ? head_channels_[static_cast<std::size_t>(layer)] : open(layer, kinds.at(m).source);
                    const auto& rows = channels_of(kinds.at(m).target);
                    for (const auto& edge : edges) {
                        const auto s = static_cast<std::int64_t>(edge.source) - source.offset;
                        const auto t = static_cast<std::int64_t>(edge.target) - target.offset;
                        if (s < 0 || s >= source.width || t < 0 || t >= target.width) {
                            continue;
                        }
                        const auto r = rows_before + positions_in(rows, {t}).front();
                        row.push_back(r);
                        entry.push_back(r * static_cast<std::int64_t>(columns.size()) +
                                        positions_in(columns, {s}).front());
                        if (of_value && model_.config().sink) {
                            const auto& heads = heads_[static_cast<std::size_t>(layer)];
                            share.push_back(r * static_cast<std::int64_t>(heads.size()) +
                                            positions_in(heads, {s / model_.config().d_head}).front());
                        }
                        weight.push_back(edge.weight);
                        given.push_back(edge.weight * mean[edge.source]);
                        into_.edges_.push_back({static_cast<std::uint32_t>(here(edge.source)),
                                                static_cast<std::uint32_t>(here(edge.target)), edge.weight});
                    }
                    rows_before += static_cast<std::int64_t>(rows.size());
                }
                placed.count = static_cast<std::int64_t>(entry.size());
                placed.entry = upload(entry);
                placed.row = upload(row);
                placed.share = share.empty() ? at::Tensor() : upload(share);
                placed.weight = to_device(weight, all_means_.device());
                placed.given = to_device(given, all_means_.device());
            }
        }
    }

    CompactModel& into_;
    const Model& model_;
    const EdgeCircuit& circuit_;
    const at::Tensor& all_means_;
    std::vector<std::array<FoldedMatrix, kBlockMatrices>> folded_;
    std::vector<Site> sites_;
    std::vector<Channels> open_;           // by site
    std::vector<Channels> computed_;       // by site that a matrix writes
    std::vector<Channels> heads_;          // by layer
    std::vector<Channels> head_channels_;  // by layer, of those heads
};

CompactModel::CompactModel(const Model& model, const EdgeCircuit& circuit, const at::Tensor& means)
    : model_(model), nodes_(std::vector<Site>{}), weights_(model.context().weights) {
    const at::NoGradGuard no_grad;
    Compaction(*this, circuit, means).run();
}

ForwardContext CompactModel::context(const Weights& weights) const {
    return {model_.config(), nodes_, weights, model_.execution(), nullptr, &routing_};
}

Weights CompactModel::gated(const at::Tensor& gates) const {
    const auto R = gates.size(0);
    auto weights = weights_;
    for (std::size_t layer = 0; layer < placed_.size(); ++layer) {
        auto& w = weights.layers[layer];
        std::size_t product = 0;
        // `constant` gets the means of what the weights lose.
        const auto gate = [&](at::Tensor& matrix, at::Tensor& constant, at::Tensor Placed::*where) {
            const auto& placed = placed_[layer].at(product++);
            const auto own = gates.narrow(1, placed.first, placed.count);  // [R, count]
            const auto closed = 1 - own;
            const auto change = [&](const at::Tensor& values, const at::Tensor& places, const at::Tensor& by) {
                auto shape = values.sizes().vec();
                shape.insert(shape.begin(), R);
                const auto all = values.reshape({1, values.numel()}).expand({R, values.numel()});
                if (placed.count == 0) {
                    return all.view(shape);
                }
                // Places repeat; on a device index_add adds in any order, index_put sorts them first.
                return (ops::backend_of(all, Plan::kFast) == ops::Backend::kCuda
                            ? at::index_put(all, {std::nullopt, places}, by, /*accumulate=*/true)
                            : all.index_add(1, places, by))
                    .view(shape);
            };
            matrix = change(matrix, placed.entry, -closed * placed.weight);
            constant = change(constant, placed.*where, closed * placed.given);
        };
        gate(w.c_attn, w.c_attn_bias, &Placed::row);
        if (w.o_share.defined()) {
            gate(w.o_proj, w.o_share, &Placed::share);
            w.o_proj_bias = w.o_proj_bias.expand({R, w.o_proj_bias.size(0)});
        } else {
            gate(w.o_proj, w.o_proj_bias, &Placed::row);
        }
        gate(w.c_fc, w.c_fc_bias, &Placed::row);
        gate(w.c_proj, w.c_proj_bias, &Placed::row);
    }
    return weights;
}

}  // namespace filigree
