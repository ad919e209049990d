// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "model/parameter_table.hpp"
#include "ops/execution.hpp"
#include "ops/sparse_matrix.hpp"

namespace filigree {

/// Largest nonzero fractions of a matrix that is multiplied by its nonzeros. In fp32 a trainer measures them. In bf16
/// both ways round differently, so every run must choose alike: by these, at which both took the same time in C1 and in
/// `tiny` on a processor with bf16.
struct Crossover {
    /// Of a matrix whose inputs AbsTopK has thinned: the other way leaves out the zeros of those.
    double sparse_inputs = 0.2;
    /// Of the unembedding, whose inputs have no zeros to leave out.
    double dense_inputs = 0.4;
};

/// Those of a CUDA device, fixed too: there the two ways differ in bits in every precision. Below a hundredth the CUDA
/// cores beat dense bf16 products on tensor cores (method 9); against fp32 products, as logits are in either precision,
/// 1/32 is a cautious guess by the rates of both. `bench/gpu/accept.sh bench` measures where they meet.
[[nodiscard]] Crossover crossover_on_device(Precision precision);

/// The execution plan of a model's matrices: which are sparse enough for products by their nonzeros, and those
/// nonzeros. In fp32 on the CPU a matrix takes either way with the same bits; the crossover is about time alone there.
class SparseWeights {
public:
    explicit SparseWeights(const ParameterTable& table);
    /// The forms of matrices that are no parameters, as they are now; it is never brought up to date. @param matrices
    /// [m, n] fp32, contiguous; their memory must outlive it.
    SparseWeights(const std::vector<at::Tensor>& matrices, const Crossover& crossover);

    [[nodiscard]] const Crossover& crossover() const { return crossover_; }
    void set_crossover(const Crossover& crossover);

    /// Bring the forms up to date with the flat buffer, if it changed.
    void update(const at::Tensor& values);
    /// Say how many nonzeros the weights can have as the buffer is now, so that on a device nobody has to count them
    /// and wait for the number. @param most of a parameter.
    void promise(const at::Tensor& values, const std::function<std::int64_t(const Parameter&)>& most);
    using Promise = std::vector<std::int64_t>;  ///< of every form
    /// What has been promised of the buffer as it is now, for when it is so again; nothing when nobody has.
    [[nodiscard]] std::optional<Promise> promised(const at::Tensor& values) const;
    void promise(const at::Tensor& values, const Promise& most);
    /// The weights are not what a promise was made of after all.
    void withdraw_promise();
    /// The nonzeros of a weight that is a view of the buffer, or one of the matrices; null when it is to be multiplied
    /// as a dense one.
    [[nodiscard]] std::shared_ptr<const ops::SparseMatrix> find(const at::Tensor& weight) const;

private:
    struct Form {
        Parameter parameter;
        std::shared_ptr<ops::SparseMatrix> matrix;
        bool in_use = false;
        const void* data = nullptr;  // of the weight
    };
    /// Take the nonzeros of a matrix if they are few enough.
    void assign(Form& form, const at::Tensor& weight, std::int64_t longest) const;
    /// Most nonzeros of a matrix that is multiplied by them. @param longest line that can be.
    [[nodiscard]] std::int64_t most_of(const Form& form, const at::Tensor& weight, std::int64_t longest) const;
    void update_on_device(const at::Tensor& values);

    Crossover crossover_;
    std::vector<Form> forms_;
    std::optional<std::uint32_t> version_;  // of the buffer that the forms were made from
    Promise promise_;
    std::optional<std::uint32_t> promised_version_;
};

}  // namespace filigree
