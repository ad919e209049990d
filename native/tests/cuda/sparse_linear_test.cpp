// SPDX-License-Identifier: Apache-2.0
// The nonzeros of a weight and products with them.
#include <algorithm>

#include "cuda/kernel_fixture.hpp"

namespace filigree::cuda {
namespace {

struct Lines {
    Array<std::int32_t> begin, index;
    Array<float> value;
    fgk_lines view{};

    Lines(std::int64_t lines, std::int64_t capacity)
        : begin(static_cast<std::size_t>(lines + 1)),
          index(static_cast<std::size_t>(capacity)),
          value(static_cast<std::size_t>(capacity)),
          view{begin.data(), index.data(), value.data()} {}
};

class CudaSparse : public CudaKernel {
protected:
    std::vector<float> weights(std::int64_t m, std::int64_t n, std::int64_t one_in) {
        auto w = normal(m * n);
        for (auto& x : w) x = below(one_in) == 0 ? x : 0.0F;
        std::fill_n(w.begin() + m / 2 * n, n, 0.0F);                                             // an empty row
        for (std::int64_t i = 0; i < m; ++i) w[static_cast<std::size_t>(i * n + n / 2)] = 0.0F;  // an empty column
        return w;
    }
    static std::int64_t nonzeros(const std::vector<float>& w) {
        return std::count_if(w.begin(), w.end(), [](float x) { return x != 0.0F; });
    }
};

TEST_F(CudaSparse, NonzerosAreTakenInOrder) {
    for (const auto& [m, n, one_in] : {std::tuple{1, 1, 1}, {5, 7, 2}, {130, 40, 3}, {64, 300, 20}, {200, 1100, 50}}) {
        const auto w = weights(m, n, one_in);
        const auto capacity = nonzeros(w);
        const Array<float> weight(w);
        const Lines rows(m, capacity);
        const Lines columns(n, capacity);
        const auto room = workspace(fgk_take_nonzeros_workspace(m, n));
        EXPECT_DONE(fgk_take_nonzeros(weight.data(), m, n, capacity, &rows.view, &columns.view, room.data(), nullptr));
        for (const bool by_row : {true, false}) {
            std::vector<std::int32_t> begin = {0};
            std::vector<std::int32_t> index;
            std::vector<float> value;
            for (std::int64_t line = 0; line < (by_row ? m : n); ++line) {
                for (std::int64_t i = 0; i < (by_row ? n : m); ++i) {
                    const auto x = w[static_cast<std::size_t>(by_row ? line * n + i : i * n + line)];
                    if (x == 0.0F) continue;
                    index.push_back(static_cast<std::int32_t>(i));
                    value.push_back(x);
                }
                begin.push_back(static_cast<std::int32_t>(index.size()));
            }
            const auto& lines = by_row ? rows : columns;
            EXPECT_EQ(lines.begin.values(), begin);
            EXPECT_EQ(lines.index.values(), index);
            EXPECT_EQ(lines.value.values(), value);
        }
        static_cast<void>(room.values());
    }
}

TEST_F(CudaSparse, WhatFindsNoRoomIsLeftOut) {
    const auto w = std::vector<float>(200, 1.0F);
    const Array<float> weight(w);
    const Lines rows(10, 50);
    const Lines columns(20, 50);
    const auto room = workspace(fgk_take_nonzeros_workspace(10, 20));
    EXPECT_DONE(fgk_take_nonzeros(weight.data(), 10, 20, 50, &rows.view, &columns.view, room.data(), nullptr));
    EXPECT_EQ(rows.begin.values().back(), 50);
    EXPECT_EQ(columns.begin.values().back(), 50);
    EXPECT_EQ(rows.value.values(), std::vector<float>(50, 1.0F));
    EXPECT_EQ(columns.value.values(), std::vector<float>(50, 1.0F));
}

TEST_F(CudaSparse, ProductsMatchDenseOnesInBothTypes) {
    for (const auto& [rows, n, k] :
         {std::tuple{1, 3, 5}, {9, 70, 33}, {40, 600, 257}, {17, 30, 6000}, {5, 12, 12000}}) {
        for (const std::int32_t type : {FGK_F32, FGK_BF16}) {
            for (const bool with_bias : {false, true}) {
                SCOPED_TRACE("rows " + std::to_string(rows) + ", n " + std::to_string(n) + ", k " + std::to_string(k));
                const auto w = weights(n, k, 9);
                const auto capacity = nonzeros(w) + 3;
                const Array<float> weight(w);
                const Lines by_row(n, capacity);
                const Lines by_column(k, capacity);
                const auto room = workspace(fgk_take_nonzeros_workspace(n, k));
                EXPECT_DONE(fgk_take_nonzeros(weight.data(), n, k, capacity, &by_row.view, &by_column.view, room.data(),
                                              nullptr));
                const Numbers x(normal(rows * k), type);
                const Numbers y(static_cast<std::size_t>(rows * n), FGK_F32);
                const auto biases = normal(n);
                const Array<float> bias(biases);
                EXPECT_DONE(fgk_sparse_product(x.data(), type, rows, k, &by_row.view, n,
                                               with_bias ? bias.data() : nullptr, y.data(), FGK_F32, nullptr));
                const auto xs = x.values();
                std::vector<double> expected;
                for (std::int64_t row = 0; row < rows; ++row) {
                    for (std::int64_t i = 0; i < n; ++i) {
                        double sum = with_bias ? static_cast<double>(biases[static_cast<std::size_t>(i)]) : 0.0;
                        for (std::int64_t j = 0; j < k; ++j) {
                            sum += static_cast<double>(w[static_cast<std::size_t>(i * k + j)]) *
                                   static_cast<double>(xs[static_cast<std::size_t>(row * k + j)]);
                        }
                        expected.push_back(sum);
                    }
                }
                EXPECT_LE(relative_error(y.values(), expected, 1.0), 1e-5);  // sums of up to 1,400 products
            }
        }
    }
}

TEST_F(CudaSparse, RefusesRowsThatDoNotFit) {
    const auto k = fgk_sparse_product_longest(FGK_F32) + 1;
    const fgk_lines none{};
    EXPECT_REFUSED(fgk_sparse_product(nullptr, FGK_F32, 1, k, &none, 1, nullptr, nullptr, FGK_F32, nullptr),
                   "do not fit into shared memory");
}

}  // namespace
}  // namespace filigree::cuda
