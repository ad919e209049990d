// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

namespace filigree {

/// Two-way logit calibration (method 4.6a): z = scale * (z_a - z_b) + shift.
struct Calibration {
    double scale = 1.0;
    double shift = 0.0;
};

/// Logit difference of one sequence and its right side.
struct ScoredSequence {
    double difference = 0.0;  ///< z_a - z_b
    double sign = 1.0;        ///< +1 when a is right, -1 when b is
};

/// Cross-entropy of one sequence: log(1 + exp(-sign * z)), nats.
[[nodiscard]] double two_way_loss(const ScoredSequence& sequence, const Calibration& calibration);

/// Mean of two_way_loss() over sequences, nats.
[[nodiscard]] double mean_loss(const std::vector<ScoredSequence>& sequences, const Calibration& calibration);

/// Scale and shift that minimise the mean loss plus a small ridge kRidge / 2 * ((scale - 1)^2 + shift^2), which keeps
/// the fit finite where the sequences are separable; damped Newton, at most 16 steps (the published number of LBFGS
/// steps). The scale is at least 0: a circuit that answers the wrong way round is not repaired.
[[nodiscard]] Calibration fit_calibration(const std::vector<ScoredSequence>& sequences);

/// What a circuit is chosen by.
struct Verdict {
    double loss = 0.0;  ///< the larger of those on training and on validation examples, nats per sequence
    Calibration calibration;
};

/// Judge a circuit by what it says of training and of validation examples. @param calibrate fit a calibration to the
/// former, instead of taking the answers as they are.
[[nodiscard]] Verdict judge(const std::vector<ScoredSequence>& train, const std::vector<ScoredSequence>& validation,
                            bool calibrate);

}  // namespace filigree
