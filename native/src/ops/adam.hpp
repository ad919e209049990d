// SPDX-License-Identifier: Apache-2.0
// Adam with bias correction over flat buffers (method 2.1.6):
//   m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2;  w <- w - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "kernels/optimizer.hpp"

namespace filigree::ops {

struct AdamSettings {
    double beta1 = 0.9;
    double beta2 = 0.95;
    double eps = 0.1;
};

/// One step in place. @param w,m,v,g flat fp32 of one size. @param t number of this step, from 1.
void adam_step(const at::Tensor& w, const at::Tensor& m, const at::Tensor& v, const at::Tensor& g,
               const AdamSettings& settings, double lr, std::int64_t t);

/// Flat fp32 on the CPU, all of size n.
struct AdamState {
    float* w = nullptr;
    float* m = nullptr;
    float* v = nullptr;
    float* g = nullptr;

    [[nodiscard]] AdamState at(std::int64_t offset) const { return {w + offset, m + offset, v + offset, g + offset}; }
};

/// The same step in one pass, on g * scale; then w *= decay and g = 0.
void adam_step(const AdamState& state, std::int64_t n, const AdamSettings& settings, double lr, std::int64_t t,
               double scale, double decay);

/// The scalars of step t, without scale and decay.
[[nodiscard]] kernels::AdamPass adam_pass(const AdamSettings& settings, double lr, std::int64_t t);

/// L2 norm; not finite when an element is not or a square overflows fp32. @param x flat fp32 on the CPU.
[[nodiscard]] double norm(const at::Tensor& x);

}  // namespace filigree::ops
