// SPDX-License-Identifier: Apache-2.0
#include "ops/crossover.hpp"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <ctime>
#include <limits>

#include "core/profile.hpp"
#include "core/random.hpp"
#include "ops/product.hpp"
#include "ops/sparse_matrix.hpp"
#include "ops/thread_count.hpp"

namespace filigree::ops {
namespace {

/// Values of which a fraction is not zero. @return [rows, columns].
at::Tensor values(std::int64_t rows, std::int64_t columns, double nonzero) {
    RandomStream random(0, Purpose::kInitialWeights, 0);
    auto tensor = at::empty({rows, columns}, at::kFloat);
    auto* data = tensor.mutable_data_ptr<float>();
    std::generate_n(data, tensor.numel(), [&] { return random.uniform() < nonzero ? 1.0F : 0.0F; });
    return tensor;
}

template <typename Work>
double fewest_seconds(const Work& work) {
    constexpr int kRepeats = 5;
    auto fewest = std::numeric_limits<double>::infinity();
    for (int i = 0; i < kRepeats; ++i) {
        // Of this thread, whatever else the machine does meanwhile.
        const auto start = processor_seconds(CLOCK_THREAD_CPUTIME_ID);
        work();
        fewest = std::min(fewest, processor_seconds(CLOCK_THREAD_CPUTIME_ID) - start);
    }
    return fewest;
}

/// Seconds of a product with a weight of some density.
struct Timed {
    double density, seconds;
};

/// Where the line through two of them reaches `other` seconds, in [0, 1].
double crossing(const Timed& low, const Timed& high, double other) {
    if (high.seconds <= low.seconds) {
        return other >= high.seconds ? 1.0 : 0.0;  // too small to tell densities apart
    }
    return std::clamp(low.density + (high.density - low.density) * (other - low.seconds) / (high.seconds - low.seconds),
                      0.0, 1.0);
}

}  // namespace

double measure_crossover(std::int64_t m, std::int64_t n, std::int64_t rows, double kept) {
    const ThreadCount one_thread(1);
    const auto x = values(rows, n, kept);
    auto y = at::empty({rows, m}, at::kFloat);
    // Time by the nonzeros of the weight is a line through two densities.
    constexpr double kLow = 0.02;
    constexpr double kHigh = 0.2;
    const auto by_weight = [&](double density) {
        SparseMatrix form;
        static_cast<void>(form.assign(values(m, n, density), m * n));
        SparseProduct product;
        product.x = x.const_data_ptr<float>();
        product.a = form.rows();
        product.rows = rows;
        product.n = m;
        product.k = n;
        product.y = y.mutable_data_ptr<float>();
        return fewest_seconds([&] { multiply(product); });
    };
    const auto low = by_weight(kLow);
    const auto high = by_weight(kHigh);
    const auto w = values(m, n, 1.0);
    DenseProduct product;
    product.a = {x.const_data_ptr<float>(), n, false};
    product.b = {w.const_data_ptr<float>(), n, true};
    product.m = rows;
    product.n = m;
    product.k = n;
    product.c = y.mutable_data_ptr<float>();
    const auto by_rows = fewest_seconds([&] { multiply(product); });
    return crossing({kLow, low}, {kHigh, high}, by_rows);
}

}  // namespace filigree::ops
