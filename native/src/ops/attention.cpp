// SPDX-License-Identifier: Apache-2.0
#include "ops/attention.hpp"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/triu.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "core/profile.hpp"
#include "kernels/kernels.hpp"
#include "ops/backend.hpp"
#include "ops/scratch.hpp"

namespace filigree::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Channels must lie side by side; batch and time may be strided, as in a view of q, k and v in one tensor.
at::Tensor with_dense_channels(const at::Tensor& x) { return x.stride(-1) == 1 ? x : x.contiguous(); }

kernels::HeadArray heads_in(const at::Tensor& x) { return {x.const_data_ptr<float>(), x.stride(0), x.stride(1)}; }
kernels::MutableHeadArray heads_out(const at::Tensor& x) {
    return {x.mutable_data_ptr<float>(), x.stride(0), x.stride(1)};
}

const float* data_or_null(const at::Tensor& x) { return x.defined() ? x.const_data_ptr<float>() : nullptr; }

/// run(first head, last head, scratch) for all heads of a batch, on all threads.
template <typename Run>
void for_each_head(std::int64_t B, std::int64_t T, std::int64_t H, std::int64_t dh, const Run& run) {
    constexpr std::int64_t kMultiplyAddsPerTask = 1 << 16;  // less is not worth another thread
    const auto grain = std::max<std::int64_t>(1, kMultiplyAddsPerTask / (T * T * dh));
    at::parallel_for(0, B * H, grain, [&](std::int64_t begin, std::int64_t end) {
        run(begin, end, thread_scratch(kernels::attention_scratch(T, dh)));
    });
}

/// @param statistics fp32 [2, B, H, T] to fill for the backward, or undefined. @return y.
at::Tensor run_forward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, std::int64_t H,
                       const at::Tensor& sink, const at::Tensor& statistics) {
    const PartTimer timer(Part::kAttention);
    const auto B = q.size(0);
    const auto T = q.size(1);
    const auto y = at::empty(q.sizes(), q.options());
    kernels::AttentionHeads heads;
    heads.T = T;
    heads.H = H;
    heads.dh = q.size(2) / H;
    heads.q = heads_in(q);
    heads.k = heads_in(k);
    heads.v = heads_in(v);
    heads.sink = data_or_null(sink);
    heads.y = heads_out(y);
    if (statistics.defined()) {
        heads.largest = statistics.mutable_data_ptr<float>();
        heads.inverse_sum = heads.largest + B * H * T;
    }
    for_each_head(B, T, H, heads.dh, [&](std::int64_t begin, std::int64_t end, float* scratch) {
        kernels::kernels().attention_forward(heads, begin, end, scratch);
    });
    return y;
}

class AttentionFunction : public torch::autograd::Function<AttentionFunction> {
public:
    static at::Tensor forward(AutogradContext* context, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                              const std::optional<at::Tensor>& given_sink, std::int64_t H) {
        const auto sink = given_sink.value_or(at::Tensor());
        const auto statistics = at::empty({2, q.size(0), H, q.size(1)}, q.options());
        const auto y = run_forward(q, k, v, H, sink, statistics);
        context->save_for_backward({q, k, v, sink, statistics});
        context->saved_data["H"] = H;
        return y;
    }

    static variable_list backward(AutogradContext* context, const variable_list& dy) {
        const PartTimer timer(Part::kAttention);
        const auto saved = context->get_saved_variables();
        const auto& sink = saved[3];
        const auto& statistics = saved[4];
        const auto dy_dense = with_dense_channels(dy[0]);
        const auto H = context->saved_data["H"].toInt();
        const auto B = dy_dense.size(0);
        const auto T = dy_dense.size(1);
        const auto dq = at::empty(dy_dense.sizes(), dy_dense.options());
        const auto dk = at::empty(dy_dense.sizes(), dy_dense.options());
        const auto dv = at::empty(dy_dense.sizes(), dy_dense.options());
        at::Tensor dsink;  // [B, H]
        kernels::AttentionGradients heads;
        heads.T = T;
        heads.H = H;
        heads.dh = dy_dense.size(2) / H;
        heads.q = heads_in(saved[0]);
        heads.k = heads_in(saved[1]);
        heads.v = heads_in(saved[2]);
        heads.largest = statistics.const_data_ptr<float>();
        heads.inverse_sum = heads.largest + B * H * T;
        heads.dy = heads_in(dy_dense);
        heads.dq = heads_out(dq);
        heads.dk = heads_out(dk);
        heads.dv = heads_out(dv);
        if (sink.defined()) {
            dsink = at::empty({B, H}, dy_dense.options());
            heads.sink = sink.const_data_ptr<float>();
            heads.dsink = dsink.mutable_data_ptr<float>();
        }
        for_each_head(B, T, H, heads.dh, [&](std::int64_t begin, std::int64_t end, float* scratch) {
            kernels::kernels().attention_backward(heads, begin, end, scratch);
        });
        return {dq, dk, dv, dsink.defined() ? dsink.sum(0) : dsink, at::Tensor()};
    }
};

// ---- The CUDA kernels.

fgk_heads device_heads(const at::Tensor& x) { return {x.data_ptr(), x.stride(0), x.stride(1)}; }

/// @param log_sum fp32 [B, H, T] to fill for the backward, or undefined.
fgk_attention describe(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, std::int64_t H,
                       const at::Tensor& sink, const at::Tensor& y, const at::Tensor& log_sum) {
    fgk_attention a{};
    a.B = q.size(0);
    a.T = q.size(1);
    a.H = H;
    a.dh = q.size(2) / H;
    a.q = device_heads(q);
    a.k = device_heads(k);
    a.v = device_heads(v);
    a.sink = data_or_null(sink);
    a.y = device_heads(y);
    a.log_sum = log_sum.defined() ? log_sum.mutable_data_ptr<float>() : nullptr;
    a.type = kernel_type(q);
    return a;
}

at::Tensor run_on_device(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, std::int64_t H,
                         const at::Tensor& sink, const at::Tensor& log_sum) {
    const PartTimer timer(Part::kAttention);
    const auto y = at::empty(q.sizes(), q.options());
    const auto attention = describe(q, k, v, H, sink, y, log_sum);
    const auto& kernels = cuda_kernels();
    kernels.check(kernels.attention_forward(&attention, current_stream(q.device())));
    return y;
}

class DeviceAttention : public torch::autograd::Function<DeviceAttention> {
public:
    static at::Tensor forward(AutogradContext* context, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                              const std::optional<at::Tensor>& given_sink, std::int64_t H) {
        const auto sink = given_sink.value_or(at::Tensor());
        const auto log_sum = at::empty({q.size(0), H, q.size(1)}, q.options().dtype(at::kFloat));
        const auto y = run_on_device(q, k, v, H, sink, log_sum);
        context->save_for_backward({q, k, v, sink, y, log_sum});
        context->saved_data["H"] = H;
        return y;
    }

    static variable_list backward(AutogradContext* context, const variable_list& gradients) {
        const PartTimer timer(Part::kAttention);
        const auto saved = context->get_saved_variables();
        const auto& sink = saved[3];
        const auto dy = with_dense_channels(gradients[0]);
        const auto dq = at::empty(dy.sizes(), dy.options());
        const auto dk = at::empty(dy.sizes(), dy.options());
        const auto dv = at::empty(dy.sizes(), dy.options());
        const auto H = context->saved_data["H"].toInt();
        const auto dsink = sink.defined() ? at::zeros({H}, sink.options()) : at::Tensor();
        fgk_attention_gradients g{};
        g.forward = describe(saved[0], saved[1], saved[2], H, sink, saved[4], saved[5]);
        g.dy = device_heads(dy);
        g.dq = device_heads(dq);
        g.dk = device_heads(dk);
        g.dv = device_heads(dv);
        g.dsink = sink.defined() ? dsink.mutable_data_ptr<float>() : nullptr;
        const auto& kernels = cuda_kernels();
        const auto workspace =
            kernel_workspace(kernels.attention_backward_workspace(g.forward.B, g.forward.T, H), dy.device());
        kernels.check(kernels.attention_backward(&g, workspace.mutable_data_ptr(), current_stream(dy.device())));
        return {dq, dk, dv, dsink, at::Tensor()};
    }
};

at::Tensor run_fast(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, std::int64_t n_head,
                    const at::Tensor& sink) {
    const auto qd = with_dense_channels(q);
    const auto kd = with_dense_channels(k);
    const auto vd = with_dense_channels(v);
    const bool on_device = backend_of(q, Plan::kFast) == Backend::kCuda;
    const auto needs_gradient = [](const at::Tensor& x) { return x.defined() && x.requires_grad(); };
    if (c10::GradMode::is_enabled() &&
        (needs_gradient(q) || needs_gradient(k) || needs_gradient(v) || needs_gradient(sink))) {
        const auto given_sink = sink.defined() ? std::optional(sink) : std::nullopt;
        return on_device ? DeviceAttention::apply(qd, kd, vd, given_sink, n_head)
                         : AttentionFunction::apply(qd, kd, vd, given_sink, n_head);
    }
    if (on_device) {
        return run_on_device(qd, kd, vd, n_head, sink, at::Tensor());
    }
    return run_forward(qd, kd, vd, n_head, sink, at::Tensor());
}

/// @param x [B, T, H * dh]. @return [B, H, T, dh].
at::Tensor per_head(const at::Tensor& x, std::int64_t n_head) {
    return x.reshape({x.size(0), x.size(1), n_head, x.size(2) / n_head}).transpose(1, 2);
}

at::Tensor compose(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, std::int64_t n_head,
                   const at::Tensor& sink) {
    const auto weights = attention_weights(q, k, n_head, sink).narrow(-1, 0, q.size(1));  // the sink's value is 0
    return at::matmul(weights, per_head(v, n_head)).transpose(1, 2).reshape(q.sizes());
}

}  // namespace

at::Tensor attention_weights(const at::Tensor& q, const at::Tensor& k, std::int64_t n_head, const at::Tensor& sink) {
    const auto B = q.size(0);
    const auto T = q.size(1);
    const auto scale = 1.0 / std::sqrt(static_cast<double>(q.size(2) / n_head));
    auto scores = at::matmul(per_head(q, n_head) * scale, per_head(k, n_head).transpose(-2, -1));  // [B, H, T, T]
    const auto future = at::ones({T, T}, q.options().dtype(at::kBool)).triu(1);                    // [T, T]
    scores = scores.masked_fill(future, -std::numeric_limits<double>::infinity());
    if (sink.defined()) {
        const auto column = sink.view({1, n_head, 1, 1}).expand({B, n_head, T, 1});
        scores = at::cat(std::vector<at::Tensor>{scores, column}, -1);  // [B, H, T, T + 1]
    }
    return at::softmax(scores, -1);
}

at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, std::int64_t n_head,
                     const at::Tensor& sink, Plan plan) {
    const auto backend = backend_of(q, plan);
    const auto fast = backend == Backend::kCpu || (backend == Backend::kCuda && q.size(2) / n_head <= FGK_LARGEST_HEAD);
    return fast ? run_fast(q, k, v, n_head, sink) : compose(q, k, v, n_head, sink);
}

at::Tensor attention_at(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, std::int64_t n_head,
                        const at::Tensor& sink, const at::Tensor& positions) {
    const auto B = k.size(0);
    const auto T = k.size(1);
    const auto dh = q.size(2) / n_head;
    const auto scale = 1.0 / std::sqrt(static_cast<double>(dh));
    auto scores = (k * (q * scale)).view({B, T, n_head, dh}).sum(-1);                                    // [B, T, H]
    const auto future = at::arange(T, positions.options()).view({1, T, 1}) > positions.view({B, 1, 1});  // [B, T, 1]
    scores = scores.masked_fill(future, -std::numeric_limits<double>::infinity());
    if (sink.defined()) {
        scores = at::cat(std::vector<at::Tensor>{scores, sink.view({1, 1, n_head}).expand({B, 1, n_head})}, 1);
    }
    const auto weights = at::softmax(scores, 1).narrow(1, 0, T).unsqueeze(-1);  // [B, T, H, 1]
    return (weights * v.view({B, T, n_head, dh})).sum(1, /*keepdim=*/false).view({B, 1, n_head * dh});
}

}  // namespace filigree::ops
