// SPDX-License-Identifier: Apache-2.0
// Adam with bias correction over flat buffers (method 2.1.6):
//   m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2;  w <- w - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace filigree::ops {

struct AdamSettings {
    double beta1 = 0.9;
    double beta2 = 0.95;
    double eps = 0.1;
};

/// One step in place. @param w,m,v,g flat fp32 of one size. @param t number of this step, from 1.
void adam_step(const at::Tensor& w, const at::Tensor& m, const at::Tensor& v, const at::Tensor& g,
               const AdamSettings& settings, double lr, std::int64_t t);

}  // namespace filigree::ops
