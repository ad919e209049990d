// SPDX-License-Identifier: Apache-2.0
#include "ops/device_optimizer.hpp"

#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cstring>

#include "ops/backend.hpp"

namespace filigree::ops {
namespace {

std::int32_t axis_of(const Parameter& parameter) {
    switch (parameter.alive_axis) {
        case AliveAxis::kRows:
            return FGK_ROWS;
        case AliveAxis::kColumns:
            return FGK_COLUMNS;
        case AliveAxis::kNone:
            break;
    }
    return FGK_NO_LINES;
}

/// The trainable tensors.
std::vector<fgk_tensor> kernel_tensors(const ParameterTable& table,
                                       const std::function<TensorRule(const Parameter&)>& rule) {
    std::vector<fgk_tensor> tensors;
    tensors.reserve(table.parameters().size());
    for (const auto& parameter : table.parameters()) {
        if (!parameter.trainable) {
            continue;
        }
        const auto wanted = rule(parameter);
        fgk_tensor tensor{};
        tensor.offset = parameter.offset;
        tensor.columns = parameter.shape.back();
        tensor.rows = parameter.size / tensor.columns;
        tensor.kept = wanted.kept < parameter.size ? wanted.kept : -1;
        tensor.axis = axis_of(parameter);
        tensor.minimum_alive = static_cast<std::int32_t>(wanted.minimum_alive);
        tensor.decay = static_cast<float>(wanted.decay);
        tensors.push_back(tensor);
    }
    return tensors;
}

/// LibTorch counts its own writes only.
void count_write(const at::Tensor& x) { x.unsafeGetTensorImpl()->bump_version(); }

}  // namespace

void project_on_device(const ParameterTable& table, const at::Tensor& values,
                       const std::function<TensorRule(const Parameter&)>& rule) {
    const auto tensors = kernel_tensors(table, rule);
    const auto count = static_cast<std::int32_t>(tensors.size());
    const auto& kernels = cuda_kernels();
    const auto workspace = kernel_workspace(kernels.project_workspace(tensors.data(), count), values.device());
    kernels.check(kernels.project(tensors.data(), count, values.mutable_data_ptr<float>(), workspace.mutable_data_ptr(),
                                  current_stream(values.device())));
    count_write(values);
}

DeviceOptimizer::DeviceOptimizer(const ParameterTable& table, at::Device device)
    : table_(table),
      state_(at::zeros({static_cast<std::int64_t>(sizeof(fgk_gradient_state))},
                       at::TensorOptions(device).dtype(at::kByte))),
      workspace_(kernel_workspace(cuda_kernels().gradient_norm_workspace(table.trainable_size()), device)) {}

void DeviceOptimizer::measure(const at::Tensor& gradients, bool normalize, double floor) {
    const auto& kernels = cuda_kernels();
    kernels.check(kernels.gradient_norm(gradients.const_data_ptr<float>(), gradients.numel(),
                                        normalize ? FGK_NORMALIZE : FGK_CLIP, floor,
                                        static_cast<fgk_gradient_state*>(state_.mutable_data_ptr()),
                                        workspace_.mutable_data_ptr(), current_stream(gradients.device())));
}

void DeviceOptimizer::step(const FlatState& state, const AdamSettings& settings, double lr, std::int64_t t,
                           const std::function<TensorRule(const Parameter&)>& rule) {
    const auto tensors = kernel_tensors(table_, rule);
    const auto pass = adam_pass(settings, lr, t);
    fgk_adam adam{};
    adam.beta1 = pass.beta1;
    adam.one_minus_beta1 = pass.one_minus_beta1;
    adam.beta2 = pass.beta2;
    adam.one_minus_beta2 = pass.one_minus_beta2;
    adam.step = pass.step;
    adam.root = pass.root;
    adam.eps = pass.eps;
    const auto& kernels = cuda_kernels();
    const auto count = static_cast<std::int32_t>(tensors.size());
    const auto bytes = kernels.project_workspace(tensors.data(), count);
    const auto device = state.w.device();
    if (workspace_.numel() < bytes) {
        workspace_ = kernel_workspace(bytes, device);
    }
    kernels.check(kernels.optimizer_step(
        tensors.data(), count, &adam, static_cast<const fgk_gradient_state*>(state_.const_data_ptr()),
        state.w.mutable_data_ptr<float>(), state.m.mutable_data_ptr<float>(), state.v.mutable_data_ptr<float>(),
        state.g.mutable_data_ptr<float>(), workspace_.mutable_data_ptr(), current_stream(device)));
    count_write(state.w);
}

fgk_gradient_state DeviceOptimizer::read() const {
    const auto host = state_.cpu();
    fgk_gradient_state state{};
    std::memcpy(&state, host.const_data_ptr(), sizeof state);
    return state;
}

}  // namespace filigree::ops
