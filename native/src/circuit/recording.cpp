// SPDX-License-Identifier: Apache-2.0
#include "circuit/recording.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "ops/attention.hpp"

namespace filigree {
namespace {

/// Shows every site's activations to a function.
class SiteWatcher : public CircuitHook {
public:
    using Watch = std::function<void(const Site&, const at::Tensor&)>;
    SiteWatcher(const CircuitMask& mask, Watch watch) : CircuitHook(mask), watch_(std::move(watch)) {}
    at::Tensor at_site(const Site& site, at::Tensor x) override {
        watch_(site, x);
        return x;
    }

private:
    Watch watch_;
};

/// Run all examples. @param watch is given the number of the first sequence, a site, and [rows, T, site.width].
void watch_sites(const Examples& examples, const CircuitMask& mask,
                 const std::function<void(std::int64_t, const Site&, const at::Tensor&)>& watch) {
    const at::NoGradGuard no_grad;
    const auto total = examples.sequences();
    for (std::int64_t first = 0; first < total; first += kRowsPerForward) {
        examples.model->check_cancelled();
        const auto last = std::min(total, first + kRowsPerForward);
        const auto part = examples.select(at::arange(first, last, examples.positions.options()));
        SiteWatcher hook(mask, [&](const Site& site, const at::Tensor& x) { watch(first, site, x); });
        static_cast<void>(forward(examples.model->context(), part.tokens, &hook));
    }
}

}  // namespace

at::Tensor record_nodes(const Examples& examples, const CircuitMask& mask, const std::vector<std::int64_t>& nodes) {
    auto recorded =
        at::empty({static_cast<std::int64_t>(nodes.size()), examples.sequences(), examples.tokens.size(1)}, at::kFloat);
    watch_sites(examples, mask, [&](std::int64_t first, const Site& site, const at::Tensor& x) {
        for (std::size_t i = 0; i < nodes.size(); ++i) {
            const auto channel = nodes[i] - site.offset;
            if (channel >= 0 && channel < site.width) {
                recorded.select(0, static_cast<std::int64_t>(i))
                    .narrow(0, first, x.size(0))
                    .copy_(x.select(2, channel));
            }
        }
    });
    return recorded;
}

at::Tensor record_attention(const Examples& examples, const CircuitMask& mask, std::int64_t layer, std::int64_t head) {
    const auto& config = examples.model->config();
    const auto context = examples.model->context();
    const auto T = examples.tokens.size(1);
    const auto sink = context.weights.layers[static_cast<std::size_t>(layer)].sink;
    const auto of_head = [&](const at::Tensor& x) { return x.narrow(2, head * config.d_head, config.d_head); };
    auto recorded = at::zeros({examples.sequences(), T, T + 1}, at::kFloat);
    at::Tensor queries;
    watch_sites(examples, mask, [&](std::int64_t first, const Site& site, const at::Tensor& x) {
        if (site.layer == layer && site.kind == SiteKind::kAttnQ) {
            queries = of_head(x);
        } else if (site.layer == layer && site.kind == SiteKind::kAttnK) {
            const auto weights = ops::attention_weights(
                queries, of_head(x), 1, sink.defined() ? sink.narrow(0, head, 1) : sink);  // [rows, 1, T, T (+ 1)]
            recorded.narrow(0, first, x.size(0)).narrow(2, 0, weights.size(-1)).copy_(weights.squeeze(1));
        }
    });
    return recorded;
}

}  // namespace filigree
