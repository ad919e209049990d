// SPDX-License-Identifier: Apache-2.0
// Attention forward and backward against the formula in double.
#include <algorithm>

#include "cuda/kernel_fixture.hpp"

namespace filigree::cuda {
namespace {

// Largest error of an element over the sum of the magnitudes of its terms, which cancel. fp32: dot products and sums
// over up to 200 keys. bf16: inputs are exact; the output that the backward reads has two roundings to 2^-9, of the
// weights and its own; the weights' gradients have a third, and what comes of them a fourth.
constexpr double kF32 = 8e-6;
constexpr double kBf16 = 4.0 / 512 + 1e-5;

struct Shape {
    std::int64_t B, T, H, dh;
    std::int32_t type = FGK_F32;
    bool sink = true;
    float deviation = 1.0F;
    std::int64_t padding = 0;  // elements beside the heads of a line
    double bound = 0.0;        // 0 for that of the type
};

/// An array, and for each element the sum of the magnitudes of its terms.
struct Sums {
    std::vector<double> value, size;

    explicit Sums(std::size_t count) : value(count), size(count) {}
    void add(std::size_t i, double term, double term_size) {
        value[i] += term;
        size[i] += term_size;
    }
};

struct Expected {
    Sums y, dq, dk, dv, dsink;
};

Expected by_formula(const Shape& s, const std::vector<float>& q, const std::vector<float>& k,
                    const std::vector<float>& v, const std::vector<float>& sink, const std::vector<float>& dy,
                    const std::vector<float>& dsink) {
    const auto count = static_cast<std::size_t>(s.B * s.T * s.H * s.dh);
    Expected e{Sums(count), Sums(count), Sums(count), Sums(count), Sums(dsink.size())};
    for (std::size_t h = 0; h < dsink.size(); ++h) {
        const auto start = static_cast<double>(dsink[h]);
        e.dsink.add(h, start, std::abs(start));
    }
    const auto scale = 1.0 / std::sqrt(static_cast<double>(s.dh));
    for (std::int64_t b = 0; b < s.B; ++b) {
        for (std::int64_t h = 0; h < s.H; ++h) {
            const auto at = [&](std::int64_t t, std::int64_t c) {
                return static_cast<std::size_t>(((b * s.T + t) * s.H + h) * s.dh + c);
            };
            /// A dot product, and that of the magnitudes.
            const auto dot = [&](const auto& x, std::int64_t i, const auto& z, std::int64_t j) {
                std::pair<double, double> sum;
                for (std::int64_t c = 0; c < s.dh; ++c) {
                    const auto term = static_cast<double>(x[at(i, c)]) * static_cast<double>(z[at(j, c)]);
                    sum.first += term;
                    sum.second += std::abs(term);
                }
                return sum;
            };
            for (std::int64_t i = 0; i < s.T; ++i) {
                const auto sink_score = s.sink ? static_cast<double>(sink[static_cast<std::size_t>(h)])
                                               : -std::numeric_limits<double>::infinity();
                std::vector<double> weight;
                double most = sink_score;
                for (std::int64_t j = 0; j <= i; ++j) {
                    weight.push_back(dot(q, i, k, j).first * scale);
                    most = std::max(most, weight.back());
                }
                double sum = s.sink ? std::exp(sink_score - most) : 0.0;
                for (auto& w : weight) sum += w = std::exp(w - most);
                double dot_y = 0.0;
                double dot_y_size = 0.0;
                for (std::int64_t j = 0; j <= i; ++j) {
                    auto& w = weight[static_cast<std::size_t>(j)];
                    w /= sum;
                    for (std::int64_t c = 0; c < s.dh; ++c) {
                        const auto term = w * static_cast<double>(v[at(j, c)]);
                        e.y.add(at(i, c), term, std::abs(term));
                    }
                    const auto [value, size] = dot(dy, i, v, j);
                    dot_y += w * value;
                    dot_y_size += w * size;
                }
                for (std::int64_t j = 0; j <= i; ++j) {
                    const auto w = weight[static_cast<std::size_t>(j)];
                    const auto [value, size] = dot(dy, i, v, j);
                    const auto ds = w * (value - dot_y) * scale;
                    const auto ds_size = w * (size + dot_y_size) * scale;
                    for (std::int64_t c = 0; c < s.dh; ++c) {
                        const auto add = [&](Sums& sums, std::int64_t t, double factor, double factor_size, float x) {
                            const auto other = static_cast<double>(x);
                            sums.add(at(t, c), factor * other, factor_size * std::abs(other));
                        };
                        add(e.dq, i, ds, ds_size, k[at(j, c)]);
                        add(e.dk, j, ds, ds_size, q[at(i, c)]);
                        add(e.dv, j, w, w, dy[at(i, c)]);
                    }
                }
                if (s.sink) {
                    const auto w = std::exp(sink_score - most) / sum;
                    e.dsink.add(static_cast<std::size_t>(h), -w * dot_y, w * dot_y_size);
                }
            }
        }
    }
    return e;
}

/// Largest error over the size of the terms; sizes below a millionth of the largest may be lost on the way.
double error_of(const std::vector<float>& actual, const Sums& expected) {
    EXPECT_EQ(actual.size(), expected.value.size());
    const auto least =
        expected.size.empty() ? 0.0 : 1e-6 * *std::max_element(expected.size.begin(), expected.size.end());
    double worst = 0.0;
    for (std::size_t i = 0; i < actual.size(); ++i) {
        const auto error = std::abs(static_cast<double>(actual[i]) - expected.value[i]);
        if (std::isnan(error)) return std::numeric_limits<double>::infinity();
        worst = std::max(worst, error / std::max(expected.size[i], least));
    }
    return worst;
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
        EXPECT_LE(error_of(values(s, y), e.y), bound);
        EXPECT_LE(error_of(values(s, dq), e.dq), bound);
        EXPECT_LE(error_of(values(s, dk), e.dk), bound);
        EXPECT_LE(error_of(values(s, dv), e.dv), bound);
        EXPECT_LE(error_of(dsink.values(), e.dsink), bound);
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
    expect_close({.B = 1, .T = 1024, .H = 1, .dh = 16, .sink = true});
}

TEST_F(CudaAttention, OnTensorCoresMatchesTheFormulaWithItsGradients) {
    for (const bool sink : {false, true}) {
        for (const std::int64_t T : {1, 7, 16, 64, 65, 150}) {
            expect_close({.B = 2, .T = T, .H = 2, .dh = 16, .type = FGK_BF16, .sink = sink});
        }
    }
    expect_close({.B = 1, .T = 1024, .H = 1, .dh = 16, .type = FGK_BF16, .sink = true});
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
