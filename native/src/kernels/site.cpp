// SPDX-License-Identifier: Apache-2.0
#include "kernels/site.hpp"

#include "kernels/simd.hpp"

namespace filigree::kernels::FILIGREE_ISA {
namespace {

constexpr std::int64_t kWord = 64;  // entries per word of the kept bits; rows in scratch are padded to it

/// Which entries of a row are kept: magnitude above `above`, or equal to `equal` at an index up to `last`.
struct Cut {
    std::int32_t above;
    std::int32_t equal;
    std::int32_t last;
};
constexpr std::int32_t kNoMagnitude = -1;  // of padding; real ones are the bits of |u|, so >= 0
constexpr Cut kKeepAll = {kNoMagnitude, kNoMagnitude, -1};

inline Ints magnitude(Floats u) { return bits_of(u) & 0x7fffffff; }

/// Finds the k-th largest magnitude of row after row by counting how many lie above a guess. Rows of one site are
/// alike, so the last row's threshold and density are where the next search starts; what is found does not depend on
/// them.
class ThresholdSearch {
public:
    /// @param magnitudes [words * 64]. @param nonzeros how many are above 0. @param k in [1, number of entries).
    Cut find(const std::int32_t* magnitudes, std::int64_t words, std::int32_t k, std::int32_t nonzeros,
             std::int32_t largest) {
        if (nonzeros <= k) {
            return cut_at(magnitudes, 0, k - nonzeros);
        }
        // More than k lie above `low`, fewer than k above `high`.
        std::int64_t low = 0;
        std::int64_t high = largest;
        std::int32_t above_low = nonzeros;
        std::int32_t above_high = 0;
        bool low_moved = false;
        bool high_moved = false;
        auto guess = guess_;
        for (int tries = 0; high - low > 1; ++tries) {
            const auto width = high - low;
            if (tries > 0) {
                if (low_moved && high_moved) {
                    density_ = static_cast<double>(above_low - above_high) / static_cast<double>(width);
                    guess = low + static_cast<std::int64_t>((above_low - k) / density_);
                } else if (density_ > 0.0) {
                    const auto step = low_moved ? (above_low - k) / density_ : (above_high - k) / density_;
                    guess += step < static_cast<double>(width) && -step < static_cast<double>(width)
                                 ? static_cast<std::int64_t>(step)
                                 : width;
                }
            }
            constexpr int kHalveEvery = 4;  // bounds the number of tries where interpolation creeps
            if (guess <= low || guess >= high || tries % kHalveEvery == kHalveEvery - 1) {
                guess = low + width / 2;
            }
            const auto count = count_above(magnitudes, words, static_cast<std::int32_t>(guess));
            if (count == k) {
                guess_ = guess;
                return {static_cast<std::int32_t>(guess), kNoMagnitude, -1};
            }
            if (count > k) {
                low = guess;
                above_low = count;
                low_moved = true;
            } else {
                high = guess;
                above_high = count;
                high_moved = true;
            }
        }
        guess_ = high;
        return cut_at(magnitudes, static_cast<std::int32_t>(high), k - above_high);
    }

private:
    static std::int32_t count_above(const std::int32_t* magnitudes, std::int64_t words, std::int32_t bound) {
        const auto bounds = broadcast(bound);
        Ints counts[4] = {};
        for (std::int64_t word = 0; word < words; ++word) {
            for (std::int64_t part = 0; part < kWord / kLanes; ++part) {
                counts[part % 4] -= load(magnitudes + word * kWord + part * kLanes) > bounds;  // true is -1
            }
        }
        return sum((counts[0] + counts[1]) + (counts[2] + counts[3]));
    }

    /// Keep what is above `threshold` and the first `ties` entries equal to it; there are at least as many.
    static Cut cut_at(const std::int32_t* magnitudes, std::int32_t threshold, std::int32_t ties) {
        std::int32_t last = -1;
        while (ties > 0) {
            ++last;
            ties -= magnitudes[last] == threshold ? 1 : 0;
        }
        return {threshold, threshold, last};
    }

    std::int64_t guess_ = -1;
    double density_ = 0.0;  // entries per unit of magnitude near the threshold; 0 while unknown
};

// ---- Where u comes from: value(j, left) gives u[j..] of a row, zero in lanes beyond the `left` entries that remain.

struct Identity {
    const float* x;

    Identity(const SiteRows& rows, std::int64_t row) : x(rows.x + row * rows.x_stride) {}
    Identity(const SiteGradients& rows, std::int64_t row)
        : x(rows.x == nullptr ? nullptr : rows.x + row * rows.x_stride) {}
    [[nodiscard]] Floats value(std::int64_t j, std::int64_t left) const { return load_first(x + j, left); }
};

struct RmsNorm {
    const float* x;
    const float* gain;
    float inverse_rms;

    RmsNorm(const SiteRows& rows, std::int64_t row) : x(rows.x + row * rows.x_stride), gain(rows.gain) {
        Floats squares[4] = {};
        for (std::int64_t j = 0; j < rows.n; j += 4 * kLanes) {
            for (std::int64_t part = 0; part < 4; ++part) {
                const auto v = load_first(x + j + part * kLanes, rows.n - j - part * kLanes);
                squares[part] += v * v;
            }
        }
        const auto total = sum((squares[0] + squares[1]) + (squares[2] + squares[3]));
        inverse_rms = 1.0F / __builtin_sqrtf(total / static_cast<float>(rows.n) + __FLT_EPSILON__);
        if (rows.inverse_rms != nullptr) {
            rows.inverse_rms[row] = inverse_rms;
        }
    }
    RmsNorm(const SiteGradients& rows, std::int64_t row)
        : x(rows.x + row * rows.x_stride), gain(rows.gain), inverse_rms(rows.inverse_rms[row]) {}
    [[nodiscard]] Floats value(std::int64_t j, std::int64_t left) const {
        return load_first(x + j, left) * inverse_rms * load_first(gain + j, left);
    }
};

/// The standard normal distribution at a number, from below.
struct Normal {
    Floats density;     // exp(-x^2 / 2) / sqrt(2 pi)
    Floats cumulative;  // relative error below 1e-6 on both sides, see the test
};
inline Normal normal(Floats x) {
    const auto a = floats_of(magnitude(x));
    // exp(-a^2 / 2) with a = h + l, h short enough for an exact square: the rounding of a^2 would cost digits.
    const auto h = floats_of(bits_of(a) & ~0xfff);
    const auto e = exp_of_sum(h * h * -0.5F, (a - h) * (a + h) * -0.5F);
    // Upper tail = e * t * P(t) with t = 1 / (1 + 0.3 a): P fitted for the least relative error over 0 <= a <= 14.
    const auto t = 1.0F / (a * 0.3F + 1.0F);
    auto p = broadcast(-2.0612949505448341e-2F);
    p = p * t + 0.11237642914056778F;
    p = p * t - 0.22806905210018158F;
    p = p * t + 0.1915837526321411F;
    p = p * t - 0.0792490616440773F;
    p = p * t + 0.09605875611305237F;
    p = p * t + 0.07842525839805603F;
    p = p * t + 0.11022739112377167F;
    p = p * t + 0.11957283318042755F;
    p = p * t + 0.11968663334846497F;
    const auto tail = e * (t * p);
    constexpr float kInverseRootTwoPi = 0.398942280401F;
    return {e * kInverseRootTwoPi, x > 0.0F ? 1.0F - tail : tail};
}

struct Gelu {
    const float* x;

    Gelu(const SiteRows& rows, std::int64_t row) : x(rows.x + row * rows.x_stride) {}
    Gelu(const SiteGradients& rows, std::int64_t row) : x(rows.x + row * rows.x_stride) {}
    [[nodiscard]] Floats value(std::int64_t j, std::int64_t left) const {
        const auto v = load_first(x + j, left);
        return v * normal(v).cumulative;
    }
};

// ---- The passes over a row.

template <typename Source>
void forward(const SiteRows& rows, std::int64_t begin, std::int64_t end, float* scratch) {
    const auto n = rows.n;
    const auto words = kept_words(n);
    auto* values = scratch;                                                       // [words * 64]
    auto* magnitudes = reinterpret_cast<std::int32_t*>(scratch + words * kWord);  // [words * 64]
    ThresholdSearch search;
    for (auto row = begin; row < end; ++row) {
        const Source source(rows, row);
        auto cut = kKeepAll;
        Ints most{};
        Ints nonzeros{};
        for (std::int64_t j = 0; j < words * kWord; j += kLanes) {
            const auto u = source.value(j, n - j);
            const auto inside = lane_numbers() < broadcast(static_cast<std::int32_t>(n - j));
            const auto m = inside ? magnitude(u) : broadcast(kNoMagnitude);
            store(values + j, u);
            store(magnitudes + j, m);
            most = m > most ? m : most;
            nonzeros -= m > 0;
        }
        if (rows.k < n) {
            cut = search.find(magnitudes, words, static_cast<std::int32_t>(rows.k), sum(nonzeros), largest(most));
        }
        for (std::int64_t word = 0; word < words; ++word) {
            std::uint64_t bits = 0;
            for (std::int64_t part = 0; part < kWord / kLanes; ++part) {
                const auto j = word * kWord + part * kLanes;
                const auto left = n - j;
                const auto m = load(magnitudes + j);
                const auto index = lane_numbers() + static_cast<std::int32_t>(j);
                const auto keep = (m > cut.above) | ((m == cut.equal) & (index <= cut.last));
                bits |= bits_of_mask(keep) << (part * kLanes);
                auto y = only(keep, load(values + j));
                if (rows.gate != nullptr) {
                    const auto gate = load_first(rows.gate + j, left);
                    y = y * gate + load_first(rows.mean + j, left) * (1.0F - gate);
                }
                store_first(rows.y + row * n + j, y, left);
            }
            if (rows.kept != nullptr) {
                rows.kept[row * words + word] = bits;
            }
        }
    }
}

inline Ints kept_lanes(const SiteGradients& rows, std::int64_t row, std::int64_t j) {
    return mask_of_bits(rows.kept[row * kept_words(rows.n) + j / kWord] >> (j % kWord));
}

/// Gradient of u at j; what the gate gets on the way goes to dgate.
template <typename Source>
Floats gradient_of_value(const SiteGradients& rows, const Source& source, std::int64_t row, std::int64_t j) {
    const auto left = rows.n - j;
    const auto keep = kept_lanes(rows, row, j);
    const auto dy = load_first(rows.dy + row * rows.dy_stride + j, left);
    if (rows.gate == nullptr) {
        return only(keep, dy);
    }
    if (rows.dgate != nullptr) {
        const auto s = only(keep, source.value(j, left));
        const auto total = load_first(rows.dgate + j, left) + dy * (s - load_first(rows.mean + j, left));
        store_first(rows.dgate + j, total, left);
    }
    return only(keep, dy * load_first(rows.gate + j, left));
}

}  // namespace

void abs_topk_forward(const SiteRows& rows, std::int64_t begin, std::int64_t end, float* scratch) {
    forward<Identity>(rows, begin, end, scratch);
}

void rms_norm_topk_forward(const SiteRows& rows, std::int64_t begin, std::int64_t end, float* scratch) {
    forward<RmsNorm>(rows, begin, end, scratch);
}

void gelu_topk_forward(const SiteRows& rows, std::int64_t begin, std::int64_t end, float* scratch) {
    forward<Gelu>(rows, begin, end, scratch);
}

void abs_topk_backward(const SiteGradients& rows, std::int64_t begin, std::int64_t end, float* /*scratch*/) {
    for (auto row = begin; row < end; ++row) {
        const Identity source(rows, row);
        for (std::int64_t j = 0; j < rows.n; j += kLanes) {
            store_first(rows.dx + row * rows.dx_stride + j, gradient_of_value(rows, source, row, j), rows.n - j);
        }
    }
}

void gelu_topk_backward(const SiteGradients& rows, std::int64_t begin, std::int64_t end, float* /*scratch*/) {
    for (auto row = begin; row < end; ++row) {
        const Gelu source(rows, row);
        for (std::int64_t j = 0; j < rows.n; j += kLanes) {
            const auto du = gradient_of_value(rows, source, row, j);
            const auto x = load_first(source.x + j, rows.n - j);
            const auto [density, cumulative] = normal(x);
            store_first(rows.dx + row * rows.dx_stride + j, du * (cumulative + x * density), rows.n - j);
        }
    }
}

// With r = 1 / rms(x) and h = du * gain: dx = r h - x r^3 / n * sum(h x), dgain += du x r.
void rms_norm_topk_backward(const SiteGradients& rows, std::int64_t begin, std::int64_t end, float* scratch) {
    const auto n = rows.n;
    for (auto row = begin; row < end; ++row) {
        const RmsNorm source(rows, row);
        const auto r = source.inverse_rms;
        Floats dots{};
        for (std::int64_t j = 0; j < n; j += kLanes) {
            const auto du = gradient_of_value(rows, source, row, j);
            const auto x = load_first(source.x + j, n - j);
            const auto h = du * load_first(rows.gain + j, n - j);
            store(scratch + j, h);
            dots += h * x;
            if (rows.dgain != nullptr) {
                store_first(rows.dgain + j, load_first(rows.dgain + j, n - j) + du * (x * r), n - j);
            }
        }
        const auto along_x = sum(dots) * r * r * r / static_cast<float>(n);
        for (std::int64_t j = 0; j < n; j += kLanes) {
            const auto x = load_first(source.x + j, n - j);
            store_first(rows.dx + row * rows.dx_stride + j, load(scratch + j) * r - x * along_x, n - j);
        }
    }
}

}  // namespace filigree::kernels::FILIGREE_ISA
