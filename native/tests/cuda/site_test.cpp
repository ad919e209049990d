// SPDX-License-Identifier: Apache-2.0
// The kernels of a node site against plain loops in double.
#include <algorithm>
#include <numeric>

#include "cuda/kernel_fixture.hpp"

namespace filigree::cuda {
namespace {

// Largest difference over the largest magnitude expected:
//   fp32 value 1e-6, gradient 4e-6   roundings of 6e-8: a handful per entry, and those of a sum over a row
//   fp32 sums 3e-5                   sums over all rows, which cancel
//   bf16 5e-3, sums 5e-3             one rounding of 2^-9 of what is written; sums are of rounded terms
struct Bounds {
    double value, gradient, sum;
};
Bounds bounds_of(std::int32_t type) { return type == FGK_F32 ? Bounds{1e-6, 4e-6, 3e-5} : Bounds{5e-3, 5e-3, 5e-3}; }

constexpr double kEps = std::numeric_limits<float>::epsilon();
double cumulative(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }
double density(double x) { return std::exp(-0.5 * x * x) / std::sqrt(2.0 * std::acos(-1.0)); }

/// Which entries a stable sort by the bits of the magnitude puts first.
std::vector<bool> kept_by_sorting(const float* row, std::int64_t n, std::int64_t k) {
    std::vector<std::size_t> order(static_cast<std::size_t>(n));
    std::iota(order.begin(), order.end(), 0U);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return std::bit_cast<std::uint32_t>(std::abs(row[a])) > std::bit_cast<std::uint32_t>(std::abs(row[b]));
    });
    std::vector<bool> kept(static_cast<std::size_t>(n));
    for (std::int64_t i = 0; i < k; ++i) kept[order[static_cast<std::size_t>(i)]] = true;
    return kept;
}

class CudaSite : public CudaKernel {
protected:
    struct Case {
        std::int64_t rows, n, k;
        std::int32_t source = FGK_IDENTITY;
        std::int32_t x_type = FGK_F32, y_type = FGK_F32;
        bool gated = false;
        bool frozen = false;      ///< neither bias nor gain is learnt
        bool added = false;       ///< to a residual
        bool also = false;        ///< x has a gradient from elsewhere
        std::int64_t stride = 0;  // of x and dx, 0 for n
    };

    std::vector<bool> kept_bits(const std::vector<std::uint32_t>& words, std::int64_t n, std::int64_t row) {
        std::vector<bool> kept(static_cast<std::size_t>(n));
        const auto per_row = 2 * ((n + 63) / 64);
        for (std::int64_t j = 0; j < 32 * per_row; ++j) {
            const bool bit = (words[static_cast<std::size_t>(row * per_row + j / 32)] >> (j % 32) & 1U) != 0;
            if (j < n) {
                kept[static_cast<std::size_t>(j)] = bit;
            } else {
                EXPECT_FALSE(bit) << "padding " << j;
            }
        }
        return kept;
    }

    /// AbsTopK alone: the kept set is exactly that of the sort, and every entry is itself or 0.
    void expect_exact(const std::vector<float>& x, std::int64_t n, std::int64_t k, std::int32_t type) {
        SCOPED_TRACE("n " + std::to_string(n) + ", k " + std::to_string(k) + ", type " + std::to_string(type));
        const auto rows = static_cast<std::int64_t>(x.size()) / n;
        const Numbers input(x, type);
        const Numbers y(x.size(), type);
        const Array<std::uint32_t> kept(static_cast<std::size_t>(rows * 2 * ((n + 63) / 64)));
        fgk_site site{};
        site.rows = rows, site.n = n, site.k = k;
        site.x = input.data(), site.x_stride = n, site.y = y.data(), site.kept = kept.data();
        site.x_type = site.y_type = type;
        EXPECT_DONE(fgk_site_forward(&site, nullptr));
        const auto seen = input.values();
        const auto actual = y.values();
        const auto words = kept.values();
        for (std::int64_t row = 0; row < rows; ++row) {
            const auto expected = kept_by_sorting(seen.data() + row * n, n, k);
            ASSERT_EQ(kept_bits(words, n, row), expected) << "row " << row;
            for (std::int64_t j = 0; j < n; ++j) {
                const auto i = static_cast<std::size_t>(row * n + j);
                const auto wanted = expected[static_cast<std::size_t>(j)] ? seen[i] : 0.0F;
                if (std::isnan(wanted)) {
                    ASSERT_TRUE(std::isnan(actual[i]));
                } else {
                    ASSERT_EQ(std::bit_cast<std::uint32_t>(actual[i]), std::bit_cast<std::uint32_t>(wanted));
                }
            }
        }
    }

    /// Forward and backward of one case.
    void expect_close(const Case& c) {
        SCOPED_TRACE("rows " + std::to_string(c.rows) + ", n " + std::to_string(c.n) + ", source " +
                     std::to_string(c.source) + ", types " + std::to_string(c.x_type) + std::to_string(c.y_type) +
                     (c.gated ? ", gated" : "") + (c.added ? ", added" : "") + (c.also ? ", also" : ""));
        const auto n = c.n;
        const auto stride = c.stride == 0 ? n : c.stride;
        const bool norm = c.source == FGK_RMS_NORM;
        const Numbers x(normal(c.rows * stride, 1.5F), c.x_type);
        const Numbers dy(normal(c.rows * n), c.y_type);
        const Array<float> bias(normal(n));
        const Array<float> gain(normal(n));
        const Array<float> gate(normal(n));
        const Array<float> mean(normal(n));
        const Array<float> residual(normal(c.rows * n));
        const Numbers y(static_cast<std::size_t>(c.rows * n), c.y_type);
        const Numbers dx(static_cast<std::size_t>(c.rows * stride), c.x_type);
        const Array<float> inverse_rms(static_cast<std::size_t>(c.rows));
        const Array<std::uint32_t> kept(static_cast<std::size_t>(c.rows * 2 * ((n + 63) / 64)));
        fgk_site site{};
        site.rows = c.rows, site.n = n, site.k = c.k;
        site.x = x.data(), site.x_stride = stride;
        site.bias = norm ? nullptr : bias.data();
        site.gain = norm ? gain.data() : nullptr;
        site.gate = c.gated ? gate.data() : nullptr;
        site.mean = c.gated ? mean.data() : nullptr;
        site.residual = c.added ? residual.data() : nullptr;
        site.y = y.data(), site.inverse_rms = norm ? inverse_rms.data() : nullptr, site.kept = kept.data();
        site.source = c.source, site.x_type = c.x_type, site.y_type = c.y_type;
        EXPECT_DONE(fgk_site_forward(&site, nullptr));

        const auto start = normal(n);  // sums are added to
        const Array<float> dcolumns(start);
        const Array<float> dgate(start);
        fgk_site_gradients g{};
        g.rows = c.rows, g.n = n, g.dy = dy.data(), g.x = x.data(), g.x_stride = stride;
        g.bias = site.bias, g.gain = site.gain, g.gate = site.gate, g.mean = site.mean;
        const Array<float> also(normal(c.rows * n));
        g.also = c.also ? also.data() : nullptr;
        g.inverse_rms = site.inverse_rms, g.kept = kept.data(), g.dx = dx.data(), g.dx_stride = stride;
        g.dbias = norm || c.frozen ? nullptr : dcolumns.data();
        g.dgain = norm && !c.frozen ? dcolumns.data() : nullptr;
        g.dgate = c.gated ? dgate.data() : nullptr;
        g.source = c.source, g.x_type = c.x_type, g.y_type = c.y_type;
        const auto room = workspace(fgk_site_backward_workspace(c.rows, n));
        EXPECT_DONE(fgk_site_backward(&g, room.data(), nullptr));

        const auto xs = x.values();
        const auto dys = dy.values();
        const auto biases = bias.values();
        const auto gains = gain.values();
        const auto gates = gate.values();
        const auto means = mean.values();
        const auto residuals = residual.values();
        const auto elsewhere = also.values();
        const auto words = kept.values();
        std::vector<double> y_expected;
        std::vector<double> dx_expected;
        std::vector<double> columns_expected(start.begin(), start.end());
        std::vector<double> gate_expected(start.begin(), start.end());
        for (std::int64_t row = 0; row < c.rows; ++row) {
            const auto keep = kept_bits(words, n, row);
            std::vector<double> b;
            double squares = 0.0;
            for (std::int64_t j = 0; j < n; ++j) {
                const auto at = static_cast<std::size_t>(j);
                b.push_back(static_cast<double>(xs[static_cast<std::size_t>(row * stride + j)]) +
                            (norm ? 0.0 : static_cast<double>(biases[at])));
                squares += b.back() * b.back();
            }
            const auto inverse = 1.0 / std::sqrt(squares / static_cast<double>(n) + kEps);
            std::vector<double> u;
            for (std::size_t j = 0; j < b.size(); ++j) {
                u.push_back(norm                   ? b[j] * inverse * static_cast<double>(gains[j])
                            : c.source == FGK_GELU ? b[j] * cumulative(b[j])
                                                   : b[j]);
            }
            // Near the threshold fp32 may choose another entry than double; that it keeps k of the largest is enough.
            EXPECT_EQ(std::count(keep.begin(), keep.end(), true), c.k);
            double least_kept = std::numeric_limits<double>::infinity();
            double most_dropped = 0.0;
            for (std::size_t j = 0; j < u.size(); ++j) {
                if (keep[j]) least_kept = std::min(least_kept, std::abs(u[j]));
                if (!keep[j]) most_dropped = std::max(most_dropped, std::abs(u[j]));
            }
            EXPECT_GE(least_kept, most_dropped * (1.0 - 1e-5) - 1e-6);
            std::vector<double> du;
            double dot = 0.0;
            for (std::size_t j = 0; j < u.size(); ++j) {
                const auto s = keep[j] ? u[j] : 0.0;
                const double g_j = c.gated ? static_cast<double>(gates[j]) : 1.0;
                const double m_j = c.gated ? static_cast<double>(means[j]) : 0.0;
                const auto at = static_cast<std::size_t>(row * n) + j;
                const double dy_j = static_cast<double>(dys[at]);
                y_expected.push_back(s * g_j + m_j * (1.0 - g_j) +
                                     (c.added ? static_cast<double>(residuals[at]) : 0.0));
                gate_expected[j] += dy_j * (s - m_j);
                du.push_back(keep[j] ? dy_j * g_j : 0.0);
                dot += du[j] * static_cast<double>(gains[j]) * b[j] * inverse;
            }
            for (std::size_t j = 0; j < u.size(); ++j) {
                double value = du[j];
                if (norm) {
                    value = inverse *
                            (du[j] * static_cast<double>(gains[j]) - b[j] * inverse * dot / static_cast<double>(n));
                    columns_expected[j] += du[j] * b[j] * inverse;
                } else {
                    if (c.source == FGK_GELU) value *= cumulative(b[j]) + b[j] * density(b[j]);
                    columns_expected[j] += value;
                }
                const auto at = static_cast<std::size_t>(row * n) + j;
                dx_expected.push_back(value + (c.also ? static_cast<double>(elsewhere[at]) : 0.0));
            }
        }
        const auto value_bounds = bounds_of(c.y_type);
        const auto gradient_bounds = bounds_of(c.x_type);
        EXPECT_LE(relative_error(y.values(), y_expected), value_bounds.value);
        const auto strided = dx.values();
        std::vector<float> dx_actual;
        for (std::int64_t row = 0; row < c.rows; ++row) {
            for (std::int64_t j = 0; j < stride; ++j) {
                const auto value = strided[static_cast<std::size_t>(row * stride + j)];
                if (j < n) {
                    dx_actual.push_back(value);
                } else {
                    EXPECT_TRUE(std::isnan(value)) << "written beside a row";
                }
            }
        }
        EXPECT_LE(relative_error(dx_actual, dx_expected), gradient_bounds.gradient);
        if (c.frozen) {
            EXPECT_EQ(dcolumns.values(), start);
        } else {
            EXPECT_LE(relative_error(dcolumns.values(), columns_expected), bounds_of(FGK_F32).sum);
        }
        if (c.gated) {
            EXPECT_LE(relative_error(dgate.values(), gate_expected), bounds_of(FGK_F32).sum);
        }
    }
};

TEST_F(CudaSite, KeepsExactlyTheLargestOfRandomRows) {
    for (const std::int64_t n : {1, 3, 36, 128, 200, 500, 1000, 2048, 3001}) {
        for (const std::int64_t k : {std::int64_t{1}, (n + 3) / 4, n - 1, n}) {
            if (k < 1) continue;
            expect_exact(normal(3 * n), n, k, FGK_F32);
            expect_exact(normal(3 * n), n, k, FGK_BF16);
        }
    }
    expect_exact(normal(2 * 8000), 8000, 2000, FGK_F32);
    expect_exact(normal(16384), 16384, 4096, FGK_BF16);
}

TEST_F(CudaSite, GoesByIndexAmongEqualsZerosInfinitiesAndNaN) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    for (const std::int64_t n : {40, 300, 1500, 2048, 2500}) {
        std::vector<float> x;
        for (const float value : {0.0F, -1.5F, kInfinity, kNaN, 1e-42F})
            x.insert(x.end(), static_cast<std::size_t>(n), value);
        for (int row = 0; row < 3; ++row) {  // few different values, some of them zero
            for (std::int64_t j = 0; j < n; ++j) x.push_back(static_cast<float>(below(5) - 2) * 0.5F);
        }
        auto sparse = normal(n);  // fewer nonzeros than k
        for (auto& value : sparse) value = below(10) == 0 ? value : (below(2) == 0 ? 0.0F : -0.0F);
        x.insert(x.end(), sparse.begin(), sparse.end());
        auto special = normal(n);
        special[static_cast<std::size_t>(below(n))] = kNaN;
        special[static_cast<std::size_t>(below(n))] = -kInfinity;
        x.insert(x.end(), special.begin(), special.end());
        for (const std::int64_t k : {std::int64_t{1}, n / 4, n - 1}) {
            for (const std::int32_t type : {FGK_F32, FGK_BF16}) expect_exact(x, n, k, type);
        }
    }
}

TEST_F(CudaSite, MatchesTheFormulaWithItsGradients) {
    for (const std::int64_t n : {36, 130, 600, 2100}) {
        for (const std::int32_t source : {FGK_IDENTITY, FGK_RMS_NORM, FGK_GELU}) {
            for (const bool gated : {false, true}) {
                expect_close({.rows = 19, .n = n, .k = n / 4, .source = source, .gated = gated});
            }
        }
    }
    expect_close({.rows = 5, .n = 4500, .k = 4500, .source = FGK_GELU});
    for (const std::int32_t source : {FGK_RMS_NORM, FGK_GELU}) {
        for (const std::int64_t n : {300, 9001}) {  // the longest rows have kernels of their own
            for (const auto& [gated, frozen] : {std::pair(false, false), {true, false}, {true, true}, {false, true}}) {
                expect_close({.rows = 2, .n = n, .k = 100, .source = source, .gated = gated, .frozen = frozen});
            }
        }
    }
}

TEST_F(CudaSite, TakesAndGivesBf16) {
    for (const std::int32_t source : {FGK_IDENTITY, FGK_RMS_NORM, FGK_GELU}) {
        expect_close({.rows = 9, .n = 256, .k = 64, .source = source, .x_type = FGK_BF16, .y_type = FGK_BF16});
        for (const std::int64_t n : {133, 1500, 2048, 2104, 4500}) {
            expect_close({.rows = 5,
                          .n = n,
                          .k = n / 4,
                          .source = source,
                          .x_type = FGK_F32,
                          .y_type = FGK_BF16,
                          .gated = true});
        }
    }
}

TEST_F(CudaSite, AddsItselfToAResidual) {
    for (const std::int32_t x_type : {FGK_F32, FGK_BF16}) {
        for (const std::int64_t n : {133, 512, 1500, 2048, 2104, 6008, 9008}) {
            for (const bool gated : {false, true}) {
                expect_close({.rows = 9, .n = n, .k = n / 4, .x_type = x_type, .gated = gated, .added = true});
            }
        }
    }
    for (const std::int32_t source : {FGK_GELU, FGK_RMS_NORM}) {
        for (const std::int64_t n : {264, 2048}) {
            expect_close({.rows = 5, .n = n, .k = n / 4, .source = source, .added = true});
        }
    }
}

TEST_F(CudaSite, SearchesAnewWhereRowsAreNotAlike) {
    // More rows than groups of threads that a device runs at a time; of longer ones that is so in the emulation alone.
    for (const auto& [n, rows] :
         {std::pair<std::int64_t, int>{48, 12000}, {200, 30}, {1000, 30}, {2048, 30}, {2500, 30}}) {
        std::vector<float> x;
        for (int row = 0; row < rows; ++row) {  // of scales far apart
            const auto values = normal(n, std::exp2(static_cast<float>(below(60) - 30)));
            const auto part = static_cast<std::int64_t>(below(4));
            for (const auto value : values) x.push_back(part == 0 && below(5) != 0 ? 0.0F : value);
        }
        for (const std::int32_t type : {FGK_F32, FGK_BF16}) expect_exact(x, n, n / 4, type);
    }
}

TEST_F(CudaSite, TakesAGradientFromElsewhere) {
    for (const std::int32_t y_type : {FGK_F32, FGK_BF16}) {
        for (const std::int64_t n : {133, 512}) {
            expect_close(
                {.rows = 9, .n = n, .k = n / 4, .source = FGK_RMS_NORM, .y_type = y_type, .gated = true, .also = true});
        }
    }
    expect_close({.rows = 9, .n = 64, .k = 16, .also = true});
}

TEST_F(CudaSite, LeavesWhatLiesBesideItsRowsAlone) {
    expect_close({.rows = 11, .n = 64, .k = 16, .stride = 192});
    expect_close({.rows = 11, .n = 50, .k = 16, .source = FGK_GELU, .stride = 53});
}

TEST_F(CudaSite, AddsUpManyRowsInTheSameOrderEveryTime) {
    constexpr std::int64_t kRows = 9000;  // more than groups of threads
    constexpr std::int64_t kWidth = 8;
    const Array<float> x(normal(kRows * kWidth));
    const Array<float> dx(static_cast<std::size_t>(kRows * kWidth));
    const Array<std::uint32_t> kept(static_cast<std::size_t>(2 * kRows));  // all bits set
    const auto room = workspace(fgk_site_backward_workspace(kRows, kWidth));
    std::vector<float> first;
    for (int run = 0; run < 2; ++run) {
        const Array<float> dbias(std::vector<float>(kWidth, 0.0F));
        fgk_site_gradients g{};
        g.rows = kRows, g.n = kWidth, g.dy = x.data(), g.x = x.data(), g.x_stride = kWidth;
        g.kept = kept.data(), g.dx = dx.data(), g.dx_stride = kWidth, g.dbias = dbias.data();
        EXPECT_DONE(fgk_site_backward(&g, room.data(), nullptr));
        if (run == 0) {
            first = dbias.values();
        } else {
            EXPECT_EQ(dbias.values(), first);
        }
    }
    std::vector<double> expected(kWidth);
    const auto values = x.values();
    for (std::size_t i = 0; i < values.size(); ++i) expected[i % kWidth] += static_cast<double>(values[i]);
    EXPECT_LE(relative_error(first, expected), 3e-5);
}

TEST_F(CudaSite, RefusesWhatItCannotDo) {
    fgk_site site{};
    EXPECT_DONE(fgk_site_forward(&site, nullptr));  // no rows
    site.rows = 1;
    site.n = FGK_LONGEST_ROW + 1;
    site.k = 1;
    EXPECT_REFUSED(fgk_site_forward(&site, nullptr), "rows of 1 to 16384");
    site.n = 8;
    site.k = 9;
    EXPECT_REFUSED(fgk_site_forward(&site, nullptr), "k is in 1..n");
    site.k = 2;
    site.source = 7;
    EXPECT_REFUSED(fgk_site_forward(&site, nullptr), "unknown source");
    const float residual = 0.0F;
    site.source = FGK_IDENTITY;
    site.residual = &residual;
    site.y_type = FGK_BF16;
    EXPECT_REFUSED(fgk_site_forward(&site, nullptr), "a residual makes y fp32");
    fgk_site_gradients gradients{};
    gradients.rows = 1, gradients.n = 8;
    gradients.also = &residual;
    gradients.x_type = gradients.y_type = FGK_BF16;
    EXPECT_REFUSED(fgk_site_backward(&gradients, nullptr, nullptr), "takes no other gradient");
}

}  // namespace
}  // namespace filigree::cuda
