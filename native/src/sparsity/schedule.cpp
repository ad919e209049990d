// SPDX-License-Identifier: Apache-2.0
#include "sparsity/schedule.hpp"

#include <algorithm>
#include <cmath>

namespace filigree {

double matrix_density(const Anneal& anneal, double final_density, std::int64_t step, std::int64_t steps) {
    const auto t = static_cast<double>(step);
    const auto start = anneal.start * static_cast<double>(steps);
    const auto end = anneal.end * static_cast<double>(steps);
    if (t >= end) {
        return final_density;
    }
    if (t <= start) {
        return 1.0;
    }
    if (anneal.shape == AnnealShape::kPowerLaw) {
        return std::exp(std::log(final_density) * std::log(t / start) / std::log(end / start));
    }
    const auto u = (t - start) / (end - start);
    return 1.0 + (final_density - 1.0) * (1.0 - std::pow(1.0 - u, anneal.exponent));
}

double family_density(const Fractions& fractions, Family family, double matrix_density) {
    const auto follow = [&](double final_density) {
        if (fractions.matrix >= 1.0) {
            return final_density;  // nothing to follow
        }
        return final_density + (1.0 - final_density) * (matrix_density - fractions.matrix) / (1.0 - fractions.matrix);
    };
    switch (family) {
        case Family::kMatrix:
            return matrix_density;
        case Family::kEmbedding:
            return follow(fractions.embedding);
        case Family::kUnembedding:
            return follow(fractions.unembedding);
        case Family::kBias:
            return follow(fractions.bias);
        case Family::kPosition:
            return follow(fractions.position);
        case Family::kNorm:
        case Family::kSink:
        case Family::kBigram:
        case Family::kLogitBias:
            break;
    }
    return 1.0;
}

std::int64_t kept_entries(double density, std::int64_t size) {
    return static_cast<std::int64_t>(std::min(1.0, density) * static_cast<double>(size));
}

double learning_rate(double peak, double warmup, std::int64_t step, std::int64_t steps) {
    const auto i = static_cast<double>(step);
    const auto n = static_cast<double>(steps);
    const auto w = warmup * n;
    if (i < w) {
        return peak * i / w;
    }
    return w < n ? peak * (1.0 - (i - w) / (n - w)) : peak;
}

double sharkfin(double final_density, double density) { return std::sqrt(final_density / density); }

}  // namespace filigree
