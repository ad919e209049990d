// SPDX-License-Identifier: Apache-2.0
#include "ops/adam.hpp"

#include <ATen/ops/sqrt.h>
#include <c10/core/GradMode.h>

#include <cmath>

namespace filigree::ops {

void adam_step(const at::Tensor& w, const at::Tensor& m, const at::Tensor& v, const at::Tensor& g,
               const AdamSettings& settings, double lr, std::int64_t t) {
    const at::NoGradGuard no_grad;
    const auto correction1 = 1.0 - std::pow(settings.beta1, static_cast<double>(t));
    const auto correction2 = 1.0 - std::pow(settings.beta2, static_cast<double>(t));
    m.mul_(settings.beta1).add_(g, 1.0 - settings.beta1);
    v.mul_(settings.beta2).addcmul_(g, g, 1.0 - settings.beta2);
    const auto denominator = v.sqrt().div_(std::sqrt(correction2)).add_(settings.eps);
    w.addcdiv_(m, denominator, -lr / correction1);
}

}  // namespace filigree::ops
