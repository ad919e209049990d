// SPDX-License-Identifier: Apache-2.0
#include "ops/machine_rates.hpp"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/ones.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <type_traits>
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

void multiply(const kernels::LineProduct& product) { kernels::kernels().multiply_lines(product, 0, 1); }
void multiply(const kernels::PairProduct& product) { kernels::kernels().multiply_pairs(product, 0, 1); }

/// @param Entry float, or kernels::Pair, which has two numbers.
template <typename Entry>
double operations_per_second() {
    // One line of A against a B of 32 x 128 entries, 16 KiB, again and again; so long a line that its own loads and
    // stores do not count.
    constexpr std::int64_t kRows = 32;
    constexpr std::int64_t kColumns = 128;
    constexpr std::int64_t kInner = 16 * kRows;
    constexpr std::int64_t kRepeats = 1'250;
    constexpr std::int64_t kNumbers = std::is_same_v<Entry, kernels::Pair> ? 2 : 1;
    const auto threads = static_cast<std::int64_t>(at::get_num_threads());
    const auto seconds = fewest_seconds([&] {
        at::parallel_for(0, threads, 1, [&](std::int64_t begin, std::int64_t end) {
            Scratch<Entry> b;
            Scratch<float> c;
            std::vector<std::int32_t> index(kInner);
            std::generate(index.begin(), index.end(), [row = 0]() mutable { return row++ % kRows; });
            const std::vector<Entry> value(kInner, Entry{});
            const std::int32_t first = 0;
            const std::int32_t count = kInner;
            kernels::LineProductOf<Entry> product;
            product.a = {&first, &count, index.data(), value.data()};
            product.b = b.room(kRows * kColumns);
            std::fill_n(b.room(kRows * kColumns), kRows * kColumns, Entry{});
            product.b_stride = kColumns;
            product.n = kColumns;
            product.c = c.room(kColumns);
            product.c_stride = kColumns;
            for (auto i = begin * kRepeats; i < end * kRepeats; ++i) multiply(product);
        });
    });
    return 2.0 * static_cast<double>(kNumbers * kInner * kColumns * kRepeats * threads) / seconds;
}

double bytes_per_second() {
    constexpr std::int64_t kElements = 1 << 26;  // 256 MiB
    const auto memory = at::ones({kElements}, at::kFloat);
    double sum = 0.0;
    const auto read = fewest_seconds([&] { sum += ops::norm(memory); });
    const auto half = memory.narrow(0, 0, kElements / 2);
    const auto copied = fewest_seconds([&] { memory.narrow(0, kElements / 2, kElements / 2).copy_(half); });
    return sum > 0.0 ? static_cast<double>(kElements) * sizeof(float) / std::min(read, copied) : 0.0;
}

}  // namespace

MachineRates measure_machine_rates() {
    return {operations_per_second<float>(), operations_per_second<kernels::Pair>(), bytes_per_second()};
}

}  // namespace filigree::ops
