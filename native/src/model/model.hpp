// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>

#include "model/forward.hpp"
#include "model/model_config.hpp"
#include "model/node_space.hpp"
#include "model/parameter_table.hpp"

namespace filigree {

/// How a fresh model starts (fg_model_create).
struct ModelInit {
    std::uint64_t seed = 0;
    bool positions = false;  ///< wpe is random and trained, else zero and fixed
    Execution execution;
};
[[nodiscard]] ModelInit parse_model_init(std::string_view json);
/// Read {"precision", "plan"}. @throws FG_INVALID_CONFIG.
[[nodiscard]] Execution parse_execution(std::string_view json);

/// Architecture, weights and device. All weights are views of one flat fp32 buffer.
class Model {
public:
    /// Fresh weights (method 1.7): matrices and embeddings N(0, 0.02^2), c_proj N(0, (0.02/sqrt(2L))^2), bigram
    /// U[0, 1) * 0.02, gains 1, the rest 0. A bigram table that is not learnt starts at 0.
    Model(ModelConfig config, const ModelInit& init, at::Device device);
    /// All zeros, for weights that are read from elsewhere; init.seed has no effect.
    struct Uninitialised {};
    Model(ModelConfig config, const ModelInit& init, at::Device device, Uninitialised);
    Model(const Model&) = delete;  // the weights are views of the buffer
    Model& operator=(const Model&) = delete;
    ~Model() = default;

    [[nodiscard]] const ModelConfig& config() const { return config_; }
    [[nodiscard]] const ParameterTable& table() const { return table_; }
    [[nodiscard]] const NodeSpace& nodes() const { return nodes_; }
    [[nodiscard]] const at::Tensor& values() const { return values_; }  ///< flat [table().size()]
    [[nodiscard]] at::Tensor tensor(const Parameter& parameter) const {
        return ParameterTable::view(values_, parameter);
    }
    [[nodiscard]] at::Device device() const { return values_.device(); }
    /// Forward over the weights without gradients.
    [[nodiscard]] ForwardContext context() const { return context_with(weights_); }
    /// Forward over other tensors of the same layout, e.g. leaves that collect gradients. `weights` must outlive it.
    /// Those must be views of values() all the same.
    [[nodiscard]] ForwardContext context_with(const Weights& weights) const;
    [[nodiscard]] const Execution& execution() const { return execution_; }
    [[nodiscard]] SparseWeights& sparse_weights() { return sparse_weights_; }

    /// Copy token ids to the device as int64. @param tokens [rows * columns]. @throws FG_INVALID_ARGUMENT for an id
    /// that the vocabulary does not have. @return [rows, columns].
    [[nodiscard]] at::Tensor upload_tokens(const std::uint16_t* tokens, std::int64_t rows, std::int64_t columns) const;

    /// Throw FG_CANCELLED when someone asked for it since the last check.
    void check_cancelled();
    void cancel() { cancelled_.store(true); }
    /// Held by whoever computes with this model: one thread at a time.
    [[nodiscard]] std::mutex& in_use() { return in_use_; }

private:
    ModelConfig config_;
    Execution execution_;
    ParameterTable table_;
    NodeSpace nodes_;
    at::Tensor values_;
    mutable SparseWeights sparse_weights_;  // made anew by the first context after the values changed
    Weights weights_;
    std::atomic<bool> cancelled_ = false;
    std::mutex in_use_;
};

/// Throw FG_INVALID_ARGUMENT, naming the position, when a token id is not below the vocabulary size.
void check_tokens(const std::uint16_t* tokens, std::uint64_t count, std::int64_t vocab_size, const std::string& what);

}  // namespace filigree
