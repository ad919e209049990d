// SPDX-License-Identifier: Apache-2.0
// Gradient norm, Adam, projection and decay by the CUDA kernels, over the flat parameters at once. The host reads
// nothing unless asked to.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "kernel_library.h"
#include "model/parameter_table.hpp"
#include "ops/adam.hpp"

namespace filigree::ops {

/// What happens to one tensor after Adam.
struct TensorRule {
    std::int64_t kept = 0;           ///< entries; all of them for no projection
    std::int64_t minimum_alive = 0;  ///< of the lines that the parameter protects
    double decay = 1.0;
};

/// Tensors of the flat layout, on one device.
struct FlatState {
    at::Tensor w, m, v, g;
};

/// ops::project() and decay of every trainable tensor, in one sequence of launches, on a device.
/// @param values the flat parameters, in place; their version counts it as a write.
void project_on_device(const ParameterTable& table, const at::Tensor& values,
                       const std::function<TensorRule(const Parameter&)>& rule);

class DeviceOptimizer {
public:
    /// @param table must outlive it.
    DeviceOptimizer(const ParameterTable& table, at::Device device);

    /// Norm of the gradients, and the scale that step() will use. @param normalize scale always, not only downwards.
    void measure(const at::Tensor& gradients, bool normalize, double floor);
    /// One step, which also clears the gradients; none once a norm was not finite. The version of the weights counts it
    /// as a write. @param t number of this step, from 1.
    void step(const FlatState& state, const AdamSettings& settings, double lr, std::int64_t t,
              const std::function<TensorRule(const Parameter&)>& rule);

    /// Wait for the device. diverged: steps since the norm was not finite for the first time.
    [[nodiscard]] fgk_gradient_state read() const;
    /// Forget that a norm was not finite.
    void forget() { state_.zero_(); }

private:
    const ParameterTable& table_;
    at::Tensor state_;  // uint8, one fgk_gradient_state
    at::Tensor workspace_;
};

}  // namespace filigree::ops
