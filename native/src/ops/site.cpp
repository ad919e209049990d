// SPDX-License-Identifier: Apache-2.0
#include "ops/site.hpp"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/rms_norm.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/profile.hpp"
#include "kernels/kernels.hpp"
#include "ops/abs_topk.hpp"
#include "ops/backend.hpp"
#include "ops/gate.hpp"
#include "ops/own_gradient.hpp"
#include "ops/scratch.hpp"

namespace filigree::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// The operation before the site.
enum class Source : std::uint8_t { kIdentity = FGK_IDENTITY, kRmsNorm = FGK_RMS_NORM, kGelu = FGK_GELU };

kernels::SiteForward* forward_kernel(Source source) {
    const auto& table = kernels::kernels();
    return source == Source::kIdentity  ? table.abs_topk_forward
           : source == Source::kRmsNorm ? table.rms_norm_topk_forward
                                        : table.gelu_topk_forward;
}

kernels::SiteBackward* backward_kernel(Source source) {
    const auto& table = kernels::kernels();
    return source == Source::kIdentity  ? table.abs_topk_backward
           : source == Source::kRmsNorm ? table.rms_norm_topk_backward
                                        : table.gelu_topk_backward;
}

const float* data_or_null(const at::Tensor& x) { return x.defined() ? x.const_data_ptr<float>() : nullptr; }

bool has_gradient(const at::Tensor& x) { return x.defined() && x.requires_grad(); }

at::Tensor contiguous_or_undefined(const at::Tensor& x) { return x.defined() ? x.contiguous() : x; }

constexpr std::int64_t kEntriesPerTask = 1 << 15;  // less is not worth another thread

/// One part of the columns of x through its site.
struct SiteOutput {
    at::Tensor y;            // [..., w]
    at::Tensor kept;         // int64 [rows, words], with gradients
    at::Tensor inverse_rms;  // [rows], with gradients, RMSNorm only
};

/// Columns of a tensor [..., parts * w] that are one of its parts. @return where they begin.
const void* data_of_part(const at::Tensor& x, std::int64_t index, std::int64_t w) {
    return static_cast<const std::byte*>(x.const_data_ptr()) + index * w * x.element_size();
}
void* mutable_data_of_part(const at::Tensor& x, std::int64_t index, std::int64_t w) {
    return static_cast<std::byte*>(x.mutable_data_ptr()) + index * w * x.element_size();
}

/// A part by the CUDA kernel, whose outputs are there. @param x as in run_part().
/// @param residual fp32 [..., w] to add, or undefined.
void run_part_on_device(Source source, const at::Tensor& x, std::int64_t index, const at::Tensor& gain,
                        const SiteRule& rule, const at::Tensor& residual, const SiteOutput& part) {
    fgk_site site{};
    site.n = part.y.size(-1);
    site.rows = part.y.numel() / site.n;
    site.k = rule.k.value_or(site.n);
    site.x = data_of_part(x, index, site.n);
    site.x_stride = x.size(-1);
    site.gain = data_or_null(gain);
    site.gate = data_or_null(rule.gate);
    site.mean = data_or_null(rule.mean);
    site.residual = data_or_null(residual);
    site.y = part.y.mutable_data_ptr();
    site.inverse_rms = part.inverse_rms.defined() ? part.inverse_rms.mutable_data_ptr<float>() : nullptr;
    // The halves of its words, on little-endian machines.
    site.kept = part.kept.defined() ? static_cast<std::uint32_t*>(part.kept.mutable_data_ptr()) : nullptr;
    site.source = static_cast<std::int32_t>(source);
    site.x_type = kernel_type(x);
    site.y_type = kernel_type(part.y);
    const auto& kernels = cuda_kernels();
    kernels.check(kernels.site_forward(&site, current_stream(x.device())));
}

/// What a part's backward knows of its forward.
struct SavedPart {
    at::Tensor gate, mean, kept, inverse_rms;
};

/// What the gradients of a part are added to, [w] each or undefined.
struct PartSums {
    at::Tensor dbias, dgain, dgate;
};

/// Gradients of a part by the CUDA kernel. @param x undefined where nothing is needed of it. @param dy contiguous
/// [..., w]. @param also fp32 [..., w], added to dx, or undefined. @param dx as x.
void run_backward_on_device(Source source, const at::Tensor& x, std::int64_t index, const at::Tensor& gain,
                            const SavedPart& part, const at::Tensor& dy, const at::Tensor& also, const at::Tensor& dx,
                            const PartSums& sums) {
    const auto pointer = [](const at::Tensor& t) { return t.defined() ? t.mutable_data_ptr<float>() : nullptr; };
    fgk_site_gradients site{};
    site.n = dy.size(-1);
    site.rows = dy.numel() / site.n;
    site.dy = dy.const_data_ptr();
    site.x = x.defined() ? data_of_part(x, index, site.n) : nullptr;
    site.x_stride = dx.size(-1);
    site.gain = data_or_null(gain);
    site.gate = data_or_null(part.gate);
    site.mean = data_or_null(part.mean);
    site.inverse_rms = data_or_null(part.inverse_rms);
    site.kept = static_cast<const std::uint32_t*>(part.kept.const_data_ptr());
    site.also = data_or_null(also);
    site.dx = mutable_data_of_part(dx, index, site.n);
    site.dx_stride = dx.size(-1);
    site.dbias = pointer(sums.dbias);
    site.dgain = pointer(sums.dgain);
    site.dgate = pointer(sums.dgate);
    site.source = static_cast<std::int32_t>(source);
    site.x_type = kernel_type(dx);
    site.y_type = kernel_type(dy);
    const auto& kernels = cuda_kernels();
    const auto workspace = kernel_workspace(kernels.site_backward_workspace(site.rows, site.n), dx.device());
    kernels.check(kernels.site_backward(&site, workspace.mutable_data_ptr(), current_stream(dx.device())));
}

/// @param x contiguous [..., parts * w], of which this is part `index`. @param residual to add, on a device only, or
/// undefined. @param type of y.
SiteOutput run_part(Source source, const at::Tensor& x, std::int64_t parts, std::int64_t index, const at::Tensor& gain,
                    const SiteRule& rule, const at::Tensor& residual, at::ScalarType type, bool gradients) {
    const PartTimer timer(Part::kSites);
    const auto stride = x.size(-1);
    const auto w = stride / parts;
    const auto count = x.numel() / stride;
    auto shape = x.sizes().vec();
    shape.back() = w;
    SiteOutput part;
    part.y = at::empty(shape, x.options().dtype(type));
    if (gradients) {
        part.kept = at::empty({count, kernels::kept_words(w)}, x.options().dtype(at::kLong));
        if (source == Source::kRmsNorm) {
            part.inverse_rms = at::empty({count}, x.options().dtype(at::kFloat));
        }
    }
    if (backend_of(x, Plan::kFast) == Backend::kCuda) {
        run_part_on_device(source, x, index, gain, rule, residual, part);
        return part;
    }
    kernels::SiteRows rows;
    rows.n = w;
    rows.k = rule.k.value_or(w);
    rows.x = x.const_data_ptr<float>() + index * w;
    rows.x_stride = stride;
    rows.gain = data_or_null(gain);
    rows.gate = data_or_null(rule.gate);
    rows.mean = data_or_null(rule.mean);
    rows.y = part.y.mutable_data_ptr<float>();
    if (part.kept.defined()) {
        rows.kept = reinterpret_cast<std::uint64_t*>(part.kept.mutable_data_ptr<std::int64_t>());
    }
    if (part.inverse_rms.defined()) {
        rows.inverse_rms = part.inverse_rms.mutable_data_ptr<float>();
    }
    auto* kernel = forward_kernel(source);
    at::parallel_for(0, count, std::max<std::int64_t>(1, kEntriesPerTask / w),
                     [&](std::int64_t begin, std::int64_t end) {
                         kernel(rows, begin, end, thread_scratch(kernels::site_scratch(w)));
                     });
    return part;
}

at::Tensor or_undefined(const std::optional<at::Tensor>& x) { return x.value_or(at::Tensor()); }

/// x -> the parts, with gradients for x, gain, the gates, the residual and a bias that x has in it.
class SiteFunction : public torch::autograd::Function<SiteFunction> {
public:
    static constexpr std::size_t kMaxParts = 3;

    /// @param gate_0,gate_1,gate_2 the gates of the rules once more, where autograd sees them. @param gives_x whether x
    /// is one more output, the last; on a device only.
    static variable_list forward(AutogradContext* context, const at::Tensor& x,
                                 const std::optional<at::Tensor>& given_gain, const std::optional<at::Tensor>& gate_0,
                                 const std::optional<at::Tensor>& gate_1, const std::optional<at::Tensor>& gate_2,
                                 const std::optional<at::Tensor>& residual, const std::optional<at::Tensor>& bias,
                                 const std::vector<SiteRule>& rules, std::int64_t source, at::ScalarType type,
                                 bool gives_x) {
        const std::array<at::Tensor, kMaxParts> gates = {or_undefined(gate_0), or_undefined(gate_1),
                                                         or_undefined(gate_2)};
        const auto gain = or_undefined(given_gain);
        const auto parts = static_cast<std::int64_t>(rules.size());
        variable_list outputs;
        const bool needs_x =
            static_cast<Source>(source) != Source::kIdentity || std::any_of(gates.begin(), gates.end(), has_gradient);
        variable_list saved = {needs_x ? x : at::Tensor(), gain};
        for (std::int64_t i = 0; i < parts; ++i) {
            const auto& rule = rules[static_cast<std::size_t>(i)];
            const auto part = run_part(static_cast<Source>(source), x, parts, i, gain, rule, or_undefined(residual),
                                       type, /*gradients=*/true);
            outputs.push_back(part.y);
            saved.insert(saved.end(), {gates.at(static_cast<std::size_t>(i)), rule.mean, part.kept, part.inverse_rms});
        }
        context->save_for_backward(std::move(saved));
        context->saved_data["source"] = source;
        context->saved_data["parts"] = parts;
        context->saved_data["shape"] = x.sizes().vec();
        context->saved_data["type"] = static_cast<std::int64_t>(x.scalar_type());
        context->saved_data["adds"] = residual.has_value();
        context->saved_data["wants_dbias"] = bias && bias->requires_grad();
        context->saved_data["bias_gradient"] = own_gradient(bias.value_or(at::Tensor()));
        if (gives_x) {
            outputs.push_back(x);
        }
        return outputs;
    }

    static variable_list backward(AutogradContext* context, const variable_list& dy) {
        const PartTimer timer(Part::kSites);
        constexpr std::size_t kShared = 2;   // x and gain, saved before what each part has
        constexpr std::size_t kPerPart = 4;  // gate, mean, kept, inverse rms
        const auto source = static_cast<Source>(context->saved_data["source"].toInt());
        const auto saved = context->get_saved_variables();
        const auto& x = saved[0];
        const auto& gain = saved[1];
        const auto parts = static_cast<std::size_t>(context->saved_data["parts"].toInt());
        const auto also = dy.size() > parts ? dy[parts].contiguous() : at::Tensor();
        const auto type = static_cast<at::ScalarType>(context->saved_data["type"].toInt());
        const auto dx = at::empty(context->saved_data["shape"].toIntVector(), dy[0].options().dtype(type));
        const auto stride = dx.size(-1);
        const auto w = stride / static_cast<std::int64_t>(parts);
        const auto count = dx.numel() / stride;
        const auto wants_dgain = source == Source::kRmsNorm && gain.requires_grad();
        at::Tensor dgain;
        const auto own_bias = context->saved_data["bias_gradient"].toTensor();
        const auto dbias = !context->saved_data["wants_dbias"].toBool() ? at::Tensor()
                           : own_bias.defined()                         ? own_bias
                                                : at::zeros({stride}, dx.options().dtype(at::kFloat));
        std::array<at::Tensor, kMaxParts> dgates;
        auto* kernel = backward_kernel(source);
        for (std::size_t i = 0; i < parts; ++i) {
            const auto* of_part = &saved[kShared + kPerPart * i];
            const SavedPart part{of_part[0], of_part[1], of_part[2], of_part[3]};
            const auto wants_dgate = has_gradient(part.gate);
            const auto dy_part = dy[i].contiguous();
            const auto index = static_cast<std::int64_t>(i);
            if (backend_of(dx, Plan::kFast) == Backend::kCuda) {
                const auto zeros = [&](bool wanted) {
                    return wanted ? at::zeros({w}, dx.options().dtype(at::kFloat)) : at::Tensor();
                };
                dgain = zeros(wants_dgain);
                dgates.at(i) = zeros(wants_dgate);
                run_backward_on_device(source, x, index, gain, part, dy_part, also, dx,
                                       {dbias.defined() ? dbias.narrow(0, index * w, w) : dbias, dgain, dgates.at(i)});
                continue;
            }
            kernels::SiteGradients rows;
            rows.n = w;
            rows.dy = dy_part.const_data_ptr<float>();
            rows.dy_stride = w;
            rows.x = x.defined() ? x.const_data_ptr<float>() + index * w : nullptr;
            rows.x_stride = stride;
            rows.gain = data_or_null(gain);
            rows.gate = data_or_null(part.gate);
            rows.mean = data_or_null(part.mean);
            rows.kept = reinterpret_cast<const std::uint64_t*>(part.kept.const_data_ptr<std::int64_t>());
            rows.inverse_rms = data_or_null(part.inverse_rms);
            rows.dx = dx.mutable_data_ptr<float>() + index * w;
            rows.dx_stride = stride;
            // Blocks of a fixed size sum over their own rows, so the sums do not depend on the threads.
            const auto block = std::max<std::int64_t>(64, count / 64);
            const auto blocks = (count + block - 1) / block;
            const auto sums = [&](bool wanted) { return wanted ? at::zeros({blocks, w}, dx.options()) : at::Tensor(); };
            const auto gain_sums = sums(wants_dgain);
            const auto gate_sums = sums(wants_dgate);
            at::parallel_for(0, blocks, std::max<std::int64_t>(1, kEntriesPerTask / (block * w)),
                             [&](std::int64_t first, std::int64_t last) {
                                 auto* scratch = thread_scratch(kernels::site_scratch(w));
                                 for (auto b = first; b < last; ++b) {
                                     auto own = rows;
                                     own.dgain = wants_dgain ? gain_sums.mutable_data_ptr<float>() + b * w : nullptr;
                                     own.dgate = wants_dgate ? gate_sums.mutable_data_ptr<float>() + b * w : nullptr;
                                     kernel(own, b * block, std::min(count, (b + 1) * block), scratch);
                                 }
                             });
            if (wants_dgain) dgain = gain_sums.sum(0);
            if (wants_dgate) dgates.at(i) = gate_sums.sum(0);
        }
        const auto dresidual = context->saved_data["adds"].toBool() ? dy[0] : at::Tensor();
        // What went into the leaf's own gradient must not be added to it again.
        return {dx,
                dgain,
                dgates[0],
                dgates[1],
                dgates[2],
                dresidual,
                own_bias.defined() ? at::Tensor() : dbias,
                at::Tensor(),
                at::Tensor(),
                at::Tensor(),
                at::Tensor()};
    }
};

/// What the kernels of a device do with one site in the same pass.
struct Joined {
    at::Tensor bias{};      ///< of Biased, or undefined
    at::Tensor residual{};  ///< to add, of a single site, or undefined
    bool gives_x = false;  ///< x, of fp32, is one more result of a single site, and its gradient is added to the site's
};

/// The fast plan for all rules; x is [..., parts * w]. @param type of the results.
variable_list run_fast(Source source, const at::Tensor& x, const at::Tensor& gain, std::vector<SiteRule> rules,
                       at::ScalarType type, const Joined& joined = {}) {
    const bool joins_one = joined.residual.defined() || joined.gives_x;
    FG_EXPECTS(!(joins_one || joined.bias.defined()) || backend_of(x, Plan::kFast) == Backend::kCuda, FG_INTERNAL,
               "only on a device a site is joined with what is around it");
    FG_EXPECTS(!joins_one || rules.size() == 1, FG_INTERNAL, "only a single site is joined with a residual");
    const auto input = x.contiguous();
    const auto added = contiguous_or_undefined(joined.residual);
    bool gradients = has_gradient(input) || has_gradient(gain) || has_gradient(added) || has_gradient(joined.bias);
    for (auto& rule : rules) {
        rule.gate = contiguous_or_undefined(rule.gate);
        rule.mean = contiguous_or_undefined(rule.mean);
        gradients = gradients || has_gradient(rule.gate);
    }
    if (gradients && c10::GradMode::is_enabled()) {
        // An undefined tensor would do, but not for autograd.
        const auto given = [](const at::Tensor& t) { return t.defined() ? std::optional(t) : std::nullopt; };
        const auto gate = [&](std::size_t i) { return i < rules.size() ? given(rules[i].gate) : std::nullopt; };
        return SiteFunction::apply(input, given(gain), gate(0), gate(1), gate(2), given(added), given(joined.bias),
                                   rules, static_cast<std::int64_t>(source), type, joined.gives_x);
    }
    variable_list outputs;
    const auto parts = static_cast<std::int64_t>(rules.size());
    for (std::int64_t i = 0; i < parts; ++i) {
        const auto& rule = rules[static_cast<std::size_t>(i)];
        outputs.push_back(run_part(source, input, parts, i, gain, rule, added, type, /*gradients=*/false).y);
    }
    if (joined.gives_x) {
        outputs.push_back(x);
    }
    return outputs;
}

/// @param w width of a row of the site.
bool has_kernels(const at::Tensor& x, std::int64_t w, Plan plan) {
    const auto backend = backend_of(x, plan);
    return backend == Backend::kCpu || (backend == Backend::kCuda && w <= FGK_LONGEST_ROW);
}

bool does_nothing(const SiteRule& rule) { return !rule.k && !rule.gate.defined(); }

at::Tensor compose(at::Tensor x, const SiteRule& rule) {
    if (rule.k) {
        x = abs_topk(x, *rule.k);
    }
    return rule.gate.defined() ? mask_to_mean(x, rule.gate, rule.mean) : x;
}

/// Whether the ablation is more than the kernels do: by groups, or to values of its own at every position.
bool ablates_apart(const SiteRule& rule) { return rule.gate.defined() && (rule.gate.dim() > 1 || rule.mean.dim() > 1); }

/// Whether the kernels can join a site of width w with what is around it. @param x on its device.
bool can_join(const at::Tensor& x, std::int64_t w, const SiteRule& rule, Plan plan) {
    return backend_of(x, plan) == Backend::kCuda && has_kernels(x, w, plan) && !ablates_apart(rule);
}

SiteRule without_ablation(const SiteRule& rule) { return {rule.k, {}, {}}; }

}  // namespace

const at::Tensor& Biased::alone() const {
    FG_EXPECTS(!bias.defined(), FG_INTERNAL, "nobody sums the gradient of a bias here");
    return x;
}

bool sums_bias_gradient(const at::Tensor& x, std::int64_t w, const SiteRule& rule, bool gelu, Plan plan) {
    return can_join(x, w, rule, plan) && (gelu || !does_nothing(rule));
}

at::Tensor site(const at::Tensor& x, const SiteRule& rule, Plan plan) {
    if (ablates_apart(rule)) {
        return mask_to_mean(site(x, without_ablation(rule), plan), rule.gate, rule.mean);
    }
    if (!has_kernels(x, x.size(-1), plan) || does_nothing(rule)) {
        return compose(x, rule);
    }
    return run_fast(Source::kIdentity, x, at::Tensor(), {rule}, x.scalar_type()).front();
}

at::Tensor add_site(const at::Tensor& residual, const Biased& x, const SiteRule& rule, Plan plan) {
    if (!can_join(x.x, x.x.size(-1), rule, plan) || does_nothing(rule)) {
        return residual + site(x.alone(), rule, plan);
    }
    return run_fast(Source::kIdentity, x.x, at::Tensor(), {rule}, residual.scalar_type(), {x.bias, residual}).front();
}

at::Tensor rms_norm_site(const at::Tensor& x, const at::Tensor& gain, const SiteRule& rule, Plan plan,
                         at::ScalarType type) {
    if (ablates_apart(rule)) {
        return mask_to_mean(rms_norm_site(x, gain, without_ablation(rule), plan, type), rule.gate, rule.mean);
    }
    if (!has_kernels(x, x.size(-1), plan)) {
        return compose(at::rms_norm(x, {x.size(-1)}, gain, std::nullopt), rule).to(type);
    }
    return run_fast(Source::kRmsNorm, x, gain, {rule}, type).front();
}

Branch rms_norm_branch(const at::Tensor& x, const at::Tensor& gain, const SiteRule& rule, Plan plan,
                       at::ScalarType type) {
    if (!can_join(x, x.size(-1), rule, plan)) {
        return {rms_norm_site(x, gain, rule, plan, type), x};
    }
    auto both = run_fast(Source::kRmsNorm, x, gain, {rule}, type, {{}, {}, /*gives_x=*/true});
    return {std::move(both[0]), std::move(both[1])};
}

at::Tensor gelu_site(const Biased& x, const SiteRule& rule, Plan plan) {
    if (ablates_apart(rule)) {
        return mask_to_mean(gelu_site({x.alone(), {}}, without_ablation(rule), plan), rule.gate, rule.mean);
    }
    if (!has_kernels(x.x, x.x.size(-1), plan)) {
        return compose(at::gelu(x.alone(), "none"), rule);
    }
    return run_fast(Source::kGelu, x.x, at::Tensor(), {rule}, x.x.scalar_type(), {x.bias}).front();
}

std::array<at::Tensor, 3> split_sites(const Biased& x, const std::array<SiteRule, 3>& rules, Plan plan) {
    const auto w = x.x.size(-1) / 3;
    const auto part = [&](std::int64_t i) { return x.alone().narrow(-1, i * w, w); };
    if (std::any_of(rules.begin(), rules.end(), ablates_apart)) {
        return {site(part(0), rules[0], plan), site(part(1), rules[1], plan), site(part(2), rules[2], plan)};
    }
    if (!has_kernels(x.x, w, plan) || std::all_of(rules.begin(), rules.end(), does_nothing)) {
        return {compose(part(0), rules[0]), compose(part(1), rules[1]), compose(part(2), rules[2])};
    }
    const auto parts =
        run_fast(Source::kIdentity, x.x, at::Tensor(), {rules.begin(), rules.end()}, x.x.scalar_type(), {x.bias});
    return {parts[0], parts[1], parts[2]};
}

}  // namespace filigree::ops
