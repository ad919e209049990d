// SPDX-License-Identifier: Apache-2.0
#include "ops/machine_rates.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/ones.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include "kernels/kernels.hpp"
#include "ops/adam.hpp"
#include "ops/scratch.hpp"

namespace filigree::ops {
namespace {

/// The shortest of a few runs. @return seconds.
template <typename Work>
double fewest_seconds(const Work& work) {
    constexpr int kRepeats = 5;
    double fewest = 0.0;
    for (int i = 0; i <= kRepeats; ++i) {
        const auto start = std::chrono::steady_clock::now();
        work();
        const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        fewest = i <= 1 ? seconds : std::min(fewest, seconds);  // the first run warms up
    }
    return fewest;
}

double operations_per_second() {
    // One line of A against a B of 32 x 128 floats, 16 KiB, again and again; so long a line that its own loads and
    // stores do not count.
    constexpr std::int64_t kRows = 32;
    constexpr std::int64_t kColumns = 128;
    constexpr std::int64_t kInner = 16 * kRows;
    constexpr std::int64_t kRepeats = 1'250;
    const auto threads = static_cast<std::int64_t>(at::get_num_threads());
    const auto seconds = fewest_seconds([&] {
        at::parallel_for(0, threads, 1, [&](std::int64_t begin, std::int64_t end) {
            Scratch<float> b;
            Scratch<float> c;
            std::vector<std::int32_t> index(kInner);
            std::generate(index.begin(), index.end(), [row = 0]() mutable { return row++ % kRows; });
            const std::vector<float> value(kInner, 0.0F);
            const std::int32_t first = 0;
            const std::int32_t count = kInner;
            kernels::LineProduct product;
            product.a = {&first, &count, index.data(), value.data()};
            product.b = b.room(kRows * kColumns);
            std::fill_n(b.room(kRows * kColumns), kRows * kColumns, 1.0F);
            product.b_stride = kColumns;
            product.n = kColumns;
            product.c = c.room(kColumns);
            product.c_stride = kColumns;
            for (auto i = begin * kRepeats; i < end * kRepeats; ++i) {
                kernels::kernels().multiply_lines(product, 0, 1);
            }
        });
    });
    return 2.0 * static_cast<double>(kInner * kColumns * kRepeats * threads) / seconds;
}

double bytes_per_second() {
    constexpr std::int64_t kElements = 1 << 26;  // 256 MiB
    const auto memory = at::ones({kElements}, at::kFloat);
    double sum = 0.0;
    const auto seconds = fewest_seconds([&] { sum += norm(memory); });
    return sum > 0.0 ? static_cast<double>(kElements) * sizeof(float) / seconds : 0.0;
}

}  // namespace

MachineRates measure_machine_rates() { return {operations_per_second(), bytes_per_second()}; }

}  // namespace filigree::ops
