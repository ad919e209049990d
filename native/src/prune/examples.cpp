// SPDX-License-Identifier: Apache-2.0
#include "prune/examples.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>
#include <tuple>
#include <utility>

#include "core/error.hpp"

namespace filigree {

Examples Examples::select(const at::Tensor& rows) const {
    return {model, tokens.index_select(0, rows), positions.index_select(0, rows), answers.index_select(0, rows)};
}

Examples make_examples(std::shared_ptr<Model> model, const std::uint16_t* tokens, std::int64_t pairs,
                       std::int64_t length, const std::int32_t* positions, const std::uint16_t* answers) {
    FG_EXPECTS(pairs >= 1, FG_INVALID_ARGUMENT, "at least one pair of examples is needed");
    FG_EXPECTS(length >= 1 && length <= model->config().block_size, FG_INVALID_ARGUMENT,
               "examples of " + std::to_string(length) + " tokens do not fit the model's block_size " +
                   std::to_string(model->config().block_size));
    const auto rows = 2 * pairs;
    auto host_positions = at::empty({rows}, at::kLong);
    auto host_answers = at::empty({rows, 2}, at::kLong);
    auto* position = host_positions.mutable_data_ptr<std::int64_t>();
    auto* answer = host_answers.mutable_data_ptr<std::int64_t>();
    for (std::int64_t row = 0; row < rows; ++row) {
        const auto name = "example " + std::to_string(row / 2) + (row % 2 == 0 ? "a" : "b");
        FG_EXPECTS(
            positions[row] >= 0 && positions[row] < length, FG_INVALID_ARGUMENT,
            name + " is evaluated at position " + std::to_string(positions[row]) + " of " + std::to_string(length));
        FG_EXPECTS(answers[row] < model->config().vocab_size, FG_INVALID_ARGUMENT,
                   "the answer of " + name + " does not fit the vocabulary: id " + std::to_string(answers[row]));
        const auto a = answers[row / 2 * 2];
        const auto b = answers[row / 2 * 2 + 1];
        FG_EXPECTS(a != b, FG_INVALID_ARGUMENT, name + " has the same answer for both members");
        position[row] = positions[row];
        answer[2 * row] = a;
        answer[2 * row + 1] = b;
    }
    Examples examples;
    examples.tokens = model->upload_tokens(tokens, rows, length);
    examples.positions = host_positions.to(model->device());
    examples.answers = host_answers.to(model->device());
    examples.model = std::move(model);
    return examples;
}

Examples first_pairs(const Examples& examples, std::int64_t pairs) {
    const auto rows = 2 * std::min(pairs, examples.pairs());
    return examples.select(at::arange(rows, examples.positions.options()));
}

Examples joined(const Examples& a, const Examples& b) {
    const auto T = std::max(a.tokens.size(1), b.tokens.size(1));
    const auto padded = [&](const at::Tensor& tokens) { return at::constant_pad_nd(tokens, {0, T - tokens.size(1)}); };
    return {a.model, at::cat(std::vector<at::Tensor>{padded(a.tokens), padded(b.tokens)}, 0),
            at::cat(std::vector<at::Tensor>{a.positions, b.positions}, 0),
            at::cat(std::vector<at::Tensor>{a.answers, b.answers}, 0)};
}

Examples trimmed(const Examples& examples) {
    auto shorter = examples;
    shorter.tokens = examples.tokens.narrow(1, 0, examples.positions.max().item<std::int64_t>() + 1).contiguous();
    return shorter;
}

std::int64_t positions_at_once(const at::Device& device, std::int64_t widest) {
    constexpr auto kMostBytes = std::int64_t{1} << 31;
    constexpr std::int64_t kFillsDevice = 1 << 20;
    constexpr std::int64_t kFitsCaches = 1 << 12;
    return device.is_cpu() ? kFitsCaches
                           : std::min(kFillsDevice, kMostBytes / (widest * static_cast<std::int64_t>(sizeof(float))));
}

std::int64_t positions_at_once(const Model& model) {
    const auto& config = model.config();
    return positions_at_once(model.device(), std::max({config.d_model, config.d_mlp, 3 * config.attention_width()}));
}

std::vector<at::Tensor> rows_by_length(const Examples& examples, std::int64_t batches) {
    const auto lengths = examples.positions.view({-1, 2}).amax(1);
    const auto order = std::get<1>(lengths.sort(/*stable=*/true, /*dim=*/0, /*descending=*/false));  // of pairs
    const auto size = (examples.pairs() + batches - 1) / batches;
    std::vector<at::Tensor> rows;
    for (std::int64_t first = 0; first < examples.pairs(); first += size) {
        const auto first_members = 2 * order.slice(0, first, std::min(first + size, examples.pairs()));
        rows.push_back(at::stack(std::vector<at::Tensor>{first_members, first_members + 1}, 1).view({-1}));
    }
    return rows;
}

std::vector<std::vector<std::int64_t>> batches_by_length(const Examples& examples) {
    const auto lengths = (examples.positions.view({-1, 2}).amax(1) + 1).to(at::kCPU).contiguous();  // of pairs
    const auto* length = lengths.const_data_ptr<std::int64_t>();
    std::vector<std::int64_t> order(static_cast<std::size_t>(examples.pairs()));
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) { return length[a] < length[b]; });
    const auto most = positions_at_once(*examples.model);
    std::vector<std::vector<std::int64_t>> batches;
    for (const auto pair : order) {
        if (batches.empty() || static_cast<std::int64_t>(batches.back().size() + 2) * length[pair] > most) {
            batches.emplace_back();
        }
        batches.back().insert(batches.back().end(), {2 * pair, 2 * pair + 1});
    }
    return batches;
}

Examples repeated(const Examples& examples, std::int64_t times) {
    return {examples.model, examples.tokens.repeat({times, 1}), examples.positions.repeat({times}),
            examples.answers.repeat({times, 1})};
}

at::Tensor answer_differences(const ForwardContext& context, const Examples& examples, std::int64_t R,
                              ForwardHook* hook, std::int64_t first_half_layer, const at::Tensor& residual) {
    const auto all = R == 1 ? examples : repeated(examples, R);
    const auto x =
        (residual.defined() ? run_layers(context, residual.repeat({R, 1, 1}), first_half_layer, hook, all.positions)
                            : forward(context, all.tokens, hook, all.positions))
            .squeeze(1);  // [R * sequences, d]
    const auto at_answer = all.tokens.gather(1, all.positions.view({-1, 1})).squeeze(1);
    const auto pair = unembed_pair(context, x, at_answer, all.answers, hook);  // [R * sequences, 2]
    return (pair.select(1, 0) - pair.select(1, 1)).view({R, examples.sequences()});
}

std::vector<at::Tensor> record_norms(const ForwardContext& context, const at::Tensor& tokens,
                                     const at::Tensor& read_at) {
    const at::NoGradGuard no_grad;
    class Recorder : public ForwardHook {
    public:
        at::Tensor at_residual(std::int64_t, at::Tensor x) override {
            norms.push_back((x.square().mean(-1, /*keepdim=*/true) + std::numeric_limits<float>::epsilon()).rsqrt());
            return x;
        }
        std::vector<at::Tensor> norms;
    } recorder;
    static_cast<void>(forward(context, tokens, &recorder, read_at));
    return std::move(recorder.norms);
}

std::vector<at::Tensor> repeated(const std::vector<at::Tensor>& norms, std::int64_t times) {
    std::vector<at::Tensor> all;
    for (const auto& norm : norms) {
        all.push_back(norm.repeat({times, 1, 1}));
    }
    return all;
}

at::Tensor answer_logits(const Examples& examples, ForwardHook* hook) {
    const auto context = examples.model->context();
    const auto part = trimmed(examples);
    const auto x = forward(context, part.tokens, hook, part.positions).squeeze(1);  // [2P, d]
    return unembed(context, x, part.tokens.gather(1, part.positions.view({-1, 1})).squeeze(1), hook);
}

at::Tensor logit_differences(const Examples& examples, const at::Tensor& logits) {
    const auto pair = logits.gather(1, examples.answers);  // [2P, 2]
    return pair.select(1, 0) - pair.select(1, 1);
}

at::Tensor right_columns(const Examples& examples) {
    return at::arange(examples.sequences(), examples.positions.options()).remainder(2);
}

at::Tensor answer_signs(const Examples& examples) { return (1 - 2 * right_columns(examples)).to(at::kFloat); }

}  // namespace filigree
