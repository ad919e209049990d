// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "model/model_config.hpp"

namespace filigree {

/// Groups of tensors that share a rule of sparsity, decay or counting (method 2.2).
enum class Family : std::uint8_t {
    kMatrix,       ///< the four block matrices
    kEmbedding,    ///< wte
    kUnembedding,  ///< lm_head
    kPosition,     ///< wpe
    kBias,
    kNorm,
    kSink,
    kBigram,
    kLogitBias,
};
[[nodiscard]] const char* family_name(Family family);

/// Which lines of a block matrix the minimum-alive rule protects (method 2.3).
enum class AliveAxis : std::uint8_t { kNone, kRows, kColumns };

/// One tensor of the model and its place in the flat buffer.
struct Parameter {
    std::string name;  ///< published state-dict key (method 1.8)
    Family family = Family::kMatrix;
    std::vector<std::int64_t> shape;
    std::int64_t offset = 0;  ///< first element in the flat buffer
    std::int64_t size = 0;    ///< number of elements
    bool trainable = true;
    AliveAxis alive_axis = AliveAxis::kNone;

    /// Decoupled decay acts on trainable tensors of two dimensions, the bigram table excepted (method 2.1.8).
    [[nodiscard]] bool decayed() const { return trainable && shape.size() > 1 && family != Family::kBigram; }
};

/// Layout of all tensors in one flat fp32 buffer: decayed ones first, then the other trainable ones, then buffers.
/// Gradients and optimiser moments use the same offsets, of which they have the first trainable_size().
class ParameterTable {
public:
    /// @param positions whether wpe is trained.
    ParameterTable(const ModelConfig& config, bool positions);

    [[nodiscard]] const std::vector<Parameter>& parameters() const { return parameters_; }
    [[nodiscard]] const Parameter& find(const std::string& name) const;  ///< throws FG_NOT_FOUND
    [[nodiscard]] bool contains(const std::string& name) const;
    [[nodiscard]] std::int64_t size() const { return size_; }
    [[nodiscard]] std::int64_t trainable_size() const { return trainable_size_; }
    [[nodiscard]] std::int64_t decayed_size() const { return decayed_size_; }

    /// The part of `flat` that belongs to `parameter`, in its shape. Shares memory.
    [[nodiscard]] static at::Tensor view(const at::Tensor& flat, const Parameter& parameter);

private:
    [[nodiscard]] std::vector<Parameter>::const_iterator position_of(const std::string& name) const;

    std::vector<Parameter> parameters_;
    std::int64_t size_ = 0;
    std::int64_t trainable_size_ = 0;
    std::int64_t decayed_size_ = 0;
};

}  // namespace filigree
