// SPDX-License-Identifier: Apache-2.0
// Norm, Adam, projection and decay against loops in double and a sort.
#include <algorithm>
#include <numeric>

#include "cuda/kernel_fixture.hpp"

namespace filigree::cuda {
namespace {

std::uint32_t magnitude_bits(float x) { return std::bit_cast<std::uint32_t>(std::abs(x)); }

/// What is left of w: by sorting, equals to the lower index, forced entries first.
std::vector<float> projected(const std::vector<float>& w, const fgk_tensor& t) {
    if (t.kept < 0 || t.kept >= t.rows * t.columns) {
        auto scaled = w;
        for (auto& x : scaled) x *= t.decay;
        return scaled;
    }
    std::vector<bool> forced(w.size());
    const auto larger = [&](std::size_t a, std::size_t b) { return magnitude_bits(w[a]) > magnitude_bits(w[b]); };
    if (t.axis != FGK_NO_LINES) {
        const auto lines = t.axis == FGK_ROWS ? t.rows : t.columns;
        const auto length = t.axis == FGK_ROWS ? t.columns : t.rows;
        for (std::int64_t line = 0; line < lines; ++line) {
            std::vector<std::size_t> order;
            for (std::int64_t i = 0; i < length; ++i) {
                order.push_back(
                    static_cast<std::size_t>(t.axis == FGK_ROWS ? line * t.columns + i : i * t.columns + line));
            }
            std::stable_sort(order.begin(), order.end(), larger);
            for (std::int64_t i = 0; i < std::min<std::int64_t>(t.minimum_alive, length); ++i) {
                forced[order[static_cast<std::size_t>(i)]] = true;
            }
        }
    }
    std::vector<std::size_t> order(w.size());
    std::iota(order.begin(), order.end(), 0U);
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return forced[a] != forced[b] ? forced[a] : larger(a, b); });
    std::vector<float> kept(w.size(), 0.0F);
    for (std::int64_t i = 0; i < t.kept; ++i) {
        const auto at = order[static_cast<std::size_t>(i)];
        kept[at] = w[at] * t.decay;
    }
    return kept;
}

class CudaOptimizer : public CudaKernel {
protected:
    void add(std::int64_t rows, std::int64_t columns, std::int64_t kept, std::int32_t axis, std::int32_t alive,
             const std::vector<float>& values, float decay = 0.75F) {
        fgk_tensor t{};
        t.offset = static_cast<std::int64_t>(flat_.size());
        t.rows = rows, t.columns = columns, t.kept = kept, t.axis = axis, t.minimum_alive = alive, t.decay = decay;
        tensors_.push_back(t);
        ASSERT_EQ(static_cast<std::int64_t>(values.size()), rows * columns);
        flat_.insert(flat_.end(), values.begin(), values.end());
    }
    [[nodiscard]] std::int32_t count() const { return static_cast<std::int32_t>(tensors_.size()); }

    void expect_projected(const std::vector<float>& before, const std::vector<float>& after) {
        for (std::size_t i = 0; i < tensors_.size(); ++i) {
            const auto& t = tensors_[i];
            const auto begin = before.begin() + t.offset;
            const auto expected = projected({begin, begin + t.rows * t.columns}, t);
            for (std::size_t j = 0; j < expected.size(); ++j) {
                ASSERT_EQ(after[static_cast<std::size_t>(t.offset) + j], expected[j])
                    << "tensor " << i << ", entry " << j;
            }
        }
    }
    void project_all() {
        const Array<float> w(flat_);
        const auto room = workspace(fgk_project_workspace(tensors_.data(), count()));
        EXPECT_DONE(fgk_project(tensors_.data(), count(), w.data(), room.data(), nullptr));
        expect_projected(flat_, w.values());
        static_cast<void>(room.values());  // its guards
    }

    std::vector<fgk_tensor> tensors_;
    std::vector<float> flat_;
};

TEST_F(CudaOptimizer, KeepsExactlyTheLargestOfManyTensors) {
    for (const std::int64_t kept : {0, 1, 10, 100, 899}) add(30, 30, kept, FGK_NO_LINES, 0, normal(900, 0.02F));
    add(1, 37, 5, FGK_NO_LINES, 0, normal(37));
    add(200, 150, 470, FGK_NO_LINES, 0, normal(30000));
    add(7, 11, -1, FGK_NO_LINES, 0, normal(77), 1.0F);
    add(7, 11, -1, FGK_NO_LINES, 0, normal(77), 0.5F);
    add(5, 5, 25, FGK_NO_LINES, 0, normal(25), 0.5F);
    for (int i = 0; i < 30; ++i) add(4, 9, below(36), FGK_NO_LINES, 0, normal(36));  // more than one upload
    project_all();
}

TEST_F(CudaOptimizer, TiesGoToTheLowerIndex) {
    const std::int64_t n = 20000;  // more than the lists hold
    add(100, 200, 7777, FGK_NO_LINES, 0, std::vector<float>(n, -0.5F));
    add(100, 200, 7777, FGK_NO_LINES, 0, std::vector<float>(n, 0.0F));
    std::vector<float> few;
    for (std::int64_t i = 0; i < n; ++i) few.push_back(static_cast<float>(below(4) - 2));
    add(100, 200, 3000, FGK_NO_LINES, 0, few);
    add(100, 200, 12000, FGK_NO_LINES, 0, few);
    std::vector<float> near;  // equal in the bits of the first two passes
    for (std::int64_t i = 0; i < n; ++i)
        near.push_back(std::bit_cast<float>(0x3f800000U + static_cast<std::uint32_t>(below(7))));
    add(100, 200, 5000, FGK_NO_LINES, 0, near);
    auto sparse = normal(n);
    for (auto& x : sparse) x = below(50) == 0 ? x : 0.0F;
    add(100, 200, 5000, FGK_NO_LINES, 0, sparse);  // fewer nonzeros than are kept
    project_all();
}

TEST_F(CudaOptimizer, EveryLineKeepsItsMinimum) {
    for (const std::int32_t alive : {1, 4, 6, 9}) {
        add(40, 60, 40 * alive + 100, FGK_ROWS, alive, normal(2400));
        add(40, 60, 60 * alive + 100, FGK_COLUMNS, alive, normal(2400));
    }
    add(40, 60, 160, FGK_ROWS, 4, normal(2400));                       // nothing but forced entries
    add(40, 60, 300, FGK_COLUMNS, 4, std::vector<float>(2400, 1.0F));  // all equal
    auto rows = normal(2400);
    for (std::size_t i = 0; i < 1200; ++i) rows[i] = 0.0F;  // lines without nonzeros
    add(40, 60, 700, FGK_ROWS, 4, rows);
    add(3, 2, 6, FGK_ROWS, 4, normal(6));  // lines shorter than the minimum
    add(3, 2, 5, FGK_COLUMNS, 2, normal(6));
    add(20, 20, 50, FGK_NO_LINES, 0, normal(400));
    project_all();
}

TEST_F(CudaOptimizer, RefusesFewerThanForced) {
    add(10, 10, 39, FGK_ROWS, 4, normal(100));
    EXPECT_REFUSED(fgk_project(tensors_.data(), 1, nullptr, nullptr, nullptr), "fewer entries kept than forced");
}

TEST_F(CudaOptimizer, NormAndScaleFollowTheRule) {
    for (const std::int64_t n : {1, 5, 8192, 100001}) {
        const auto values = normal(n, 3.0F);
        double squares = 0.0;
        for (const auto x : values) squares += static_cast<double>(x) * static_cast<double>(x);
        const auto rms = std::sqrt(squares / static_cast<double>(n));
        const Array<float> g(values);
        const auto room = workspace(fgk_gradient_norm_workspace(n));
        for (const std::int32_t rule : {FGK_NORMALIZE, FGK_CLIP}) {
            for (const double floor : {1e-5, 100.0}) {
                const Array<fgk_gradient_state> state(1, 0);
                EXPECT_DONE(fgk_gradient_norm(g.data(), n, rule, floor, state.data(), room.data(), nullptr));
                const auto seen = state.values()[0];
                const auto scale = 1.0 / (rms + floor);
                EXPECT_NEAR(seen.norm / std::sqrt(squares), 1.0, 1e-6);
                EXPECT_NEAR(seen.scale / (rule == FGK_NORMALIZE || scale < 1.0 ? scale : 1.0), 1.0, 1e-6);
                EXPECT_EQ(seen.diverged, 0);
            }
        }
    }
}

class CudaAdam : public CudaOptimizer {
protected:
    static fgk_adam settings() {
        fgk_adam adam{};
        adam.beta1 = 0.9F, adam.one_minus_beta1 = 0.1F, adam.beta2 = 0.95F, adam.one_minus_beta2 = 0.05F;
        adam.step = 0.03F, adam.root = 1.7F, adam.eps = 0.1F;
        return adam;
    }
};

TEST_F(CudaAdam, StepsProjectsAndClearsTheGradient) {
    add(90, 110, 2000, FGK_NO_LINES, 0, normal(9900));
    add(31, 40, 300, FGK_ROWS, 4, normal(1240));
    add(1, 3, -1, FGK_NO_LINES, 0, normal(3), 1.0F);  // what follows is not on a boundary of 16 bytes
    add(31, 40, 300, FGK_COLUMNS, 4, normal(1240));
    add(1, 50, 20, FGK_NO_LINES, 0, normal(50), 1.0F);
    add(9, 9, -1, FGK_NO_LINES, 0, normal(81), 0.5F);
    const auto n = static_cast<std::int64_t>(flat_.size());
    const auto m0 = normal(n);
    auto v0 = normal(n);
    for (auto& x : v0) x *= x;
    const auto g0 = normal(n, 4.0F);
    const Array<float> w(flat_);
    const Array<float> m(m0);
    const Array<float> v(v0);
    const Array<float> g(g0);
    const fgk_gradient_state known = {1.0, 0.25, 0};
    const Array<fgk_gradient_state> state(std::vector<fgk_gradient_state>{known});
    const auto adam = settings();
    const auto room = workspace(fgk_project_workspace(tensors_.data(), count()));
    const auto launched = launches();
    EXPECT_DONE(fgk_optimizer_step(tensors_.data(), count(), &adam, state.data(), w.data(), m.data(), v.data(),
                                   g.data(), room.data(), nullptr));
    if (launched) {
        EXPECT_LE(*launches() - *launched, 13U) << "for all tensors together";
    }
    const auto m1 = m.values();
    const auto v1 = v.values();
    std::vector<double> m_expected;
    std::vector<double> v_expected;
    std::vector<double> w_expected;
    for (std::size_t i = 0; i < flat_.size(); ++i) {
        const auto scaled = static_cast<double>(g0[i]) * 0.25;
        m_expected.push_back(0.9 * static_cast<double>(m0[i]) + 0.1 * scaled);
        v_expected.push_back(0.95 * static_cast<double>(v0[i]) + 0.05 * scaled * scaled);
        w_expected.push_back(static_cast<double>(flat_[i]) -
                             0.03 * m_expected[i] / (std::sqrt(v_expected[i]) * 1.7 + 0.1));
    }
    // Two or three roundings of 6e-8 each.
    EXPECT_LE(relative_error(m1, m_expected), 3e-7);
    EXPECT_LE(relative_error(v1, v_expected), 3e-7);
    EXPECT_EQ(g.values(), std::vector<float>(flat_.size(), 0.0F));
    // Which entries are kept is exact for the weights that Adam wrote, and those are fp32: so compare with the sort of
    // the expected ones, but where two of them round to one.
    const auto after = w.values();
    std::int64_t others = 0;
    for (const auto& t : tensors_) {
        std::vector<float> stepped;
        for (std::int64_t i = 0; i < t.rows * t.columns; ++i) {
            stepped.push_back(static_cast<float>(w_expected[static_cast<std::size_t>(t.offset + i)]));
        }
        const auto expected = projected(stepped, t);
        std::int64_t kept = 0;
        for (std::size_t i = 0; i < expected.size(); ++i) {
            const auto actual = after[static_cast<std::size_t>(t.offset) + i];
            kept += actual != 0.0F ? 1 : 0;
            if ((actual == 0.0F) != (expected[i] == 0.0F)) {
                ++others;
            } else {
                EXPECT_NEAR(actual, expected[i], 1e-6);
            }
        }
        if (t.kept >= 0) {
            EXPECT_EQ(kept, t.kept);
        }
    }
    EXPECT_LE(others, 4);
}

TEST_F(CudaAdam, LeavesEverythingAloneOnceTheGradientIsNotFinite) {
    add(30, 30, 100, FGK_NO_LINES, 0, normal(900));
    add(30, 30, 200, FGK_ROWS, 2, normal(900));
    auto gradient = normal(1800);
    gradient[77] = kNaN;
    const Array<float> w(flat_);
    const Array<float> m(flat_);
    const Array<float> v(flat_);
    const Array<float> g(gradient);
    const Array<fgk_gradient_state> state(1, 0);
    const auto adam = settings();
    const auto room =
        workspace(std::max(fgk_project_workspace(tensors_.data(), count()), fgk_gradient_norm_workspace(1800)));
    for (int step = 1; step <= 2; ++step) {
        EXPECT_DONE(fgk_gradient_norm(g.data(), 1800, FGK_NORMALIZE, 1e-5, state.data(), room.data(), nullptr));
        EXPECT_DONE(fgk_optimizer_step(tensors_.data(), count(), &adam, state.data(), w.data(), m.data(), v.data(),
                                       g.data(), room.data(), nullptr));
        EXPECT_EQ(state.values()[0].diverged, step);
    }
    EXPECT_EQ(w.values(), flat_);
    EXPECT_EQ(m.values(), flat_);
}

}  // namespace
}  // namespace filigree::cuda
