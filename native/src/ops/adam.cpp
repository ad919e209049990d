// SPDX-License-Identifier: Apache-2.0
#include "ops/adam.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/sqrt.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "kernels/kernels.hpp"

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

namespace {

// Elements that a thread takes at a time. Sums are per chunk, so they do not depend on the number of threads.
constexpr std::int64_t kChunk = 1 << 14;

}  // namespace

kernels::AdamPass adam_pass(const AdamSettings& settings, double lr, std::int64_t t) {
    kernels::AdamPass pass;
    pass.beta1 = static_cast<float>(settings.beta1);
    pass.one_minus_beta1 = static_cast<float>(1.0 - settings.beta1);
    pass.beta2 = static_cast<float>(settings.beta2);
    pass.one_minus_beta2 = static_cast<float>(1.0 - settings.beta2);
    pass.step = static_cast<float>(lr / (1.0 - std::pow(settings.beta1, static_cast<double>(t))));
    pass.root = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(settings.beta2, static_cast<double>(t))));
    pass.eps = static_cast<float>(settings.eps);
    return pass;
}

void adam_step(const AdamState& state, std::int64_t n, const AdamSettings& settings, double lr, std::int64_t t,
               double scale, double decay) {
    auto pass = adam_pass(settings, lr, t);
    pass.scale = static_cast<float>(scale);
    pass.decay = static_cast<float>(decay);
    at::parallel_for(0, n, kChunk, [&](std::int64_t begin, std::int64_t end) {
        const auto part = state.at(begin);
        kernels::kernels().adam_step(pass, end - begin, part.w, part.m, part.v, part.g);
    });
}

double norm(const at::Tensor& x) {
    const auto n = x.numel();
    const auto* data = x.const_data_ptr<float>();
    std::vector<double> sums(static_cast<std::size_t>((n + kChunk - 1) / kChunk));
    at::parallel_for(0, static_cast<std::int64_t>(sums.size()), 1, [&](std::int64_t begin, std::int64_t end) {
        for (auto chunk = begin; chunk < end; ++chunk) {
            sums[static_cast<std::size_t>(chunk)] =
                kernels::kernels().sum_of_squares(data + chunk * kChunk, std::min(kChunk, n - chunk * kChunk));
        }
    });
    return std::sqrt(std::accumulate(sums.begin(), sums.end(), 0.0));
}

}  // namespace filigree::ops
