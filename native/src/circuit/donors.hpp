// SPDX-License-Identifier: Apache-2.0
// Closed nodes that take the activations of other sequences (method 6.2): resample ablation, where the donor of a
// sequence is any other one, and interchange, where it is the other member of its pair.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "prune/calibration.hpp"
#include "prune/examples.hpp"

namespace filigree {

/// A forward over examples in the first half of the batch and their donors, which run whole, in the second: at every
/// position a closed node of row i takes what it has in row i + half. Gradients reach the gates and the examples'
/// activations, not the donors'.
class DonorHook : public ForwardHook {
public:
    /// @param gates fp32 [nodes], 1 = open.
    explicit DonorHook(at::Tensor gates) : gates_(std::move(gates)) {}
    at::Tensor at_site(const Site& site, at::Tensor x) override;

private:
    at::Tensor gates_;
};

/// z_a - z_b of some rows of the examples, with donors from all of them.
/// @param rows, donors int64 [n], indices of sequences. @return [n].
[[nodiscard]] at::Tensor differences_with_donors(const Examples& examples, const at::Tensor& rows,
                                                 const at::Tensor& donors, DonorHook& hook);

/// All examples. @param donors int64 [sequences]. @throws FG_CANCELLED.
[[nodiscard]] std::vector<ScoredSequence> run_with_donors(const Examples& examples, const at::Tensor& gates,
                                                          const at::Tensor& donors);

}  // namespace filigree
