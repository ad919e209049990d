// SPDX-License-Identifier: Apache-2.0
#include "ops/cross_entropy.hpp"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "core/profile.hpp"
#include "kernels/kernels.hpp"
#include "ops/backend.hpp"
#include "ops/embedding.hpp"
#include "ops/own_gradient.hpp"
#include "ops/scratch.hpp"

namespace filigree::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Mean loss. With gradients, logits become those of the mean, and their sum over rows is returned too.
struct Loss {
    at::Tensor mean;   // scalar
    at::Tensor dbias;  // [V], with gradients when the bias has one
};

Loss run_on_device(const at::Tensor& logits, const at::Tensor& bias, const at::Tensor& table, const at::Tensor& tokens,
                   const at::Tensor& targets, bool gradients) {
    const auto losses = at::empty({logits.size(0)}, bias.options());
    fgk_loss loss{};
    loss.rows = logits.size(0);
    loss.V = logits.size(1);
    loss.logits = logits.data_ptr();
    loss.bias = bias.const_data_ptr<float>();
    loss.table = table.defined() ? table.const_data_ptr<float>() : nullptr;
    loss.tokens = tokens.const_data_ptr<std::int64_t>();
    loss.targets = targets.const_data_ptr<std::int64_t>();
    loss.losses = losses.mutable_data_ptr<float>();
    loss.scale = gradients ? 1.0F / static_cast<float>(loss.rows) : 0.0F;
    loss.type = kernel_type(logits);
    const auto& kernels = cuda_kernels();
    kernels.check(kernels.cross_entropy(&loss, current_stream(logits.device())));
    at::Tensor dbias;
    if (gradients && bias.requires_grad()) {
        dbias = at::zeros({loss.V}, bias.options());
        add_column_sums_on_device(logits, dbias);
    }
    return {losses.mean(at::kDouble).to(at::kFloat), dbias};
}

Loss run(const at::Tensor& logits, const at::Tensor& bias, const at::Tensor& table, const at::Tensor& tokens,
         const at::Tensor& targets, bool gradients) {
    const PartTimer timer(Part::kLoss);
    if (backend_of(logits, Plan::kFast) == Backend::kCuda) {
        return run_on_device(logits, bias, table, tokens, targets, gradients);
    }
    const auto N = logits.size(0);
    const auto V = logits.size(1);
    std::vector<double> losses(static_cast<std::size_t>(N));
    kernels::LossRows rows;
    rows.V = V;
    rows.logits = static_cast<float*>(logits.data_ptr());
    rows.bias = bias.const_data_ptr<float>();
    rows.table = table.defined() ? table.const_data_ptr<float>() : nullptr;
    rows.tokens = tokens.const_data_ptr<std::int64_t>();
    rows.targets = targets.const_data_ptr<std::int64_t>();
    rows.scale = gradients ? 1.0F / static_cast<float>(N) : 0.0F;
    rows.losses = losses.data();
    // Blocks of a fixed size sum over their own rows, so the sums do not depend on the threads.
    const auto block = std::max<std::int64_t>(64, N / 64);
    const auto blocks = (N + block - 1) / block;
    const auto sums = gradients && bias.requires_grad() ? at::zeros({blocks, V}, bias.options()) : at::Tensor();
    at::parallel_for(0, blocks, 1, [&](std::int64_t first, std::int64_t last) {
        auto* scratch = thread_scratch(V + 64);
        for (auto b = first; b < last; ++b) {
            auto own = rows;
            own.dbias = sums.defined() ? sums.mutable_data_ptr<float>() + b * V : nullptr;
            kernels::kernels().cross_entropy(own, b * block, std::min(N, (b + 1) * block), scratch);
        }
    });
    const auto mean = std::accumulate(losses.begin(), losses.end(), 0.0) / static_cast<double>(N);
    return {at::scalar_tensor(mean, bias.options()), sums.defined() ? sums.sum(0) : at::Tensor()};
}

struct CrossEntropyFunction : torch::autograd::Function<CrossEntropyFunction> {
    static at::Tensor forward(AutogradContext* context, const at::Tensor& logits, const at::Tensor& bias,
                              const std::optional<at::Tensor>& table, const at::Tensor& tokens,
                              const at::Tensor& targets) {
        const auto loss = run(logits, bias, table.value_or(at::Tensor()), tokens, targets, /*gradients=*/true);
        context->save_for_backward({logits.detach(), loss.dbias, tokens});
        context->saved_data["bias_gradient"] = own_gradient(bias);
        context->saved_data["table_gradient"] = own_gradient(table.value_or(at::Tensor()));
        context->saved_data["wants_table"] = table && table->requires_grad();
        return loss.mean;
    }

    static variable_list backward(AutogradContext* context, const variable_list& gradients) {
        const PartTimer timer(Part::kLoss);
        const auto saved = context->get_saved_variables();
        // In place, for logits are as large as all else; going backward twice is an error then, which LibTorch reports.
        // Mostly the factor is 1, which can be looked at where no device has to be waited for.
        const auto& factor = gradients[0];
        const auto& dlogits = saved[0];
        auto dbias = saved[1];
        if (!factor.is_cpu() || factor.item<float>() != 1.0F) {
            dlogits.mul_(factor);
            if (dbias.defined()) {
                dbias = dbias * factor;
            }
        }
        const auto own_bias = context->saved_data["bias_gradient"].toTensor();
        if (own_bias.defined()) {
            own_bias.add_(dbias);
            dbias = at::Tensor();
        }
        at::Tensor dtable;
        if (context->saved_data["wants_table"].toBool()) {
            const auto own_table = context->saved_data["table_gradient"].toTensor();
            const auto V = dlogits.size(1);
            const auto total = own_table.defined() ? own_table : at::zeros({V, V}, dlogits.options());
            add_rows(dlogits, saved[2], total);
            dtable = own_table.defined() ? at::Tensor() : total;
        }
        return {dlogits, dbias, dtable, at::Tensor(), at::Tensor()};
    }
};

at::Tensor run_fast(const at::Tensor& logits, const at::Tensor& bias, const at::Tensor& table, const at::Tensor& tokens,
                    const at::Tensor& targets) {
    if (c10::GradMode::is_enabled() &&
        (logits.requires_grad() || bias.requires_grad() || (table.defined() && table.requires_grad()))) {
        return CrossEntropyFunction::apply(logits, bias, table.defined() ? std::optional(table) : std::nullopt, tokens,
                                           targets);
    }
    return run(logits, bias, table, tokens, targets, /*gradients=*/false).mean;
}

}  // namespace

at::Tensor add_bigram(const at::Tensor& logits, const at::Tensor& table, const at::Tensor& tokens) {
    return table.defined() ? logits + at::embedding(table, tokens) : logits;
}

at::Tensor cross_entropy(const at::Tensor& logits, const at::Tensor& targets) {
    return at::cross_entropy_loss(logits, targets);
}

at::Tensor cross_entropy_with_bigram(at::Tensor logits, const at::Tensor& bias, const at::Tensor& table,
                                     const at::Tensor& tokens, const at::Tensor& targets, Plan plan) {
    const auto owned = std::move(logits);
    return backend_of(owned, plan) == Backend::kComposition
               ? cross_entropy(add_bigram(owned + bias, table, tokens), targets)
               : run_fast(owned, bias, table, tokens, targets);
}

}  // namespace filigree::ops
