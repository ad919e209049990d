// SPDX-License-Identifier: Apache-2.0
// What happens to activations at a node site (method 1.1, 1.3, 4.1) together with the operation before it: AbsTopK,
// then mean ablation. The fast plan does both, and their gradients, in one pass over memory each (kernels/site.hpp);
// the reference plan composes them. Deterministic for a given number of threads. The CUDA kernels take bf16 too:
// results have the type of x, and AbsTopK compares in fp32 what it is given.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <optional>

#include "ops/execution.hpp"

namespace filigree::ops {

struct SiteRule {
    std::optional<std::int64_t> k;  ///< entries that AbsTopK keeps of a row; nothing = all
    at::Tensor gate;                ///< 1 = open; undefined for no ablation; shapes as for mask_to_mean()
    at::Tensor mean;                ///< with a gate
};

/// A product with a bias in it. Where the site behind it sums the gradient of the bias, which is that of the product
/// summed over all rows, `bias` is defined and the product itself counts it as a constant.
struct Biased {
    at::Tensor x;     ///< [..., w]
    at::Tensor bias;  ///< fp32 [w], or undefined

    /// The product, where nobody sums the gradient of a bias. @throws FG_INTERNAL when somebody would have to.
    [[nodiscard]] const at::Tensor& alone() const;
};
/// Whether the sites behind a product sum the gradient of its bias: add_site(), split_sites() and gelu_site() by the
/// CUDA kernels do, in their own pass. @param x of the product's input. @param w width of a site. @param gelu whether
/// it is gelu_site().
[[nodiscard]] bool sums_bias_gradient(const at::Tensor& x, std::int64_t w, const SiteRule& rule, bool gelu, Plan plan);

/// @param x [..., w]. @return the same shape; x itself when the rule has nothing to do.
[[nodiscard]] at::Tensor site(const at::Tensor& x, const SiteRule& rule, Plan plan);

/// residual + site(x): the CUDA kernels do it in the same pass. @param residual fp32, of the shape of x.
[[nodiscard]] at::Tensor add_site(const at::Tensor& residual, const Biased& x, const SiteRule& rule, Plan plan);

/// The site after RMSNorm(x) * gain, with eps the machine epsilon of fp32, as the published models have it
/// (method 1.7). @param x fp32. @param type of the result; AbsTopK chooses before the rounding.
[[nodiscard]] at::Tensor rms_norm_site(const at::Tensor& x, const at::Tensor& gain, const SiteRule& rule, Plan plan,
                                       at::ScalarType type = at::kFloat);

/// rms_norm_site(), and x once more for what it is added to later: the CUDA kernels add the gradient of that x in the
/// same pass.
struct Branch {
    at::Tensor y, x;
};
[[nodiscard]] Branch rms_norm_branch(const at::Tensor& x, const at::Tensor& gain, const SiteRule& rule, Plan plan,
                                     at::ScalarType type);

/// The site after the exact (erf) GELU.
[[nodiscard]] at::Tensor gelu_site(const Biased& x, const SiteRule& rule, Plan plan);

/// Three sites side by side. @param x [..., 3 w]. @return three tensors [..., w].
[[nodiscard]] std::array<at::Tensor, 3> split_sites(const Biased& x, const std::array<SiteRule, 3>& rules, Plan plan);

}  // namespace filigree::ops
