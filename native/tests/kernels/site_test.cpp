// SPDX-License-Identifier: Apache-2.0
// The kernels of a node site against plain loops in double, on every instruction set.
#include "kernels/site.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "kernels/every_isa.hpp"

namespace filigree::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr double kEps = std::numeric_limits<float>::epsilon();

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

/// Rows through one forward kernel, with room for what it writes.
struct Forward {
    std::int64_t n;
    std::int64_t k;
    std::vector<float> x, gain, gate, mean;
    std::vector<float> y, inverse_rms, scratch;
    std::vector<std::uint64_t> kept;

    [[nodiscard]] std::int64_t count() const { return static_cast<std::int64_t>(x.size()) / n; }
    void run(SiteForward* kernel) {
        y.assign(x.size(), kNaN);
        inverse_rms.assign(static_cast<std::size_t>(count()), kNaN);
        kept.assign(static_cast<std::size_t>(count() * kept_words(n)), ~std::uint64_t{0});
        scratch.assign(static_cast<std::size_t>(site_scratch(n)), kNaN);
        SiteRows rows;
        rows.n = n;
        rows.k = k;
        rows.x = x.data();
        rows.x_stride = n;
        rows.gain = gain.data();
        rows.gate = gate.empty() ? nullptr : gate.data();
        rows.mean = mean.data();
        rows.y = y.data();
        rows.inverse_rms = inverse_rms.data();
        rows.kept = kept.data();
        kernel(rows, 0, count(), scratch.data());
    }
    [[nodiscard]] bool is_kept(std::int64_t row, std::int64_t j) const {
        return (kept[static_cast<std::size_t>(row * kept_words(n) + j / 64)] >> (j % 64) & 1U) != 0;
    }
};

class AbsTopKKernel : public EveryIsa {
protected:
    /// The kept set is that of the sort, and every entry is itself or 0.
    static void expect_exact(std::vector<float> x, std::int64_t n, std::int64_t k) {
        SCOPED_TRACE("n " + std::to_string(n) + ", k " + std::to_string(k));
        Forward forward{n, k, std::move(x), {}, {}, {}, {}, {}, {}, {}};
        forward.run(table().abs_topk_forward);
        for (std::int64_t row = 0; row < forward.count(); ++row) {
            const auto expected = kept_by_sorting(forward.x.data() + row * n, n, k);
            for (std::int64_t j = 0; j < n; ++j) {
                const auto i = static_cast<std::size_t>(row * n + j);
                ASSERT_EQ(forward.is_kept(row, j), expected[static_cast<std::size_t>(j)]) << "row " << row << ", " << j;
                const auto wanted = expected[static_cast<std::size_t>(j)] ? forward.x[i] : 0.0F;
                ASSERT_EQ(std::bit_cast<std::uint32_t>(forward.y[i]), std::bit_cast<std::uint32_t>(wanted));
            }
            for (auto j = n; j < 64 * kept_words(n); ++j) ASSERT_FALSE(forward.is_kept(row, j)) << "padding " << j;
        }
    }
};

TEST_P(AbsTopKKernel, KeepsWhatAStableSortPutsFirst) {
    for (const std::int64_t n : {1, 2, 7, 16, 63, 64, 65, 100, 128, 257, 1000, 1024, 4099, 8192}) {
        for (const auto k : {std::int64_t{1}, n / 4, n / 2, n - 1, n}) {
            if (k >= 1) expect_exact(random_values(5 * n), n, k);
        }
    }
}

TEST_P(AbsTopKKernel, GivesTiesToTheLowerIndex) {
    for (const std::int64_t n : {5, 64, 130, 1024}) {
        auto few_values = random_values(4 * n);
        for (auto& value : few_values) value = std::round(value);  // many zeros of both signs, many ones
        expect_exact(few_values, n, n / 4);
        expect_exact(few_values, n, n / 2 + 1);
        expect_exact(std::vector<float>(static_cast<std::size_t>(n), -1.5F), n, n / 2);
        auto zeros = std::vector<float>(static_cast<std::size_t>(n));
        for (std::size_t j = 0; j < zeros.size(); j += 3) zeros[j] = -0.0F;
        expect_exact(zeros, n, n / 4);
    }
}

TEST_P(AbsTopKKernel, OrdersExtremesByTheirBits) {
    auto x = random_values(300);
    x[7] = kNaN;
    x[200] = -kInfinity;
    x[201] = kInfinity;
    x[30] = std::numeric_limits<float>::max();
    x[31] = std::numeric_limits<float>::denorm_min();
    x[250] = std::bit_cast<float>(0xffffffffU);  // the NaN of the largest magnitude there is
    for (const std::int64_t k : {1, 2, 3, 4, 5, 75, 299}) expect_exact(x, 300, k);
    expect_exact(std::vector<float>(70, kNaN), 70, 3);
    expect_exact(std::vector<float>(70, std::bit_cast<float>(0x7fffffffU)), 70, 3);
}

TEST_P(AbsTopKKernel, DoesNotDependOnTheRowsBefore) {
    constexpr std::int64_t kWidth = 256;
    auto x = random_values(8 * kWidth);
    for (std::size_t i = 0; i < x.size(); ++i)
        x[i] *= std::pow(10.0F, static_cast<float>(i / kWidth % 4) * 5.0F - 8.0F);
    expect_exact(std::move(x), kWidth, kWidth / 4);
}
FILIGREE_EVERY_ISA(AbsTopKKernel);

class SiteKernels : public EveryIsa {};

// Bound: GELU is x times the normal distribution, whose tail is e t P(t): the fit adds 4e-9, exp 2 roundings, the
// polynomial, its factors and the product with x about 8 more. LibTorch's own is only as good in absolute terms.
TEST_P(SiteKernels, GeluIsWithinTenRoundingsOfTheFormulaOnBothSides) {
    constexpr std::int64_t kCount = 20000;
    Forward forward{kCount, kCount, {}, {}, {}, {}, {}, {}, {}, {}};
    for (std::int64_t i = 0; i < kCount; ++i) {
        forward.x.push_back(static_cast<float>(-13.0 + 26.0 * static_cast<double>(i) / kCount));
    }
    forward.run(table().gelu_topk_forward);
    for (std::int64_t i = 0; i < kCount; ++i) {
        const double x = forward.x[static_cast<std::size_t>(i)];
        const auto exact = 0.5 * x * std::erfc(-x / std::sqrt(2.0));
        ASSERT_NEAR(forward.y[static_cast<std::size_t>(i)], exact, 10.0 * kEps * std::abs(exact) + 1e-37) << "at " << x;
    }
}

TEST_P(SiteKernels, GeluOfExtremesIsWhatTheFormulaSays) {
    Forward forward{6, 6, {kInfinity, 1e30F, 0.0F, -1e30F, 100.0F, kNaN}, {}, {}, {}, {}, {}, {}, {}};
    forward.run(table().gelu_topk_forward);
    EXPECT_EQ(forward.y[0], kInfinity);
    EXPECT_EQ(forward.y[1], 1e30F);
    EXPECT_EQ(forward.y[2], 0.0F);
    EXPECT_EQ(forward.y[3], 0.0F);
    EXPECT_EQ(forward.y[4], 100.0F);
    EXPECT_TRUE(std::isnan(forward.y[5]));
}

/// The three sources of a site in double: u and du/dx . v for a row.
enum class Source : std::uint8_t { kIdentity, kRmsNorm, kGelu };

std::vector<double> value_of(Source source, const std::vector<double>& x, const std::vector<float>& gain) {
    double squares = 0.0;
    for (const auto value : x) squares += value * value;
    const auto r = 1.0 / std::sqrt(squares / static_cast<double>(x.size()) + kEps);
    std::vector<double> u;
    for (std::size_t j = 0; j < x.size(); ++j) {
        switch (source) {
            case Source::kIdentity:
                u.push_back(x[j]);
                break;
            case Source::kRmsNorm:
                u.push_back(x[j] * r * gain[j]);
                break;
            case Source::kGelu:
                u.push_back(0.5 * x[j] * std::erfc(-x[j] / std::sqrt(2.0)));
                break;
        }
    }
    return u;
}

// Gradients against central differences of the formulas in double, with the kept set and the gate held fixed. Bound:
// the sums over a row round about n / lanes + log n times; 1e-5 of the largest entry leaves room for n = 300.
TEST_P(SiteKernels, GradientsAreThoseOfFiniteDifferences) {
    struct Pair {
        Source source;
        SiteForward* forward;
        SiteBackward* backward;
    };
    for (const auto& [source, run_forward, run_backward] :
         {Pair{Source::kIdentity, table().abs_topk_forward, table().abs_topk_backward},
          Pair{Source::kRmsNorm, table().rms_norm_topk_forward, table().rms_norm_topk_backward},
          Pair{Source::kGelu, table().gelu_topk_forward, table().gelu_topk_backward}}) {
        for (const std::int64_t n : {3, 17, 64, 300}) {
            for (const bool gated : {false, true}) {
                SCOPED_TRACE("source " + std::to_string(static_cast<int>(source)) + ", n " + std::to_string(n) +
                             (gated ? ", gated" : ""));
                constexpr std::int64_t kRows = 3;
                Forward forward{
                    n, std::max<std::int64_t>(1, n / 3), random_values(kRows * n), random_values(n), {}, {}, {}, {}, {},
                    {}};
                if (gated) {
                    forward.gate = random_values(n);
                    forward.mean = random_values(n);
                }
                forward.run(run_forward);
                const auto dy = random_values(kRows * n);
                std::vector<float> dx(dy.size(), kNaN);
                std::vector<float> dgain(static_cast<std::size_t>(n), 1.0F);  // added to, so it starts at something
                std::vector<float> dgate(static_cast<std::size_t>(n), 1.0F);
                SiteGradients rows;
                rows.n = n;
                rows.dy = dy.data();
                rows.dy_stride = n;
                rows.x = forward.x.data();
                rows.x_stride = n;
                rows.gain = forward.gain.data();
                rows.gate = gated ? forward.gate.data() : nullptr;
                rows.mean = forward.mean.data();
                rows.inverse_rms = forward.inverse_rms.data();
                rows.kept = forward.kept.data();
                rows.dx = dx.data();
                rows.dx_stride = n;
                rows.dgain = source == Source::kRmsNorm ? dgain.data() : nullptr;
                rows.dgate = gated ? dgate.data() : nullptr;
                run_backward(rows, 0, kRows, forward.scratch.data());

                // sum(dy * y) with the entries of one row replaced
                const auto objective = [&](std::int64_t row, const std::vector<double>& x,
                                           const std::vector<float>& gain, const std::vector<float>& gate) {
                    const auto u = value_of(source, x, gain);
                    double total = 0.0;
                    for (std::int64_t j = 0; j < n; ++j) {
                        const auto i = static_cast<std::size_t>(j);
                        const auto s = forward.is_kept(row, j) ? u[i] : 0.0;
                        const auto y = gated ? s * gate[i] + forward.mean[i] * (1.0 - gate[i]) : s;
                        total += y * dy[static_cast<std::size_t>(row * n + j)];
                    }
                    return total;
                };
                double scale = 1.0;
                for (const auto value : dx) scale = std::max(scale, static_cast<double>(std::abs(value)));
                constexpr double kStep = 1e-4;
                std::vector<double> expected_dgain(static_cast<std::size_t>(n), 1.0);
                std::vector<double> expected_dgate(static_cast<std::size_t>(n), 1.0);
                for (std::int64_t row = 0; row < kRows; ++row) {
                    std::vector<double> x(forward.x.begin() + row * n, forward.x.begin() + (row + 1) * n);
                    for (std::size_t j = 0; j < x.size(); ++j) {
                        const auto at = [&](double shift) {
                            auto moved = x;
                            moved[j] += shift;
                            return objective(row, moved, forward.gain, forward.gate);
                        };
                        const auto slope = (at(kStep) - at(-kStep)) / (2.0 * kStep);
                        ASSERT_NEAR(dx[static_cast<std::size_t>(row * n) + j], slope, 1e-5 * scale);
                        // Linear in gain and gate: a difference of one step of 1 is exact.
                        auto gain = forward.gain;
                        auto gate = forward.gate;
                        const auto base = objective(row, x, gain, gate);
                        gain[j] += 1.0F;
                        expected_dgain[j] += objective(row, x, gain, gate) - base;
                        if (gated) {
                            gate[j] += 1.0F;
                            expected_dgate[j] += objective(row, x, forward.gain, gate) - base;
                        }
                    }
                }
                for (std::size_t j = 0; j < static_cast<std::size_t>(n); ++j) {
                    if (rows.dgain != nullptr) {
                        ASSERT_NEAR(dgain[j], expected_dgain[j], 1e-5 * scale) << j;
                    }
                    if (rows.dgate != nullptr) {
                        ASSERT_NEAR(dgate[j], expected_dgate[j], 1e-5 * scale) << j;
                    }
                }
            }
        }
    }
}
FILIGREE_EVERY_ISA(SiteKernels);

}  // namespace
}  // namespace filigree::kernels
