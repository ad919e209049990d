// SPDX-License-Identifier: Apache-2.0
#include "model/model.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "core/config_reader.hpp"
#include "core/error.hpp"
#include "core/random.hpp"
#include "ops/backend.hpp"

namespace filigree {
namespace {

constexpr double kWeightDeviation = 0.02;

/// Fill a host buffer with the initial values of one tensor.
void initialise(std::span<float> values, const Parameter& parameter, const ModelConfig& config, RandomStream stream) {
    const auto normal = [&](double deviation) {
        std::generate(values.begin(), values.end(), [&] { return static_cast<float>(deviation) * stream.normal(); });
    };
    switch (parameter.family) {
        case Family::kMatrix:
            // Both c_proj matrices write to the residual, and are the ones whose columns the minimum-alive rule
            // protects.
            normal(parameter.alive_axis == AliveAxis::kColumns
                       ? kWeightDeviation / std::sqrt(2.0 * static_cast<double>(config.n_layer))
                       : kWeightDeviation);
            break;
        case Family::kEmbedding:
        case Family::kUnembedding:
            normal(kWeightDeviation);
            break;
        case Family::kPosition:
            if (parameter.trainable) {
                normal(kWeightDeviation);
            }
            break;
        case Family::kNorm:
            std::fill(values.begin(), values.end(), 1.0F);
            break;
        case Family::kBigram:
            if (parameter.trainable) {
                std::generate(values.begin(), values.end(),
                              [&] { return static_cast<float>(kWeightDeviation * stream.uniform()); });
            }
            break;
        case Family::kBias:
        case Family::kSink:
        case Family::kLogitBias:
            break;  // zero
    }
}

Execution read_execution(ConfigReader& reader) {
    Execution execution;
    execution.precision = reader.choice("precision", {"fp32", "bf16"}) == 0 ? Precision::kFp32 : Precision::kBf16;
    execution.plan = reader.choice("plan", {"fast", "reference"}) == 0 ? Plan::kFast : Plan::kReference;
    return execution;
}

}  // namespace

Execution parse_execution(std::string_view json) {
    auto reader = ConfigReader::parse(json, "execution");
    const auto execution = read_execution(reader);
    reader.finish();
    return execution;
}

ModelInit parse_model_init(std::string_view json) {
    auto reader = ConfigReader::parse(json, "init");
    ModelInit init;
    init.seed = static_cast<std::uint64_t>(reader.integer("seed", 0));
    init.positions = reader.choice("positions", {"none", "added"}) == 1;
    init.execution = read_execution(reader);
    reader.finish();
    return init;
}

Model::Model(ModelConfig config, const ModelInit& init, at::Device device, Uninitialised)
    : config_(std::move(config)),
      execution_(init.execution),
      table_(config_, init.positions),
      nodes_(config_),
      values_(at::zeros({table_.size()}, at::TensorOptions(device).dtype(at::kFloat))),
      sparse_weights_(table_),
      weights_(bind_weights(config_, table_, [this](const Parameter& parameter) { return tensor(parameter); })) {
    if (device.is_cuda()) {
        sparse_weights_.set_crossover(crossover_on_device(init.execution.precision));
    }
}

Model::Model(ModelConfig config, const ModelInit& init, at::Device device)
    : Model(std::move(config), init, device, Uninitialised{}) {
    auto host = at::zeros({table_.size()}, at::kFloat);
    auto* data = host.mutable_data_ptr<float>();
    for (std::size_t i = 0; i < table_.parameters().size(); ++i) {
        const auto& parameter = table_.parameters()[i];
        initialise({data + parameter.offset, static_cast<std::size_t>(parameter.size)}, parameter, config_,
                   RandomStream(init.seed, Purpose::kInitialWeights, i));
    }
    values_.copy_(host);
}

ForwardContext Model::context_with(const Weights& weights) const {
    const bool fast = ops::backend_of(device(), execution_.plan) != ops::Backend::kComposition;
    if (fast) {
        sparse_weights_.update(values_);
    }
    return {config_, nodes_, weights, execution_, fast ? &sparse_weights_ : nullptr};
}

at::Tensor Model::upload_tokens(const std::uint16_t* tokens, std::int64_t rows, std::int64_t columns) const {
    check_tokens(tokens, static_cast<std::uint64_t>(rows * columns), config_.vocab_size, "the tokens");
    // From pinned memory nobody waits for the copy; LibTorch gives it out again once the copy is done.
    const bool pinned = device().is_cuda();
    const auto host = at::empty({rows, columns}, at::TensorOptions().dtype(at::kLong).pinned_memory(pinned));
    std::copy_n(tokens, rows * columns, host.mutable_data_ptr<std::int64_t>());
    return host.to(device(), /*non_blocking=*/pinned);
}

void Model::check_cancelled() {
    if (cancelled_.exchange(false)) {
        throw Error(FG_CANCELLED, "stopped on request");
    }
}

void check_tokens(const std::uint16_t* tokens, std::uint64_t count, std::int64_t vocab_size, const std::string& what) {
    const auto* end = tokens + count;
    const auto* bad = std::find_if(tokens, end, [&](std::uint16_t token) { return token >= vocab_size; });
    if (bad != end) {
        throw Error(FG_INVALID_ARGUMENT, what + " do not fit the vocabulary: id " + std::to_string(*bad) +
                                             " at position " + std::to_string(bad - tokens) + ", vocabulary size " +
                                             std::to_string(vocab_size));
    }
}

}  // namespace filigree
