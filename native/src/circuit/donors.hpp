// SPDX-License-Identifier: Apache-2.0
// Closed nodes that take the activations of other sequences (method 6.2): resample ablation, where the donor of a
// sequence is any one of another pair, half of the time one with the other answer, and interchange, where it is the
// other member of its pair.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "core/random.hpp"
#include "prune/calibration.hpp"
#include "prune/examples.hpp"
#include "prune/task_score.hpp"

namespace filigree {

/// A forward over examples in the first half of the batch and their donors, which run whole, in the second: at every
/// position a closed node of row i takes what it has in row i + half. Gradients reach the gates and the examples'
/// activations, not the donors'.
class DonorHook : public GateHook {
public:
    /// @param gates fp32 [nodes], 1 = open. @param frozen_norms divide by what the whole model divides by.
    explicit DonorHook(at::Tensor gates, bool frozen_norms = false) : own_(std::move(gates)) {
        if (frozen_norms) {
            freeze_norms_of_each_forward();
        }
    }
    at::Tensor at_site(const Site& site, at::Tensor x) override;

private:
    at::Tensor own_;  // nodes that keep what they have
};

/// For every sequence one of another pair, either member as likely; no shorter where there is one, so that no padding
/// speaks, else of the longest pair. Of its own pair where there is no other. @return int64 [sequences], on their
/// device.
[[nodiscard]] at::Tensor draw_donors(const Examples& examples, RandomStream random);

/// z_a - z_b of some rows of the examples, with donors from all of them.
/// @param rows, donors int64 [n], indices of sequences. @return [n].
[[nodiscard]] at::Tensor differences_with_donors(const Examples& examples, const at::Tensor& rows,
                                                 const at::Tensor& donors, DonorHook& hook);

/// All examples. @param donors int64 [sequences]. @throws FG_CANCELLED.
[[nodiscard]] std::vector<ScoredSequence> run_with_donors(const Examples& examples, const at::Tensor& gates,
                                                          const at::Tensor& donors, bool frozen_norms = false);

}  // namespace filigree
