// SPDX-License-Identifier: Apache-2.0
#include "prune/examples.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>

#include <string>
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

at::Tensor answer_logits(const Examples& examples, ForwardHook* hook) {
    return answer_logits_of(examples, forward(examples.model->context(), examples.tokens, hook));
}

at::Tensor answer_logits_of(const Examples& examples, const at::Tensor& x) {
    const auto index = examples.positions.view({-1, 1});                                             // [2P, 1]
    const auto at_answer = x.gather(1, index.unsqueeze(-1).expand({-1, 1, x.size(-1)})).squeeze(1);  // [2P, d]
    return unembed(examples.model->context(), at_answer, examples.tokens.gather(1, index).squeeze(1));
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
