// SPDX-License-Identifier: Apache-2.0
// Products by lines, compression and transposition against plain loops, on every instruction set.
#include "kernels/lines.hpp"

#include <algorithm>
#include <bit>
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

constexpr std::int32_t kUntouched = -7;

struct Compressed {
    std::vector<std::int32_t> begin, count, index;
    std::vector<float> value;

    Compressed(const Kernels& table, const std::vector<float>& dense, std::int64_t rows, std::int64_t columns)
        : index(dense.size() + kLinePadding, kUntouched), value(dense.size() + kLinePadding) {
        std::int32_t used = 0;
        for (std::int64_t r = 0; r < rows; ++r) {
            begin.push_back(used);
            count.push_back(
                table.compress_line(dense.data() + r * columns, columns, index.data() + used, value.data() + used));
            used += count.back();
        }
        EXPECT_TRUE(std::all_of(index.begin() + static_cast<std::ptrdiff_t>(dense.size()), index.end(),
                                [](std::int32_t i) { return i == kUntouched; }))
            << "a line is compressed in place: nothing is written behind its length";
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

float number_of(Pair pair, int half) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(pair) << (half == 0 ? 16 : 0) & 0xFFFF0000U);
}

TEST_P(LineKernels, PairsAreRoundedToNearestTiesToEven) {
    // 1 + 2^-8 lies between 1 and 1 + 2^-7, 1 + 3 * 2^-8 between that and 1 + 2^-6.
    auto values = random_values(70);
    values[3] = 1.00390625F;
    values[4] = -1.01171875F;
    values[5] = 3.4e38F;  // the largest number of bf16 is smaller
    values[6] = kNaN;
    values[7] = std::numeric_limits<float>::infinity();
    values[8] = -0.0F;
    const auto expect_rounded = [](float actual, float value) {
        if (std::isnan(value)) {
            EXPECT_TRUE(std::isnan(actual));
        } else if (std::isinf(actual)) {
            EXPECT_TRUE(std::abs(value) > 3.39e38F);
        } else {
            EXPECT_LE(std::abs(actual - value), std::abs(value) / 256.0F);
        }
    };
    for (const std::int64_t n : {1, 2, 17, 32, 33, 69}) {
        std::vector<Pair> pairs(static_cast<std::size_t>(n));
        for (const bool odd : {false, true}) {
            table().pair_rows(values.data(), odd ? nullptr : values.data() + 1, n, pairs.data());
            for (std::int64_t i = 0; i < n; ++i) {
                const auto at = static_cast<std::size_t>(i);
                expect_rounded(number_of(pairs[at], 0), values[at]);
                expect_rounded(number_of(pairs[at], 1), odd ? 0.0F : values[at + 1]);
            }
        }
        table().pair_neighbours(values.data(), n, pairs.data());
        for (std::int64_t i = 0; i < n + n % 2; ++i) {
            const auto at = static_cast<std::size_t>(i);
            expect_rounded(number_of(pairs[at / 2], static_cast<int>(i % 2)), i < n ? values[at] : 0.0F);
        }
    }
    std::vector<Pair> pairs(2);
    table().pair_neighbours(values.data() + 3, 2, pairs.data());
    EXPECT_EQ(number_of(pairs[0], 0), 1.0F);
    EXPECT_EQ(number_of(pairs[0], 1), -1.015625F);
}

TEST_P(LineKernels, CompressKeepsPairsOfWhichOneIsNotZero) {
    for (const std::int64_t n : {1, 16, 45}) {
        std::vector<Pair> line(static_cast<std::size_t>(n));
        const auto numbers = sparse_values(2 * n, 0.3);
        table().pair_neighbours(numbers.data(), 2 * n, line.data());
        std::vector<std::int32_t> index(line.size() + kLinePadding, kUntouched);
        std::vector<Pair> value(index.size());
        const auto count = table().compress_pairs(line.data(), n, index.data(), value.data());
        std::size_t next = 0;
        for (std::size_t i = 0; i < line.size(); ++i) {
            if (numbers[2 * i] == 0.0F && numbers[2 * i + 1] == 0.0F) continue;
            EXPECT_EQ(index[next], static_cast<std::int32_t>(i));
            EXPECT_EQ(value[next++], line[i]);
        }
        EXPECT_EQ(count, static_cast<std::int32_t>(next));
        EXPECT_EQ(index[line.size()], kUntouched);
    }
}

TEST_P(LineKernels, PairProductsMatchSumsInDoubleOfTheRoundedNumbers) {
    const std::int64_t rows = 5;
    const std::int64_t pairs = 37;
    const std::int64_t n = 77;
    const std::int64_t stride = 80;
    std::vector<Pair> a(static_cast<std::size_t>(rows * pairs));
    std::vector<Pair> b(static_cast<std::size_t>(pairs * stride));
    table().pair_neighbours(random_values(2 * rows * pairs).data(), 2 * rows * pairs, a.data());
    table().pair_neighbours(random_values(2 * pairs * stride).data(), 2 * pairs * stride, b.data());
    std::vector<std::int32_t> begin, count(static_cast<std::size_t>(rows), pairs), index;
    for (std::int32_t r = 0; r < rows; ++r) {
        begin.push_back(r * static_cast<std::int32_t>(pairs));
        for (std::int32_t i = 0; i < pairs; ++i) index.push_back(i);
    }
    const auto before = random_values(rows * n);
    auto c = before;
    PairProduct product;
    product.a = {begin.data(), count.data(), index.data(), a.data()};
    product.b = b.data();
    product.b_stride = stride;
    product.n = n;
    product.c = c.data();
    product.c_stride = n;
    product.start = Start::kC;
    table().multiply_pairs(product, 0, rows);
    for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t j = 0; j < n; ++j) {
            const auto at = static_cast<std::size_t>(r * n + j);
            double expected = before[at];
            double magnitude = std::abs(expected);
            for (std::int64_t i = 0; i < pairs; ++i) {
                for (const int half : {0, 1}) {
                    const double term =
                        static_cast<double>(number_of(a[static_cast<std::size_t>(r * pairs + i)], half)) *
                        number_of(b[static_cast<std::size_t>(i * stride + j)], half);
                    expected += term;
                    magnitude += std::abs(term);
                }
            }
            EXPECT_NEAR(c[at], expected, 2.0 * (2 * pairs + 1) * std::numeric_limits<float>::epsilon() * magnitude);
        }
    }
}

FILIGREE_EVERY_ISA(LineKernels);

}  // namespace
}  // namespace filigree::kernels
