// SPDX-License-Identifier: Apache-2.0
// Times the ops of a training step under both plans, alternating in one process, forward and backward apart. One JSON
// line per op and shape: median milliseconds of each plan, their ratio, and the fraction of the roofline that the fast
// plan reaches: the time of its bytes (inputs and outputs, each counted once) at the measured memory bandwidth, or of
// its operations (multiply-adds of nonzeros; of all numbers in bf16, where factors may be rounded and that takes less)
// at the measured rate, whichever is longer, over the shortest time taken. What stays in the caches exceeds it.
//   bench_ops [repeats]
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/memory_cache.hpp"
#include "kernels/kernels.hpp"
#include "ops/adam.hpp"
#include "ops/attention.hpp"
#include "ops/cross_entropy.hpp"
#include "ops/keep_largest.hpp"
#include "ops/linear.hpp"
#include "ops/machine_rates.hpp"
#include "ops/site.hpp"
#include "ops/warm_projection.hpp"

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

/// What an op cannot do without.
struct Work {
    double bytes = 0.0;
    double multiply_adds = 0.0;  ///< of nonzeros, in fp32
    /// Of zeros too, with factors in bf16: the other way where the op may round them, else 0.
    double bf16_multiply_adds = 0.0;
};

/// @return seconds.
double least_time(const Work& work) {
    static const auto rates = ops::measure_machine_rates();
    auto operations = 2.0 * work.multiply_adds / rates.flops;
    if (work.bf16_multiply_adds > 0.0) {
        operations = std::min(operations, 2.0 * work.bf16_multiply_adds / rates.bf16_flops);
    }
    return std::max(work.bytes / rates.bytes, operations);
}

void print(const std::string& shape, const std::string& op, const char* direction, const std::vector<double>& fast,
           const std::vector<double>& reference, const Work& work) {
    std::printf(R"({"shape":"%s","op":"%s","direction":"%s","ms":%.3f,"reference_ms":%.3f,"ratio":%.2f,)"
                R"("least_ms":%.3f,"least_reference_ms":%.3f,"least_ratio":%.2f,"gb_per_s":%.1f,"gflops":%.1f,)"
                R"("of_roofline":%.2f,"isa":"%s","threads":%d})"
                "\n",
                shape.c_str(), op.c_str(), direction, median(fast), median(reference), median(reference) / median(fast),
                least(fast), least(reference), least(reference) / least(fast), work.bytes / least(fast) * 1e-6,
                2.0 * work.multiply_adds / least(fast) * 1e-6, 1e3 * least_time(work) / least(fast),
                kernels::kernels().isa, at::get_num_threads());
}

/// An op of autograd, both ways.
void report(const std::string& shape, const std::string& name, const Op& op, const std::vector<at::Tensor>& values,
            const at::Tensor& dy, const Work& forward, const Work& backward, int repeats) {
    Times fast;
    Times reference;
    for (int i = -1; i < repeats; ++i) {  // the first pair warms caches up and fills the memory cache
        if (i == 0) {
            fast = Times();
            reference = Times();
        }
        measure_once(op, values, dy, Plan::kFast, fast);
        measure_once(op, values, dy, Plan::kReference, reference);
    }
    print(shape, name, "forward", fast.forward, reference.forward, forward);
    print(shape, name, "backward", fast.backward, reference.backward, backward);
}

/// A pass over weights. @param prepare is not timed.
void report_pass(const std::string& shape, const std::string& name, const std::function<void()>& prepare,
                 const std::function<void()>& fast, const std::function<void()>& reference, const Work& work,
                 int repeats) {
    std::vector<double> fast_times;
    std::vector<double> reference_times;
    for (int i = -1; i < repeats; ++i) {
        prepare();
        const auto fast_time = milliseconds(fast);
        prepare();
        const auto reference_time = milliseconds(reference);
        if (i >= 0) {
            fast_times.push_back(fast_time);
            reference_times.push_back(reference_time);
        }
    }
    print(shape, name, "update", fast_times, reference_times, work);
}

struct Shape {
    std::string name;
    std::int64_t B, T, d, m, H, V;
};

constexpr double kActive = 1.0 / 4;  // of the activations
constexpr double kKept = 1.0 / 32;   // of the weights

at::Tensor thinned(at::IntArrayRef shape, double nonzero) { return at::randn(shape) * at::rand(shape).lt(nonzero); }

/// y = x w^T and its gradients; bias left out.
void run_products(const Shape& s, int repeats) {
    const auto N = s.B * s.T;
    const auto product = [&](const std::string& name, std::int64_t m, std::int64_t n, double active, double kept,
                             bool by_weight, Precision precision = Precision::kFp32) {
        const auto w = thinned({m, n}, kept);
        const auto form = std::make_shared<ops::SparseMatrix>();
        static_cast<void>(form->assign(w, w.numel()));
        const auto all = static_cast<double>(N) * static_cast<double>(m) * static_cast<double>(n);
        const auto used = by_weight ? kept : active;
        const auto x_and_y = 4.0 * static_cast<double>(N * (m + n));
        const auto weight = 4.0 * static_cast<double>(m * n);
        const auto may_round = precision == Precision::kBf16 ? 1.0 : 0.0;
        report(
            s.name, name,
            [&](const auto& in, Plan plan) {
                // The reference is always fp32.
                const auto used_precision = plan == Plan::kFast ? precision : Precision::kFp32;
                return ops::linear(in[0], in[1], at::Tensor(), {used_precision, plan}, by_weight ? form : nullptr);
            },
            {thinned({N, n}, active), w}, thinned({N, m}, active),
            {x_and_y + weight * kept, all * used, may_round * all},
            {x_and_y + 4.0 * static_cast<double>(N * n) + weight, all * (used + active), 2.0 * may_round * all},
            repeats);
    };
    product("linear_sparse_weight", s.m, s.d, kActive, kKept, true);
    product("linear_thinned_input", s.m, s.d, kActive, 1.0, false);
    product("unembedding", s.V, s.d, 1.0, kKept, true);
    product("unembedding_dense", s.V, s.d, 1.0, 1.0, false);
    product("linear_thinned_input_bf16", s.m, s.d, kActive, 1.0, false, Precision::kBf16);
    product("unembedding_dense_bf16", s.V, s.d, 1.0, 1.0, false, Precision::kBf16);
}

/// What happens to the weights of an MLP's first matrix after the backward pass.
void run_update(const Shape& s, int repeats) {
    const auto count = static_cast<double>(s.m * s.d);
    const auto state = at::randn({4, s.m * s.d});
    const ops::AdamState flat = {state[0].mutable_data_ptr<float>(), state[1].mutable_data_ptr<float>(),
                                 state[2].abs_().mutable_data_ptr<float>(), state[3].mutable_data_ptr<float>()};
    constexpr double kRate = 1e-3;
    report_pass(
        s.name, "adam", [] {}, [&] { ops::adam_step(flat, s.m * s.d, {}, kRate, 1, 1.0, 1.0 - kRate); },
        [&] {
            ops::adam_step(state[0], state[1], state[2], state[3], {}, kRate, 1);
            state[0].mul_(1.0 - kRate);
            state[3].zero_();
        },
        {8.0 * 4.0 * count, 0.0}, repeats);

    const auto w = at::zeros({s.m, s.d});
    const auto last = at::randn({s.m, s.d});
    const auto k = static_cast<std::int64_t>(kKept * count);
    constexpr std::int64_t kAlive = 1;
    ops::WarmProjection projection;
    report_pass(
        s.name, "projection",
        // As after a step: every weight a little away from where it was.
        [&] {
            w.copy_(last + 1e-3 * at::randn({s.m, s.d}));
        },
        [&] {
            projection.apply({w.mutable_data_ptr<float>(), s.m, s.d}, k, AliveAxis::kRows, kAlive,
                             static_cast<float>(1.0 - kRate));
        },
        [&] {
            ops::project(w, k, AliveAxis::kRows, kAlive);
            w.mul_(1.0 - kRate);
        },
        {3.0 * 4.0 * count, 0.0}, repeats);
}

void run_sites(const Shape& s, int repeats) {
    const auto N = s.B * s.T;
    const auto bytes = [](std::int64_t entries) { return Work{4.0 * static_cast<double>(entries), 0.0}; };
    const auto site = [](std::int64_t w) { return ops::SiteRule{w / 4, {}, {}}; };

    // Scores or values of all heads, multiply-adds over the causal half.
    const auto half_square = 0.5 * static_cast<double>(N * s.T) * static_cast<double>(s.d);

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
        {at::randn({s.B, s.T, 3 * s.d}), at::randn({s.H})}, dx, {bytes(4 * N * s.d).bytes, 2.0 * half_square},
        {bytes(7 * N * s.d).bytes, 5.0 * half_square}, repeats);
    report(
        s.name, "attention",
        [&](const auto& in, Plan plan) { return ops::attention(in[0], in[1], in[2], s.H, in[3], plan); },
        {at::randn({s.B, s.T, s.d}), at::randn({s.B, s.T, s.d}), at::randn({s.B, s.T, s.d}), at::randn({s.H})}, dx,
        {bytes(4 * N * s.d).bytes, 2.0 * half_square}, {bytes(7 * N * s.d).bytes, 5.0 * half_square}, repeats);
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
    const filigree::Shape c1 = {"C1", 32, 128, 256, 1024, 16, 1024};
    const filigree::Shape tiny = {"tiny", 8, 128, 128, 512, 8, 1024};
    // As in training, memory is kept from one repeat to the next.
    filigree::MemoryCache memory;
    const filigree::MemoryCache::Scope scope(memory);
    for (const auto& shape : {c1, tiny}) {
        filigree::run_sites(shape, repeats);
        filigree::run_products(shape, repeats);
        filigree::run_update(shape, repeats);
    }
    return 0;
}
