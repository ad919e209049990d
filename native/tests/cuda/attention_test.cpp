// SPDX-License-Identifier: Apache-2.0
// Attention forward and backward against the formula in double.
#include <algorithm>

#include "cuda/kernel_fixture.hpp"

namespace filigree::cuda {
namespace {

// Largest difference over the largest magnitude expected, for gradients at least 1, the size of their terms. fp32: dot
// products and sums over up to 200 keys. bf16: inputs are exact, results rounded to 2^-9, and on tensor cores the
// weights and their gradients too, on the way.
constexpr double kF32 = 8e-6;
constexpr double kBf16 = 1.2e-2;

struct Shape {
    std::int64_t B, T, H, dh;
    std::int32_t type = FGK_F32;
    bool sink = true;
    float deviation = 1.0F;
    std::int64_t padding = 0;  // elements beside the heads of a line
    double bound = 0.0;        // 0 for that of the type
};

struct Expected {
    std::vector<double> y, dq, dk, dv, dsink;
};

Expected by_formula(const Shape& s, const std::vector<float>& q, const std::vector<float>& k,
                    const std::vector<float>& v, const std::vector<float>& sink, const std::vector<float>& dy,
                    const std::vector<float>& dsink) {
    const auto size = static_cast<std::size_t>(s.B * s.T * s.H * s.dh);
    Expected e{std::vector<double>(size),
               std::vector<double>(size),
               std::vector<double>(size),
               std::vector<double>(size),
               {dsink.begin(), dsink.end()}};
    const auto scale = 1.0 / std::sqrt(static_cast<double>(s.dh));
    for (std::int64_t b = 0; b < s.B; ++b) {
        for (std::int64_t h = 0; h < s.H; ++h) {
            const auto at = [&](std::int64_t t, std::int64_t c) {
                return static_cast<std::size_t>(((b * s.T + t) * s.H + h) * s.dh + c);
            };
            const auto dot = [&](const auto& x, std::int64_t i, const auto& z, std::int64_t j) {
                double sum = 0.0;
                for (std::int64_t c = 0; c < s.dh; ++c)
                    sum += static_cast<double>(x[at(i, c)]) * static_cast<double>(z[at(j, c)]);
                return sum;
            };
            for (std::int64_t i = 0; i < s.T; ++i) {
                const auto sink_score = s.sink ? static_cast<double>(sink[static_cast<std::size_t>(h)])
                                               : -std::numeric_limits<double>::infinity();
                std::vector<double> weight;
                double most = sink_score;
                for (std::int64_t j = 0; j <= i; ++j) {
                    weight.push_back(dot(q, i, k, j) * scale);
                    most = std::max(most, weight.back());
                }
                double sum = s.sink ? std::exp(sink_score - most) : 0.0;
                for (auto& w : weight) sum += w = std::exp(w - most);
                double dot_y = 0.0;
                for (std::int64_t j = 0; j <= i; ++j) {
                    auto& w = weight[static_cast<std::size_t>(j)];
                    w /= sum;
                    for (std::int64_t c = 0; c < s.dh; ++c) e.y[at(i, c)] += w * static_cast<double>(v[at(j, c)]);
                }
                for (std::int64_t c = 0; c < s.dh; ++c) dot_y += e.y[at(i, c)] * static_cast<double>(dy[at(i, c)]);
                for (std::int64_t j = 0; j <= i; ++j) {
                    const auto w = weight[static_cast<std::size_t>(j)];
                    const auto ds = w * (dot(dy, i, v, j) - dot_y) * scale;
                    for (std::int64_t c = 0; c < s.dh; ++c) {
                        e.dq[at(i, c)] += ds * static_cast<double>(k[at(j, c)]);
                        e.dk[at(j, c)] += ds * static_cast<double>(q[at(i, c)]);
                        e.dv[at(j, c)] += w * static_cast<double>(dy[at(i, c)]);
                    }
                }
                if (s.sink) e.dsink[static_cast<std::size_t>(h)] -= std::exp(sink_score - most) / sum * dot_y;
            }
        }
    }
    return e;
}

class CudaAttention : public CudaKernel {
protected:
    /// Heads in memory, with what lies beside them.
    struct InMemory {
        Numbers numbers;
        fgk_heads heads;
    };
    InMemory in_memory(const Shape& s, const std::vector<float>& values) {
        const auto width = s.H * s.dh;
        const auto stride = width + s.padding;
        std::vector<float> lines(static_cast<std::size_t>(s.B * s.T * stride), kNaN);
        for (std::int64_t line = 0; line < s.B * s.T; ++line) {
            for (std::int64_t c = 0; c < width && !values.empty(); ++c) {
                lines[static_cast<std::size_t>(line * stride + c)] = values[static_cast<std::size_t>(line * width + c)];
            }
        }
        InMemory result{Numbers(lines, s.type), {}};
        result.heads = {result.numbers.data(), s.T * stride, stride};
        return result;
    }
    std::vector<float> values(const Shape& s, const InMemory& x) {
        const auto all = x.numbers.values();
        const auto width = s.H * s.dh;
        std::vector<float> result;
        for (std::size_t i = 0; i < all.size(); ++i) {
            if (static_cast<std::int64_t>(i) % (width + s.padding) < width) {
                result.push_back(all[i]);
            } else {
                EXPECT_TRUE(std::isnan(all[i])) << "written beside the heads";
            }
        }
        return result;
    }

    void expect_close(const Shape& s) {
        SCOPED_TRACE("B " + std::to_string(s.B) + ", T " + std::to_string(s.T) + ", H " + std::to_string(s.H) +
                     ", dh " + std::to_string(s.dh) + ", type " + std::to_string(s.type) + (s.sink ? ", sink" : ""));
        const auto count = s.B * s.T * s.H * s.dh;
        const auto q = in_memory(s, normal(count, s.deviation));
        const auto k = in_memory(s, normal(count, s.deviation));
        const auto v = in_memory(s, normal(count));
        const auto dy = in_memory(s, normal(count));
        const auto y = in_memory(s, {});
        const auto dq = in_memory(s, {});
        const auto dk = in_memory(s, {});
        const auto dv = in_memory(s, {});
        const auto sinks = normal(s.H);
        const auto start = normal(s.H);
        const Array<float> sink(sinks);
        const Array<float> dsink(start);
        const Array<float> log_sum(static_cast<std::size_t>(s.B * s.T * s.H));
        fgk_attention a{};
        a.B = s.B, a.T = s.T, a.H = s.H, a.dh = s.dh;
        a.q = q.heads, a.k = k.heads, a.v = v.heads, a.y = y.heads;
        a.sink = s.sink ? sink.data() : nullptr;
        a.log_sum = log_sum.data();
        a.type = s.type;
        EXPECT_DONE(fgk_attention_forward(&a, nullptr));
        fgk_attention_gradients g{};
        g.forward = a;
        g.dy = dy.heads, g.dq = dq.heads, g.dk = dk.heads, g.dv = dv.heads;
        g.dsink = s.sink ? dsink.data() : nullptr;
        const auto room = workspace(fgk_attention_backward_workspace(s.B, s.T, s.H));
        EXPECT_DONE(fgk_attention_backward(&g, room.data(), nullptr));
        const auto e = by_formula(s, values(s, q), values(s, k), values(s, v), sinks, values(s, dy), start);
        const auto bound = s.bound > 0.0 ? s.bound : s.type == FGK_F32 ? kF32 : kBf16;
        EXPECT_LE(relative_error(values(s, y), e.y), bound);
        EXPECT_LE(relative_error(values(s, dv), e.dv, 1.0), bound);
        if (s.T > 1 || s.sink) {  // one key without a sink has weight 1, whatever the score
            EXPECT_LE(relative_error(values(s, dq), e.dq, 1.0), bound);
            EXPECT_LE(relative_error(values(s, dk), e.dk, 1.0), bound);
        }
        EXPECT_LE(relative_error(dsink.values(), e.dsink, 1.0), bound);
        static_cast<void>(room.values());
        static_cast<void>(log_sum.values());
    }
};

TEST_F(CudaAttention, MatchesTheFormulaWithItsGradients) {
    for (const bool sink : {false, true}) {
        for (const std::int64_t T : {1, 2, 17, 130, 200}) {
            expect_close({.B = 2, .T = T, .H = 3, .dh = 16, .sink = sink});
        }
        for (const std::int64_t dh : {1, 5, 24, 32}) expect_close({.B = 1, .T = 40, .H = 2, .dh = dh, .sink = sink});
    }
    expect_close({.B = 1, .T = 33, .H = 2, .dh = 8, .type = FGK_BF16});
}

TEST_F(CudaAttention, OnTensorCoresMatchesTheFormulaWithItsGradients) {
    for (const bool sink : {false, true}) {
        for (const std::int64_t T : {1, 7, 16, 64, 65, 150}) {
            expect_close({.B = 2, .T = T, .H = 2, .dh = 16, .type = FGK_BF16, .sink = sink});
        }
    }
}

TEST_F(CudaAttention, TakesHeadsThatLieApart) {
    for (const std::int32_t type : {FGK_F32, FGK_BF16}) {
        expect_close({.B = 2, .T = 20, .H = 2, .dh = 16, .type = type, .padding = 64});
        expect_close({.B = 2, .T = 20, .H = 2, .dh = 16, .type = type, .padding = 3});
    }
}

TEST_F(CudaAttention, SurvivesLargeScores) {
    // exp of scores near 100 carries their rounding, some 100 * 6e-8.
    expect_close({.B = 1, .T = 70, .H = 1, .dh = 16, .deviation = 5.0F, .bound = 1e-4});
}

}  // namespace
}  // namespace filigree::cuda
