// SPDX-License-Identifier: Apache-2.0
#include "ops/linear.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <utility>

#include "core/profile.hpp"
#include "kernels/kernels.hpp"
#include "ops/backend.hpp"
#include "ops/own_gradient.hpp"
#include "ops/product.hpp"

namespace filigree::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

std::int64_t rows_of(const at::Tensor& x) { return x.numel() / x.size(-1); }

at::Tensor reference_linear(const at::Tensor& x, const at::Tensor& w, const at::Tensor& b, Precision precision) {
    if (precision == Precision::kFp32) {
        return at::linear(x, w, b);
    }
    const auto y = at::linear(x.to(at::kBFloat16), w.to(at::kBFloat16)).to(at::kFloat);
    return b.defined() ? y + b : y;
}

at::Tensor grouped_linear(const at::Tensor& x, const at::Tensor& w, const at::Tensor& b, Precision precision) {
    const auto R = w.size(0);
    auto shape = x.sizes().vec();
    shape.back() = w.size(1);
    const auto rows = std::accumulate(shape.begin(), shape.end() - 1, std::int64_t{1}, std::multiplies<>()) / R;
    const auto type = precision == Precision::kFp32 ? at::kFloat : at::kBFloat16;
    const auto y = at::bmm(x.reshape({R, rows, x.size(-1)}).to(type), w.transpose(1, 2).to(type)).to(at::kFloat);
    return (b.defined() ? y + b.unsqueeze(1) : y).view(shape);
}

/// Precision of the products of the dense matrices of one linear.
struct Precisions {
    Precision value, gradients;
};

/// Keeps the nonzeros of a weight for the backward pass.
struct SparseForm : torch::CustomClassHolder {
    explicit SparseForm(std::shared_ptr<const SparseMatrix> form) : matrix(std::move(form)) {}
    std::shared_ptr<const SparseMatrix> matrix;
};

struct FastLinear : torch::autograd::Function<FastLinear> {
    static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& w,
                              const std::optional<at::Tensor>& b, const std::shared_ptr<const SparseMatrix>& sparse,
                              Precisions precisions) {
        const PartTimer timer(Part::kProducts);
        const auto rows = x.contiguous();
        context->save_for_backward({rows, w});
        context->saved_data["w_gradient"] = own_gradient(w);
        context->saved_data["b_gradient"] = b ? own_gradient(*b) : at::Tensor();
        context->saved_data["b_wanted"] = b && b->requires_grad();
        context->saved_data["precision"] = static_cast<std::int64_t>(precisions.gradients);
        if (sparse) {
            context->saved_data["sparse"] = at::IValue::make_capsule(c10::make_intrusive<SparseForm>(sparse));
        }
        auto shape = x.sizes().vec();
        shape.back() = w.size(0);
        auto y = at::empty(shape, x.options());
        const auto* bias = b ? b->const_data_ptr<float>() : nullptr;
        if (sparse) {
            SparseProduct product;
            product.x = rows.const_data_ptr<float>();
            product.a = sparse->rows();
            product.rows = rows_of(x);
            product.n = w.size(0);
            product.k = w.size(1);
            product.y = y.mutable_data_ptr<float>();
            product.bias = bias;
            multiply(product);
        } else {
            DenseProduct product;
            product.a = {rows.const_data_ptr<float>(), w.size(1), false};
            product.b = {w.const_data_ptr<float>(), w.size(1), true};
            product.m = rows_of(x);
            product.n = w.size(0);
            product.k = w.size(1);
            product.c = y.mutable_data_ptr<float>();
            product.start = bias == nullptr ? kernels::Start::kZero : kernels::Start::kColumnBias;
            product.bias = bias;
            product.precision = precisions.value;
            multiply(product);
        }
        return y;
    }

    static variable_list backward(AutogradContext* context, const variable_list& gradients) {
        const auto saved = context->get_saved_variables();
        const auto& x = saved[0];
        const auto& w = saved[1];
        const auto dy = gradients[0].contiguous();
        at::Tensor dx;
        if (context->needs_input_grad(0)) {
            dx = at::empty_like(x);
            input_gradient(context, dy, w, dx);
        }
        const auto b_wanted = context->saved_data["b_wanted"].toBool();
        at::Tensor dw;
        at::Tensor db;
        if (context->needs_input_grad(1) || b_wanted) {
            const auto w_own = context->saved_data["w_gradient"].toTensor();
            const auto b_own = context->saved_data["b_gradient"].toTensor();
            dw = w_own.defined() ? w_own : at::zeros_like(w);
            if (b_wanted) {
                db = b_own.defined() ? b_own : at::zeros({w.size(0)}, w.options());
            }
            weight_gradient(dy, x, precision_of_gradients(context), dw, db);
            // What went into the leaf's own gradient must not be added to it again.
            dw = w_own.defined() ? at::Tensor() : dw;
            db = b_own.defined() ? at::Tensor() : db;
        }
        return {dx, dw, db, at::Tensor(), at::Tensor()};
    }

private:
    static Precision precision_of_gradients(AutogradContext* context) {
        return static_cast<Precision>(context->saved_data["precision"].toInt());
    }

    static void input_gradient(AutogradContext* context, const at::Tensor& dy, const at::Tensor& w, at::Tensor& dx) {
        const PartTimer timer(Part::kInputGradients);
        const auto sparse = context->saved_data.find("sparse");
        if (sparse != context->saved_data.end()) {
            SparseProduct product;
            product.x = dy.const_data_ptr<float>();
            product.a = c10::static_intrusive_pointer_cast<SparseForm>(sparse->second.toCapsule())->matrix->columns();
            product.rows = rows_of(dy);
            product.n = w.size(1);
            product.k = w.size(0);
            product.y = dx.mutable_data_ptr<float>();
            multiply(product);
            return;
        }
        DenseProduct product;
        product.a = {dy.const_data_ptr<float>(), w.size(0), false};
        product.b = {w.const_data_ptr<float>(), w.size(1), false};
        product.m = rows_of(dy);
        product.n = w.size(1);
        product.k = w.size(0);
        product.c = dx.mutable_data_ptr<float>();
        product.precision = precision_of_gradients(context);
        multiply(product);
    }

    /// dw += dy^T x; db += the sum of dy over all rows, when it is defined.
    static void weight_gradient(const at::Tensor& dy, const at::Tensor& x, Precision precision, at::Tensor& dw,
                                at::Tensor& db) {
        const PartTimer timer(Part::kWeightGradients);
        DenseProduct product;
        product.a = {dy.const_data_ptr<float>(), dw.size(0), true};
        product.b = {x.const_data_ptr<float>(), dw.size(1), false};
        product.m = dw.size(0);
        product.n = dw.size(1);
        product.k = rows_of(x);
        product.c = dw.mutable_data_ptr<float>();
        product.start = kernels::Start::kC;
        product.precision = precision;
        multiply(product);
        if (db.defined()) {
            add_column_sums(dy.const_data_ptr<float>(), product.k, product.m, db.mutable_data_ptr<float>());
        }
    }
};

// ---- On a device: dense products are LibTorch's, those with a sparse weight the CUDA kernel's.

/// a b in a precision, summed and returned in fp32. @param a [m, k]. @param b [k, n]. @return fp32 [m, n].
at::Tensor dense_product(const at::Tensor& a, const at::Tensor& b, Precision precision) {
    if (precision == Precision::kFp32) {
        return at::mm(a, b);
    }
    const auto rounded_a = a.to(at::kBFloat16);
    const auto rounded_b = b.to(at::kBFloat16);
    return a.is_cuda() ? at::mm(rounded_a, rounded_b, at::kFloat)
                       : at::mm(rounded_a.to(at::kFloat), rounded_b.to(at::kFloat));
}

/// y = x a^T + bias by the nonzeros of a. @param x [..., k]. @return [..., n], of the type of x.
at::Tensor sparse_product(const at::Tensor& x, const fgk_slices& a, std::int64_t n, const at::Tensor& bias) {
    auto shape = x.sizes().vec();
    shape.back() = n;
    const auto y = at::empty(shape, x.options());
    const auto& kernels = cuda_kernels();
    kernels.check(kernels.sparse_product(x.const_data_ptr(), kernel_type(x), rows_of(x), x.size(-1), &a, n,
                                         bias.defined() ? bias.const_data_ptr<float>() : nullptr, y.mutable_data_ptr(),
                                         kernel_type(y), current_stream(x.device())));
    return y;
}

/// a b + bias as activations or their gradients, of the type of a. @param a [m, k]. @param b fp32 [k, n]. @param bias
/// fp32 [n], or undefined.
at::Tensor dense_activations(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias, Precision precision) {
    if (a.scalar_type() == at::kBFloat16) {
        const auto rounded = b.to(at::kBFloat16);
        return bias.defined() ? at::addmm(bias.to(at::kBFloat16), a, rounded) : at::mm(a, rounded);
    }
    const auto y = dense_product(a, b, precision);
    return bias.defined() ? y.add_(bias) : y;
}

struct DeviceLinear : torch::autograd::Function<DeviceLinear> {
    static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& w,
                              const std::optional<at::Tensor>& b, const std::shared_ptr<const SparseMatrix>& sparse,
                              Precisions precisions) {
        const PartTimer timer(Part::kProducts);
        const auto rows = x.contiguous();
        const auto bias = b.value_or(at::Tensor());
        context->save_for_backward({rows, w});
        context->saved_data["w_gradient"] = own_gradient(w);
        context->saved_data["b_gradient"] = own_gradient(bias);
        context->saved_data["b_wanted"] = bias.defined() && bias.requires_grad();
        context->saved_data["precision"] = static_cast<std::int64_t>(precisions.gradients);
        if (sparse) {
            context->saved_data["sparse"] = at::IValue::make_capsule(c10::make_intrusive<SparseForm>(sparse));
            return sparse_product(rows, sparse->device_rows(), w.size(0), bias);
        }
        auto shape = x.sizes().vec();
        shape.back() = w.size(0);
        return dense_activations(rows.view({-1, w.size(1)}), w.t(), bias, precisions.value).view(shape);
    }

    static variable_list backward(AutogradContext* context, const variable_list& gradients) {
        const auto saved = context->get_saved_variables();
        const auto& w = saved[1];
        const auto precision = static_cast<Precision>(context->saved_data["precision"].toInt());
        const auto dy = gradients[0].contiguous();
        const auto dy_rows = dy.view({-1, w.size(0)});
        at::Tensor dx;
        if (context->needs_input_grad(0)) {
            const PartTimer timer(Part::kInputGradients);
            const auto sparse = context->saved_data.find("sparse");
            dx = sparse != context->saved_data.end()
                     ? sparse_product(dy,
                                      c10::static_intrusive_pointer_cast<SparseForm>(sparse->second.toCapsule())
                                          ->matrix->device_columns(),
                                      w.size(1), at::Tensor())
                     : dense_activations(dy_rows, w, at::Tensor(), precision).view(saved[0].sizes());
        }
        const PartTimer timer(Part::kWeightGradients);
        at::Tensor dw;
        if (context->needs_input_grad(1)) {
            dw = add_to_own(context->saved_data["w_gradient"].toTensor(), dy_rows.t(), saved[0].view({-1, w.size(1)}),
                            precision);
        }
        at::Tensor db;
        if (context->saved_data["b_wanted"].toBool()) {
            const auto own = context->saved_data["b_gradient"].toTensor();
            const auto sums = own.defined() ? own : at::zeros({w.size(0)}, w.options());
            add_column_sums_on_device(dy_rows, sums);
            db = own.defined() ? at::Tensor() : sums;
        }
        return {dx, dw, db, at::Tensor(), at::Tensor()};
    }

private:
    /// own += a b, or a b where there is no own. @return what autograd has to add: nothing in the first case.
    static at::Tensor add_to_own(const at::Tensor& own, const at::Tensor& a, const at::Tensor& b, Precision precision) {
        if (!own.defined()) {
            return dense_product(a, b, precision);
        }
        if (precision == Precision::kFp32) {
            own.addmm_(a, b);
        } else {
            own.add_(dense_product(a, b, precision));
        }
        return {};
    }
};

}  // namespace

at::Tensor linear(const at::Tensor& x, const at::Tensor& w, const at::Tensor& b, const Execution& execution,
                  const std::shared_ptr<const SparseMatrix>& sparse) {
    if (w.dim() == 3) {
        return grouped_linear(x, w, b, execution.precision);
    }
    if (w.numel() == 0) {  // of a compacted model
        return reference_linear(x, w, b, execution.precision);
    }
    const auto given = b.defined() ? std::optional(b) : std::nullopt;
    const Precisions precisions{execution.precision, execution.precision};
    switch (backend_of(x, execution.plan)) {
        case Backend::kCpu:
            return FastLinear::apply(x, w, given, sparse, precisions);
        case Backend::kCuda:
            return DeviceLinear::apply(x, w, given, sparse, precisions);
        case Backend::kComposition:
            break;
    }
    return reference_linear(x, w, b, execution.precision);
}

at::Tensor logits(const at::Tensor& x, const at::Tensor& w, const Execution& execution,
                  const std::shared_ptr<const SparseMatrix>& sparse) {
    const Precisions precisions{Precision::kFp32, execution.precision};
    switch (backend_of(x, execution.plan)) {
        case Backend::kCpu:
            return FastLinear::apply(x, w, std::nullopt, sparse, precisions);
        case Backend::kCuda:
            return DeviceLinear::apply(x, w, std::nullopt, sparse, precisions);
        case Backend::kComposition:
            break;
    }
    return reference_linear(x, w, at::Tensor(), Precision::kFp32);
}

}  // namespace filigree::ops
