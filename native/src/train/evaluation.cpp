// SPDX-License-Identifier: Apache-2.0
#include "train/evaluation.hpp"

#include <ATen/ops/mean.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "core/error.hpp"

namespace filigree {
namespace {

/// Call `use` with batches of windows, [b, block_size] int64 each. @return number of windows.
std::uint64_t for_each_batch(Model& model, const EvaluationText& text,
                             const std::function<void(const at::Tensor&)>& use) {
    const auto length = static_cast<std::uint64_t>(model.config().block_size);
    const auto windows = text.count / length;
    if (windows == 0) {
        throw Error(FG_INVALID_ARGUMENT, "the text has " + std::to_string(text.count) +
                                             " tokens, fewer than one window of " + std::to_string(length));
    }
    if (text.batch == 0) {
        throw Error(FG_INVALID_ARGUMENT, "batch must be at least 1");
    }
    const auto used = text.max_windows == 0 ? windows : std::min(windows, text.max_windows);
    std::vector<std::uint16_t> rows;
    for (std::uint64_t done = 0; done < used;) {
        model.check_cancelled();
        const auto size = std::min(text.batch, used - done);
        rows.clear();
        for (std::uint64_t i = 0; i < size; ++i) {
            const auto* begin = text.tokens + (done + i) * windows / used * length;
            rows.insert(rows.end(), begin, begin + length);
        }
        use(model.upload_tokens(rows.data(), static_cast<std::int64_t>(size), static_cast<std::int64_t>(length)));
        done += size;
    }
    return used;
}

/// Sums what passes each node site.
class ActivationSums : public ForwardHook {
public:
    explicit ActivationSums(const Model& model)
        : sums_(at::zeros({model.nodes().size()}, model.values().options().dtype(at::kDouble))) {}

    at::Tensor at_site(const Site& site, at::Tensor x) override {
        sums_.narrow(0, site.offset, site.width).add_(x.sum(at::IntArrayRef({0, 1}), /*keepdim=*/false, at::kDouble));
        return x;
    }
    [[nodiscard]] const at::Tensor& sums() const { return sums_; }

private:
    at::Tensor sums_;  // double [nodes]
};

}  // namespace

HeldOutLoss held_out_loss(Model& model, const EvaluationText& text) {
    const at::NoGradGuard no_grad;
    double total = 0.0;
    const auto windows = for_each_batch(model, text, [&](const at::Tensor& tokens) {
        total += next_token_loss(model.context(), tokens, nullptr).item<double>() * static_cast<double>(tokens.size(0));
    });
    const auto predictions = windows * static_cast<std::uint64_t>(model.config().block_size - 1);
    return {total / static_cast<double>(windows), predictions};
}

at::Tensor node_means(Model& model, const EvaluationText& text) {
    const at::NoGradGuard no_grad;
    ActivationSums recorder(model);
    const auto windows = for_each_batch(
        model, text, [&](const at::Tensor& tokens) { static_cast<void>(forward(model.context(), tokens, &recorder)); });
    const auto positions = static_cast<double>(windows) * static_cast<double>(model.config().block_size);
    return recorder.sums().div(positions).to(at::kFloat);
}

}  // namespace filigree
