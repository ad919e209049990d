// SPDX-License-Identifier: Apache-2.0
#include "prune/calibration.hpp"

#include <algorithm>
#include <cmath>

namespace filigree {
namespace {

constexpr double kRidge = 1e-4;
constexpr int kNewtonSteps = 16;
constexpr int kHalvings = 30;

double objective(const std::vector<ScoredSequence>& sequences, const Calibration& c) {
    const auto off = c.scale - 1.0;
    return mean_loss(sequences, c) + 0.5 * kRidge * (off * off + c.shift * c.shift);
}

}  // namespace

double two_way_loss(const ScoredSequence& sequence, const Calibration& calibration) {
    const auto z = sequence.sign * (calibration.scale * sequence.difference + calibration.shift);
    return std::max(-z, 0.0) + std::log1p(std::exp(-std::abs(z)));
}

double mean_loss(const std::vector<ScoredSequence>& sequences, const Calibration& calibration) {
    double total = 0.0;
    for (const auto& sequence : sequences) {
        total += two_way_loss(sequence, calibration);
    }
    return total / static_cast<double>(sequences.size());
}

Calibration fit_calibration(const std::vector<ScoredSequence>& sequences) {
    Calibration c;
    auto best = objective(sequences, c);
    const auto n = static_cast<double>(sequences.size());
    for (int step = 0; step < kNewtonSteps; ++step) {
        // Gradient and Hessian of the objective in (scale, shift).
        double g0 = kRidge * (c.scale - 1.0);
        double g1 = kRidge * c.shift;
        double h00 = kRidge;
        double h01 = 0.0;
        double h11 = kRidge;
        for (const auto& [x, sign] : sequences) {
            const auto wrong = 1.0 / (1.0 + std::exp(sign * (c.scale * x + c.shift)));  // 1 - p(right)
            const auto curvature = wrong * (1.0 - wrong) / n;
            g0 -= sign * wrong * x / n;
            g1 -= sign * wrong / n;
            h00 += curvature * x * x;
            h01 += curvature * x;
            h11 += curvature;
        }
        const auto determinant = h00 * h11 - h01 * h01;
        auto d0 = -(h11 * g0 - h01 * g1) / determinant;
        auto d1 = -(h00 * g1 - h01 * g0) / determinant;
        if (c.scale + d0 < 0.0) {
            // Minimum of the same quadratic on the boundary scale = 0. Cutting off d0 alone would leave a d1 that
            // makes up for a change of scale that does not happen, and stop short of the optimum.
            d0 = -c.scale;
            d1 = -(g1 + h01 * d0) / h11;
        }
        double length = 1.0;
        Calibration next;
        double value = best;
        for (int halving = 0; halving < kHalvings; ++halving, length *= 0.5) {
            next = {c.scale + length * d0, c.shift + length * d1};
            value = objective(sequences, next);
            if (value < best) {
                break;
            }
        }
        if (!(value < best)) {
            break;  // converged to rounding
        }
        c = next;
        best = value;
    }
    return c;
}

Verdict judge(const std::vector<ScoredSequence>& train, const std::vector<ScoredSequence>& validation, bool calibrate) {
    Verdict verdict;
    if (calibrate) {
        verdict.calibration = fit_calibration(train);
    }
    verdict.loss = std::max(mean_loss(train, verdict.calibration), mean_loss(validation, verdict.calibration));
    return verdict;
}

}  // namespace filigree
