// SPDX-License-Identifier: Apache-2.0
// Cross-entropy, and sums of rows, against loops in double.
#include <algorithm>
#include <limits>

#include "cuda/kernel_fixture.hpp"

namespace filigree::cuda {
namespace {

class CudaLoss : public CudaKernel {};

TEST_F(CudaLoss, AndItsGradientMatchTheFormula) {
    for (const std::int64_t V : {1, 5, 300, 2048}) {
        for (const bool with_table : {false, true}) {
            for (const std::int32_t type : {FGK_F32, FGK_BF16}) {
                for (const float scale : {0.0F, 0.125F}) {
                    SCOPED_TRACE("V " + std::to_string(V) + ", type " + std::to_string(type));
                    constexpr std::int64_t kRows = 6;
                    auto values = normal(kRows * V, 3.0F);
                    std::fill_n(values.begin(), V, 60.0F);  // all equal, and exp of them overflows
                    if (V > 1) values[static_cast<std::size_t>(2 * V)] = -std::numeric_limits<float>::infinity();
                    const Numbers logits(values, type);
                    const auto seen = logits.values();
                    const auto biases = normal(V);
                    const auto tables = normal(V * V);
                    std::vector<std::int64_t> tokens;
                    std::vector<std::int64_t> targets;
                    for (std::int64_t i = 0; i < kRows; ++i) {
                        tokens.push_back(below(V));
                        targets.push_back(below(V));
                    }
                    targets[2] = V - 1;  // of a row in which the first one is impossible
                    const Array<float> bias(biases);
                    const Array<float> table(tables);
                    const Array<std::int64_t> token(tokens);
                    const Array<std::int64_t> target(targets);
                    const Array<float> losses(kRows);
                    fgk_loss loss{};
                    loss.rows = kRows, loss.V = V, loss.logits = logits.data(), loss.bias = bias.data();
                    loss.table = with_table ? table.data() : nullptr;
                    loss.tokens = token.data(), loss.targets = target.data(), loss.losses = losses.data();
                    loss.scale = scale, loss.type = type;
                    EXPECT_DONE(fgk_cross_entropy(&loss, nullptr));
                    std::vector<double> expected;
                    std::vector<double> gradient;
                    for (std::size_t i = 0; i < kRows; ++i) {
                        std::vector<double> z;
                        for (std::int64_t j = 0; j < V; ++j) {
                            const auto at = static_cast<std::size_t>(j);
                            z.push_back(static_cast<double>(seen[i * static_cast<std::size_t>(V) + at]) +
                                        static_cast<double>(biases[at]) +
                                        (with_table
                                             ? static_cast<double>(tables[static_cast<std::size_t>(tokens[i] * V + j)])
                                             : 0.0));
                        }
                        const auto most = *std::max_element(z.begin(), z.end());
                        double sum = 0.0;
                        for (const auto x : z) sum += std::exp(x - most);
                        expected.push_back(most + std::log(sum) - z[static_cast<std::size_t>(targets[i])]);
                        for (std::int64_t j = 0; j < V; ++j) {
                            gradient.push_back((std::exp(z[static_cast<std::size_t>(j)] - most) / sum -
                                                (j == targets[i] ? 1.0 : 0.0)) *
                                               static_cast<double>(scale));
                        }
                    }
                    // z up to 70 is rounded to 4e-6 before exp; a loss of one token can be nearly 0.
                    const auto actual = losses.values();
                    for (std::size_t i = 0; i < kRows; ++i) EXPECT_NEAR(actual[i], expected[i], 2e-5);
                    if (scale == 0.0F) {
                        EXPECT_EQ(logits.values(), seen);
                    } else if (V > 1) {
                        EXPECT_LE(relative_error(logits.values(), gradient), type == FGK_F32 ? 2e-5 : 5e-3);
                    }
                }
            }
        }
    }
}

class CudaRows : public CudaKernel {};

TEST_F(CudaRows, OfOneTokenAreAdded) {
    for (const std::int64_t count : {1, 5, 256, 1500}) {
        for (const std::int64_t n : {1, 128, 130, 132}) {
            for (const std::int64_t V : {1, 3, 1100}) {
                for (const std::int32_t type : {FGK_F32, FGK_BF16}) {
                    std::vector<std::int64_t> ids;
                    for (std::int64_t i = 0; i < count; ++i) ids.push_back(std::min(below(V), below(V)));
                    const Numbers rows(normal(count * n), type);
                    const auto start = normal(V * n);
                    const Array<std::int64_t> tokens(ids);
                    const auto add = [&] {
                        const Array<float> gradient(start);
                        const auto room = workspace(fgk_add_rows_workspace(count, V));
                        EXPECT_DONE(fgk_add_rows(rows.data(), type, count, n, tokens.data(), V, 0.5F, gradient.data(),
                                                 room.data(), nullptr));
                        static_cast<void>(room.values());
                        return gradient.values();
                    };
                    std::vector<double> expected(start.begin(), start.end());
                    const auto values = rows.values();
                    for (std::size_t i = 0; i < ids.size(); ++i) {
                        for (std::int64_t j = 0; j < n; ++j) {
                            expected[static_cast<std::size_t>(ids[i] * n + j)] +=
                                0.5 * static_cast<double>(
                                          values[i * static_cast<std::size_t>(n) + static_cast<std::size_t>(j)]);
                        }
                    }
                    const auto sums = add();
                    // Sums of up to 1500 halves of numbers near 1 reach 20 on the way.
                    EXPECT_LE(relative_error(sums, expected, 20.0), 2e-6);
                    EXPECT_EQ(add(), sums);
                }
            }
        }
    }
}

TEST_F(CudaRows, AddUpByColumn) {
    for (const std::int64_t rows : {1, 63, 64, 700}) {
        for (const std::int64_t n : {1, 31, 300}) {
            for (const std::int32_t type : {FGK_F32, FGK_BF16}) {
                const Numbers x(normal(rows * n), type);
                const auto start = normal(n);
                const Array<float> sums(start);
                const auto room = workspace(fgk_add_column_sums_workspace(rows, n));
                EXPECT_DONE(fgk_add_column_sums(x.data(), type, rows, n, sums.data(), room.data(), nullptr));
                std::vector<double> expected(start.begin(), start.end());
                const auto values = x.values();
                for (std::size_t i = 0; i < values.size(); ++i)
                    expected[i % static_cast<std::size_t>(n)] += static_cast<double>(values[i]);
                // Sums of up to 700 numbers near 1 reach 30 on the way.
                EXPECT_LE(relative_error(sums.values(), expected, 30.0), 2e-6);
                static_cast<void>(room.values());
            }
        }
    }
}

}  // namespace
}  // namespace filigree::cuda
