// SPDX-License-Identifier: Apache-2.0
// Times the ops of a training step under both plans, alternating in one process, forward and backward apart. One JSON
// line per op and shape: median milliseconds of each plan, their ratio, and bytes per second of the fast plan, where
// bytes are those of the inputs and outputs, each counted once; also as a fraction of the measured memory bandwidth,
// which what stays in the caches exceeds.
//   bench_ops [repeats]
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "kernels/kernels.hpp"
#include "ops/attention.hpp"
#include "ops/cross_entropy.hpp"
#include "ops/machine_rates.hpp"
#include "ops/site.hpp"

namespace filigree {
namespace {

using Op = std::function<at::Tensor(const std::vector<at::Tensor>& inputs, Plan plan)>;

struct Times {
    std::vector<double> forward, backward;  // milliseconds
};

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

double least(const std::vector<double>& values) { return *std::min_element(values.begin(), values.end()); }

double milliseconds(const std::function<void()>& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

void measure_once(const Op& op, const std::vector<at::Tensor>& values, const at::Tensor& dy, Plan plan, Times& times) {
    std::vector<at::Tensor> inputs;
    for (const auto& value : values) {
        inputs.push_back(value.detach());
        inputs.back().set_requires_grad(true);
    }
    at::Tensor y;
    times.forward.push_back(milliseconds([&] { y = op(inputs, plan); }));
    times.backward.push_back(milliseconds([&] { y.backward(y.dim() == 0 ? at::Tensor() : dy); }));
}

/// @param forward_bytes,backward_bytes of inputs and outputs.
void report(const std::string& shape, const std::string& name, const Op& op, const std::vector<at::Tensor>& values,
            const at::Tensor& dy, double forward_bytes, double backward_bytes, int repeats) {
    static const auto bandwidth = ops::measure_machine_rates().bytes;
    Times fast;
    Times reference;
    for (int i = -1; i < repeats; ++i) {  // the first pair warms caches and allocators up
        if (i == 0) {
            fast = Times();
            reference = Times();
        }
        measure_once(op, values, dy, Plan::kFast, fast);
        measure_once(op, values, dy, Plan::kReference, reference);
    }
    const auto line = [&](const char* direction, const std::vector<double>& f, const std::vector<double>& r,
                          double bytes) {
        std::printf(R"({"shape":"%s","op":"%s","direction":"%s","ms":%.3f,"reference_ms":%.3f,"ratio":%.2f,)"
                    R"("least_ms":%.3f,"least_reference_ms":%.3f,"least_ratio":%.2f,"gb_per_s":%.1f,)"
                    R"("of_bandwidth":%.2f,"isa":"%s","threads":%d})"
                    "\n",
                    shape.c_str(), name.c_str(), direction, median(f), median(r), median(r) / median(f), least(f),
                    least(r), least(r) / least(f), bytes / least(f) * 1e-6, 1e3 * bytes / least(f) / bandwidth,
                    kernels::kernels().isa, at::get_num_threads());
    };
    line("forward", fast.forward, reference.forward, forward_bytes);
    line("backward", fast.backward, reference.backward, backward_bytes);
}

struct Shape {
    std::string name;
    std::int64_t B, T, d, m, H, V;
};

void run(const Shape& s, int repeats) {
    const auto N = s.B * s.T;
    const auto bytes = [](std::int64_t entries) { return 4.0 * static_cast<double>(entries); };
    const auto site = [](std::int64_t w) { return ops::SiteRule{w / 4, {}, {}}; };

    const auto x = at::randn({s.B, s.T, s.d});
    const auto dx = at::randn({s.B, s.T, s.d});
    report(
        s.name, "abs_topk", [&](const auto& in, Plan plan) { return ops::site(in[0], site(s.d), plan); }, {x}, dx,
        bytes(2 * N * s.d), bytes(2 * N * s.d), repeats);
    report(
        s.name, "rms_norm_topk",
        [&](const auto& in, Plan plan) { return ops::rms_norm_site(in[0], in[1], site(s.d), plan); },
        {x, at::randn({s.d})}, dx, bytes(2 * N * s.d), bytes(3 * N * s.d), repeats);
    report(
        s.name, "gelu_topk", [&](const auto& in, Plan plan) { return ops::gelu_site(in[0], site(s.m), plan); },
        {at::randn({s.B, s.T, s.m})}, at::randn({s.B, s.T, s.m}), bytes(2 * N * s.m), bytes(3 * N * s.m), repeats);
    report(
        s.name, "gelu_topk_gate",
        [&](const auto& in, Plan plan) {
            auto rule = site(s.m);
            rule.gate = in[1];
            rule.mean = in[1].detach();
            return ops::gelu_site(in[0], rule, plan);
        },
        {at::randn({s.B, s.T, s.m}), at::randn({s.m})}, at::randn({s.B, s.T, s.m}), bytes(2 * N * s.m),
        bytes(3 * N * s.m), repeats);
    report(
        s.name, "qkv_topk_attention",
        [&](const auto& in, Plan plan) {
            const auto [q, k, v] = ops::split_sites(in[0], {site(s.d), site(s.d), site(s.d)}, plan);
            return ops::attention(q, k, v, s.H, in[1], plan);
        },
        {at::randn({s.B, s.T, 3 * s.d}), at::randn({s.H})}, dx, bytes(4 * N * s.d), bytes(7 * N * s.d), repeats);
    report(
        s.name, "attention",
        [&](const auto& in, Plan plan) { return ops::attention(in[0], in[1], in[2], s.H, in[3], plan); },
        {at::randn({s.B, s.T, s.d}), at::randn({s.B, s.T, s.d}), at::randn({s.B, s.T, s.d}), at::randn({s.H})}, dx,
        bytes(4 * N * s.d), bytes(7 * N * s.d), repeats);
    const auto tokens = at::randint(s.V, {N}, at::kLong);
    const auto targets = at::randint(s.V, {N}, at::kLong);
    report(
        s.name, "cross_entropy_with_bigram",
        [&](const auto& in, Plan plan) {
            // Times one: the op takes its input over, and so must not be given the benchmark's own.
            return ops::cross_entropy_with_bigram(in[0] * 1.0, in[1], in[2], tokens, targets, plan);
        },
        {at::randn({N, s.V}), at::randn({s.V}), at::randn({s.V, s.V})}, at::Tensor(), bytes(2 * N * s.V),
        bytes(N * s.V + s.V * s.V), repeats);
}

}  // namespace
}  // namespace filigree

int main(int argc, char** argv) {
    const auto repeats = argc > 1 ? std::atoi(argv[1]) : 15;
    if (repeats < 1) {
        std::fprintf(stderr, "usage: bench_ops [repeats >= 1]\n");
        return 2;
    }
    filigree::run({"C1", 32, 128, 256, 1024, 16, 1024}, repeats);
    filigree::run({"tiny", 16, 128, 128, 512, 8, 1024}, repeats);
    return 0;
}
