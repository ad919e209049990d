// SPDX-License-Identifier: Apache-2.0
// The nonzeros of a weight and products with them.
#include <algorithm>
#include <cstdio>
#include <set>
#include <tuple>
#include <utility>

#include "cuda/kernel_fixture.hpp"

namespace filigree::cuda {
namespace {

/// Room for lines of a matrix, rows or columns.
struct Slices {
    Array<std::int32_t> line, length, begin;
    Array<fgk_entry> entries;
    fgk_slices view{};

    Slices(std::int64_t lines, std::int64_t capacity)
        : line(static_cast<std::size_t>(fgk_places(lines))),
          length(static_cast<std::size_t>(fgk_places(lines))),
          begin(static_cast<std::size_t>(fgk_places(lines) / FGK_SLICE_LINES)),
          entries(static_cast<std::size_t>(capacity)),
          view{line.data(), length.data(), begin.data(), entries.data(), capacity} {}
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

/// Line after line, what the slices have of them, in ascending index.
using Line = std::vector<std::pair<std::int32_t, float>>;
std::vector<Line> lines_of(const Slices& slices, std::int64_t lines) {
    const auto line = slices.line.values();
    const auto length = slices.length.values();
    const auto begin = slices.begin.values();
    const auto entries = slices.entries.values();
    std::vector<Line> result(static_cast<std::size_t>(lines));
    std::vector<bool> seen(static_cast<std::size_t>(lines));
    for (std::size_t place = 0; place < line.size(); ++place) {
        if (line[place] < 0) {
            EXPECT_EQ(length[place], 0);
            continue;
        }
        const auto own = static_cast<std::size_t>(line[place]);
        EXPECT_EQ(own / FGK_SORTED_LINES, place / FGK_SORTED_LINES) << "a line is sorted among 64";
        EXPECT_FALSE(seen.at(own)) << "a line has two places";
        seen.at(own) = true;
        if (place % FGK_SORTED_LINES != 0) {
            EXPECT_LE(length[place], length[place - 1]) << "the longest lines come first";
            EXPECT_TRUE(length[place] < length[place - 1] || line[place - 1] < line[place]);
        }
        for (std::int32_t e = 0; e < length[place]; ++e) {
            const auto at = begin[place / FGK_SLICE_LINES] + e * FGK_SLICE_LINES +
                            static_cast<std::int32_t>(place % FGK_SLICE_LINES);
            EXPECT_LT(at, slices.view.capacity) << "a length counts what has found no room";
            const auto& entry = entries.at(static_cast<std::size_t>(at));
            result.at(own).emplace_back(entry.index, entry.value);
        }
        // Lines that are not too long are ordered for the banks of shared memory.
        auto& entries_of_line = result.at(own);
        const bool ordered = entries_of_line.size() <= FGK_ORDERED_ENTRIES;
        const auto order = [&](const Line::value_type& entry) {
            const auto apart = static_cast<unsigned>(entry.first) - static_cast<unsigned>(place);
            const bool odd[3] = {apart % 2 != 0, apart / 2 % 2 != 0, apart / 4 % 2 != 0};
            return ordered ? std::tuple(odd[0], odd[1], odd[2], entry.first)
                           : std::tuple(false, false, false, entry.first);
        };
        EXPECT_TRUE(std::is_sorted(entries_of_line.begin(), entries_of_line.end(),
                                   [&](const auto& a, const auto& b) { return order(a) < order(b); }));
        std::sort(entries_of_line.begin(), entries_of_line.end());
    }
    EXPECT_EQ(std::count(seen.begin(), seen.end(), false), 0);
    return result;
}

TEST_F(CudaSparse, NonzerosAreTakenAndOrdered) {
    for (const auto& [m, n, one_in] :
         {std::tuple{1, 1, 1}, {5, 7, 2}, {130, 40, 3}, {64, 300, 20}, {200, 1100, 50}, {1100, 70, 9}}) {
        auto w = weights(m, n, one_in);
        for (std::int64_t i = 0; i < n; ++i) w[static_cast<std::size_t>(i)] = 1.0F;  // a full row
        const auto count = nonzeros(w);
        const Array<float> weight(w);
        const Slices rows(m, fgk_slices_room(m, n, count));
        const Slices columns(n, fgk_slices_room(n, m, count));
        const auto room = workspace(fgk_take_nonzeros_workspace(m, n));
        EXPECT_DONE(fgk_take_nonzeros(weight.data(), m, n, &rows.view, &columns.view, room.data(), nullptr));
        for (const bool by_row : {true, false}) {
            std::vector<Line> expected(static_cast<std::size_t>(by_row ? m : n));
            for (std::int64_t i = 0; i < m; ++i) {
                for (std::int64_t j = 0; j < n; ++j) {
                    const auto x = w[static_cast<std::size_t>(i * n + j)];
                    if (x == 0.0F) continue;
                    expected[static_cast<std::size_t>(by_row ? i : j)].emplace_back(by_row ? j : i, x);
                }
            }
            EXPECT_EQ(lines_of(by_row ? rows : columns, by_row ? m : n), expected) << m << " x " << n;
        }
        static_cast<void>(room.values());
    }
}

/// Turns that shared memory takes for the reads of `together` lanes of different lines: each reads a column of 128 /
/// together bytes, those whose indices are alike modulo `together` from the same banks, in turn. The mean over all
/// lines.
double turns(const std::vector<std::vector<std::int32_t>>& places, std::size_t together) {
    double turns = 0.0;
    double reads = 0.0;
    for (std::size_t first = 0; first < places.size(); first += together) {
        for (std::size_t e = 0; e < places[first].size(); ++e) {  // the longest of them
            std::vector<std::set<std::int32_t>> banks(together);
            for (std::size_t i = first; i < first + together; ++i) {
                if (e < places[i].size()) banks[static_cast<std::size_t>(places[i][e]) % together].insert(places[i][e]);
            }
            turns += static_cast<double>(std::max_element(banks.begin(), banks.end(), [](const auto& a, const auto& b) {
                                             return a.size() < b.size();
                                         })->size());
            reads += 1.0;
        }
    }
    return turns / reads;
}

TEST_F(CudaSparse, OrderedEntriesLieInDifferentBanks) {
    constexpr std::int64_t kLines = 512;
    // As many columns as bring four lanes to a line, two and one.
    for (const auto& [columns, together] : {std::pair<std::int64_t, std::size_t>{2048, 2}, {6144, 4}, {8192, 8}}) {
        const auto w = weights(kLines, columns, 256);
        const Array<float> weight(w);
        const Slices rows(kLines, fgk_slices_room(kLines, columns, nonzeros(w)));
        const Slices by_column(columns, fgk_slices_room(columns, kLines, nonzeros(w)));
        const auto room = workspace(fgk_take_nonzeros_workspace(kLines, columns));
        EXPECT_DONE(
            fgk_take_nonzeros(weight.data(), kLines, columns, &rows.view, &by_column.view, room.data(), nullptr));
        const auto begin = rows.begin.values();
        const auto length = rows.length.values();
        const auto entries = rows.entries.values();
        std::vector<std::vector<std::int32_t>> places(length.size());
        for (std::size_t place = 0; place < places.size(); ++place) {
            for (std::int32_t e = 0; e < length[place]; ++e) {
                places[place].push_back(
                    entries
                        .at(static_cast<std::size_t>(begin[place / FGK_SLICE_LINES] + e * FGK_SLICE_LINES) +
                            place % FGK_SLICE_LINES)
                        .index);
            }
        }
        const auto ordered = turns(places, together);
        for (auto& line : places) std::sort(line.begin(), line.end());
        const auto ascending = turns(places, together);
        std::printf("%lld columns, 1/256: %.2f turns a read, %.2f in ascending order\n",
                    static_cast<long long>(columns), ordered, ascending);
        EXPECT_LT(ordered, 0.9 * ascending);
    }
}

TEST_F(CudaSparse, TheRoomIsEnoughForTheWorstMatrix) {
    // Of every 64 rows nine are full: the ninth makes a slice as long as the first eight.
    constexpr std::int64_t kRows = 2 * FGK_SORTED_LINES;
    constexpr std::int64_t kColumns = 90;
    std::vector<float> w(kRows * kColumns);
    for (std::int64_t row = 0; row < kRows; row += FGK_SORTED_LINES) {
        std::fill_n(w.begin() + row * kColumns, 9 * kColumns, 1.0F);
    }
    const auto count = nonzeros(w);
    const Array<float> weight(w);
    const auto capacity = fgk_slices_room(kRows, kColumns, count);
    const Slices rows(kRows, capacity);
    const Slices columns(kColumns, fgk_slices_room(kColumns, kRows, count));
    const auto room = workspace(fgk_take_nonzeros_workspace(kRows, kColumns));
    EXPECT_DONE(fgk_take_nonzeros(weight.data(), kRows, kColumns, &rows.view, &columns.view, room.data(), nullptr));
    const auto lines = lines_of(rows, kRows);
    for (std::int64_t row = 0; row < kRows; ++row) {
        const auto expected = row % FGK_SORTED_LINES < 9 ? kColumns : 0;
        EXPECT_EQ(lines[static_cast<std::size_t>(row)].size(), static_cast<std::size_t>(expected));
    }
    // Two slices of 8 times 90 in each window; the room is a line's length in each more.
    EXPECT_EQ(capacity, 2 * (2 * 8 * kColumns) + 2 * kColumns);
}

TEST_F(CudaSparse, WhatFindsNoRoomIsLeftOut) {
    constexpr std::int64_t kRows = 10;
    constexpr std::int64_t kColumns = 20;
    constexpr std::int64_t kRoom = 50;
    const Array<float> weight(std::vector<float>(kRows * kColumns, 1.0F));
    const Slices rows(kRows, kRoom);
    const Slices columns(kColumns, kRoom);
    const auto room = workspace(fgk_take_nonzeros_workspace(kRows, kColumns));
    EXPECT_DONE(fgk_take_nonzeros(weight.data(), kRows, kColumns, &rows.view, &columns.view, room.data(), nullptr));
    for (const auto* slices : {&rows, &columns}) {
        std::size_t taken = 0;
        for (const auto& line : lines_of(*slices, slices == &rows ? kRows : kColumns)) taken += line.size();
        EXPECT_EQ(taken, static_cast<std::size_t>(kRoom));
    }
    // A product reads nothing behind it: row 0 has the entries 0, 8, ... of 50.
    const Array<float> x(std::vector<float>(kColumns, 1.0F));
    const Array<float> y(static_cast<std::size_t>(kRows));
    EXPECT_DONE(
        fgk_sparse_product(x.data(), FGK_F32, 1, kColumns, &rows.view, kRows, nullptr, y.data(), FGK_F32, nullptr));
    EXPECT_EQ(y.values(), (std::vector<float>{7, 7, 6, 6, 6, 6, 6, 6, 0, 0}));
}

TEST_F(CudaSparse, ProductsMatchDenseOnesInBothTypes) {
    // The longest rows of every shape of a block, with what follows it: 16 bytes for four lanes, two and one, then 8.
    // More windows of 64 lines than a block has warps.
    for (const auto& [rows, n, k] : {std::tuple<std::int64_t, std::int64_t, std::int64_t>{1, 3, 5},
                                     {20, 1500, 40},
                                     {35, 3001, 16},
                                     {9, 70, 33},
                                     {40, 600, 257},
                                     {70, 64, 2048},
                                     {35, 136, 4000},
                                     {17, 30, 6000},
                                     {16, 64, 12000},
                                     {5, 12, 12501},
                                     {8, 16, 25000}}) {
        const auto w = weights(n, k, 9);
        const Array<float> weight(w);
        const Slices by_row(n, fgk_slices_room(n, k, nonzeros(w)) + 3);
        const Slices by_column(k, fgk_slices_room(k, n, nonzeros(w)) + 3);
        const auto room = workspace(fgk_take_nonzeros_workspace(n, k));
        EXPECT_DONE(fgk_take_nonzeros(weight.data(), n, k, &by_row.view, &by_column.view, room.data(), nullptr));
        for (const auto& [type, y_type] : {std::pair<std::int32_t, std::int32_t>{FGK_F32, FGK_F32},
                                           {FGK_BF16, FGK_F32},
                                           {FGK_BF16, FGK_BF16},
                                           {FGK_F32, FGK_BF16}}) {
            for (const bool with_bias : {false, true}) {
                SCOPED_TRACE("rows " + std::to_string(rows) + ", n " + std::to_string(n) + ", k " + std::to_string(k));
                // Of a matrix [lines, inner] and x [rows, inner].
                const auto check = [&, rows = rows, type = type, y_type = y_type](
                                       const Slices& a, std::int64_t lines, std::int64_t inner, const auto& entry) {
                    if (inner > fgk_sparse_product_longest(type)) return;  // some devices have less shared memory
                    const Numbers x(normal(rows * inner), type);
                    const Numbers y(static_cast<std::size_t>(rows * lines), y_type);
                    const auto biases = normal(lines);
                    const Array<float> bias(biases);
                    EXPECT_DONE(fgk_sparse_product(x.data(), type, rows, inner, &a.view, lines,
                                                   with_bias ? bias.data() : nullptr, y.data(), y_type, nullptr));
                    const auto xs = x.values();
                    std::vector<double> expected;
                    for (std::int64_t row = 0; row < rows; ++row) {
                        for (std::int64_t i = 0; i < lines; ++i) {
                            double sum = with_bias ? static_cast<double>(biases[static_cast<std::size_t>(i)]) : 0.0;
                            for (std::int64_t j = 0; j < inner; ++j) {
                                sum += static_cast<double>(entry(i, j)) *
                                       static_cast<double>(xs[static_cast<std::size_t>(row * inner + j)]);
                            }
                            expected.push_back(sum);
                        }
                    }
                    // Sums of up to 2,800 products, and a rounding to bf16 of at most 2^-8.
                    EXPECT_LE(relative_error(y.values(), expected, 1.0), y_type == FGK_F32 ? 1e-5 : 4e-3);
                };
                check(by_row, n, k,
                      [&](std::int64_t i, std::int64_t j) { return w[static_cast<std::size_t>(i * k + j)]; });
                check(by_column, k, n,
                      [&](std::int64_t i, std::int64_t j) { return w[static_cast<std::size_t>(j * k + i)]; });
            }
        }
    }
}

TEST_F(CudaSparse, RefusesRowsThatDoNotFit) {
    const auto k = fgk_sparse_product_longest(FGK_F32) + 1;
    const fgk_slices none{};
    EXPECT_REFUSED(fgk_sparse_product(nullptr, FGK_F32, 1, k, &none, 1, nullptr, nullptr, FGK_F32, nullptr),
                   "do not fit into shared memory");
}

}  // namespace
}  // namespace filigree::cuda
