// SPDX-License-Identifier: Apache-2.0
#include "ops/embedding.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cstdint>

#include "core/profile.hpp"
#include "ops/backend.hpp"
#include "ops/own_gradient.hpp"

namespace filigree::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct FastEmbedding : torch::autograd::Function<FastEmbedding> {
    static at::Tensor forward(AutogradContext* context, const at::Tensor& table, const at::Tensor& tokens) {
        context->save_for_backward({tokens});
        context->saved_data["gradient"] = own_gradient(table);
        context->saved_data["rows"] = table.size(0);
        return at::embedding(table, tokens);
    }

    static variable_list backward(AutogradContext* context, const variable_list& gradients) {
        const PartTimer timer(Part::kEmbedding);
        const auto dx = gradients[0].contiguous();
        const auto own = context->saved_data["gradient"].toTensor();
        auto gradient =
            own.defined() ? own : at::zeros({context->saved_data["rows"].toInt(), dx.size(-1)}, dx.options());
        add_rows(dx, context->get_saved_variables()[0], gradient);
        return {own.defined() ? at::Tensor() : gradient, at::Tensor()};
    }
};

}  // namespace

void add_rows(const at::Tensor& rows, const at::Tensor& tokens, const at::Tensor& gradient) {
    if (backend_of(rows, Plan::kFast) == Backend::kCuda) {
        const auto& kernels = cuda_kernels();
        const auto count = tokens.numel();
        const auto workspace = kernel_workspace(kernels.add_rows_workspace(count, gradient.size(0)), rows.device());
        kernels.check(kernels.add_rows(rows.const_data_ptr(), kernel_type(rows), count, gradient.size(1),
                                       tokens.const_data_ptr<std::int64_t>(), gradient.size(0), 1.0F,
                                       gradient.mutable_data_ptr<float>(), workspace.mutable_data_ptr(),
                                       current_stream(rows.device())));
        return;
    }
    // Each thread takes some columns of all tokens, so the order of a sum does not depend on the number of threads.
    const auto d = gradient.size(1);
    const auto count = tokens.numel();
    const auto* id = tokens.const_data_ptr<std::int64_t>();
    const auto* from = rows.const_data_ptr<float>();
    auto* to = gradient.mutable_data_ptr<float>();
    constexpr std::int64_t kFewestColumns = 32;
    at::parallel_for(0, d, kFewestColumns, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = 0; i < count; ++i) {
            const auto* row = from + i * d;
            auto* sum = to + id[i] * d;
            for (auto j = begin; j < end; ++j) {
                sum[j] += row[j];
            }
        }
    });
}

at::Tensor embedding(const at::Tensor& table, const at::Tensor& tokens, const Execution& execution) {
    return backend_of(table, execution.plan) == Backend::kComposition ? at::embedding(table, tokens)
                                                                      : FastEmbedding::apply(table, tokens);
}

}  // namespace filigree::ops
