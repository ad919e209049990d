// SPDX-License-Identifier: Apache-2.0
// Products by lines, compression and transposition against plain loops, on every instruction set.
#include "kernels/lines.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/every_isa.hpp"

namespace filigree::kernels {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

class LineKernels : public EveryIsa {
protected:
    /// rows x columns values of which about `share` are not zero.
    std::vector<float> sparse_values(std::int64_t count, double share) {
        auto values = random_values(count);
        std::bernoulli_distribution keep(share);
        for (auto& value : values) value = keep(random_) ? value : 0.0F;
        return values;
    }
};

struct Compressed {
    std::vector<std::int32_t> begin, count, index;
    std::vector<float> value;

    Compressed(const Kernels& table, const std::vector<float>& dense, std::int64_t rows, std::int64_t columns)
        : index(dense.size() + kLinePadding), value(dense.size() + kLinePadding) {
        std::int32_t used = 0;
        for (std::int64_t r = 0; r < rows; ++r) {
            begin.push_back(used);
            count.push_back(
                table.compress_line(dense.data() + r * columns, columns, index.data() + used, value.data() + used));
            used += count.back();
        }
    }
    [[nodiscard]] Lines lines() const { return {begin.data(), count.data(), index.data(), value.data()}; }
};

TEST_P(LineKernels, CompressKeepsWhatIsNotZeroInOrder) {
    for (const std::int64_t n : {1, 7, 16, 33, 250}) {
        auto line = sparse_values(n, 0.4);
        line[static_cast<std::size_t>(n / 2)] = kNaN;
        line[0] = -0.0F;
        const Compressed list(table(), line, 1, n);
        std::int32_t next = 0;
        for (std::int64_t i = 0; i < n; ++i) {
            const auto value = line[static_cast<std::size_t>(i)];
            if (value == 0.0F) continue;
            const auto e = static_cast<std::size_t>(next++);
            EXPECT_EQ(list.index[e], i);
            EXPECT_TRUE(list.value[e] == value || std::isnan(value));
        }
        EXPECT_EQ(list.count[0], next);
    }
}

TEST_P(LineKernels, TransposeMovesEveryElementAndNoOther) {
    for (const bool far_source : {false, true}) {
        for (const auto& [rows, columns] : {std::pair<std::int64_t, std::int64_t>{1, 1}, {8, 8}, {13, 29}, {64, 40}}) {
            const auto from = random_values(rows * (columns + 3));
            std::vector<float> to(static_cast<std::size_t>(columns * (rows + 5)), kNaN);
            table().transpose(from.data(), columns + 3, rows, columns, to.data(), rows + 5, far_source);
            for (std::int64_t j = 0; j < columns; ++j) {
                for (std::int64_t i = 0; i < rows + 5; ++i) {
                    const auto actual = to[static_cast<std::size_t>(j * (rows + 5) + i)];
                    if (i < rows) {
                        EXPECT_EQ(actual, from[static_cast<std::size_t>(i * (columns + 3) + j)]);
                    } else {
                        EXPECT_TRUE(std::isnan(actual));
                    }
                }
            }
        }
    }
}

TEST_P(LineKernels, ProductsMatchSumsInDouble) {
    const std::int64_t rows = 11;
    const std::int64_t inner = 53;
    for (const double share : {0.0, 0.2, 1.0}) {
        for (const std::int64_t n : {1, 5, 16, 77, 128, 300}) {
            for (const auto start : {Start::kZero, Start::kC, Start::kLineBias, Start::kColumnBias}) {
                const auto a = sparse_values(rows * inner, share);
                const auto stride = (n + kLinePadding - 1) / kLinePadding * kLinePadding;
                const auto b = random_values(inner * stride);
                const auto bias = random_values(std::max(rows, n));
                const auto before = random_values(rows * (n + 2));
                auto c = before;
                const Compressed list(table(), a, rows, inner);
                LineProduct product;
                product.a = list.lines();
                product.b = b.data();
                product.b_stride = stride;
                product.n = n;
                product.c_stride = n + 2;
                product.start = start;
                product.bias = bias.data();
                // In two parts, as threads share it.
                for (const auto& [begin, end] : {std::pair<std::int64_t, std::int64_t>{0, 4}, {4, rows}}) {
                    product.c = c.data() + begin * (n + 2);
                    table().multiply_lines(product, begin, end);
                }
                for (std::int64_t r = 0; r < rows; ++r) {
                    for (std::int64_t j = 0; j < n + 2; ++j) {
                        const auto at = static_cast<std::size_t>(r * (n + 2) + j);
                        if (j >= n) {
                            EXPECT_EQ(c[at], before[at]) << "behind the row";
                            continue;
                        }
                        double expected = start == Start::kZero       ? 0.0
                                          : start == Start::kC        ? before[at]
                                          : start == Start::kLineBias ? bias[static_cast<std::size_t>(r)]
                                                                      : bias[static_cast<std::size_t>(j)];
                        double magnitude = std::abs(expected);
                        for (std::int64_t i = 0; i < inner; ++i) {
                            const double term = static_cast<double>(a[static_cast<std::size_t>(r * inner + i)]) *
                                                b[static_cast<std::size_t>(i * stride + j)];
                            expected += term;
                            magnitude += std::abs(term);
                        }
                        // A chain of at most inner + 1 roundings of products and as many of sums.
                        EXPECT_NEAR(c[at], expected,
                                    2.0 * (inner + 1) * std::numeric_limits<float>::epsilon() * magnitude);
                    }
                }
            }
        }
    }
}

TEST_P(LineKernels, ZerosLeftOutAndBlocksOfTheIndexChangeNoBit) {
    const std::int64_t rows = 9;
    const std::int64_t inner = 64;
    const std::int64_t n = 48;
    const auto a = sparse_values(rows * inner, 0.3);
    const auto b = random_values(inner * n);
    const Compressed sparse(table(), a, rows, inner);
    // The same matrix with its zeros listed.
    std::vector<std::int32_t> begin, count(static_cast<std::size_t>(rows), inner), index;
    for (std::int32_t r = 0; r < rows; ++r) {
        begin.push_back(r * static_cast<std::int32_t>(inner));
        for (std::int32_t i = 0; i < inner; ++i) index.push_back(i);
    }
    const auto run = [&](const Lines& lines, const float* from, Start start, std::vector<float>& c) {
        LineProduct product;
        product.a = lines;
        product.b = from;
        product.b_stride = n;
        product.n = n;
        product.c = c.data();
        product.c_stride = n;
        product.start = start;
        table().multiply_lines(product, 0, rows);
    };
    std::vector<float> expected(static_cast<std::size_t>(rows * n));
    auto actual = expected;
    run(sparse.lines(), b.data(), Start::kZero, expected);
    run({begin.data(), count.data(), index.data(), a.data()}, b.data(), Start::kZero, actual);
    EXPECT_EQ(actual, expected);

    std::fill(count.begin(), count.end(), static_cast<std::int32_t>(inner / 2));
    run({begin.data(), count.data(), index.data(), a.data()}, b.data(), Start::kZero, actual);
    for (auto& first : begin) first += static_cast<std::int32_t>(inner / 2);
    run({begin.data(), count.data(), index.data(), a.data()}, b.data(), Start::kC, actual);
    EXPECT_EQ(actual, expected);
}

FILIGREE_EVERY_ISA(LineKernels);

}  // namespace
}  // namespace filigree::kernels
