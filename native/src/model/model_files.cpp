// SPDX-License-Identifier: Apache-2.0
#include "model/model_files.hpp"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/safetensors.hpp"

namespace filigree {
namespace {

constexpr const char* kConfigFile = "config.json";
constexpr const char* kWeightsFile = "model.safetensors";
constexpr const char* kPositionTensor = "transformer.wpe.weight";
constexpr const char* kLogitBiasTensor = "final_logits_bias";

bool has_positions(const SafetensorsFile& file, const ModelConfig& config) {
    std::vector<float> wpe(static_cast<std::size_t>(config.block_size * config.d_model));
    const std::vector<std::int64_t> shape = {config.block_size, config.d_model};
    file.read_f32(kPositionTensor, shape, wpe);
    return std::any_of(wpe.begin(), wpe.end(), [](float value) { return value != 0.0F; });
}

}  // namespace

void save_model(const Model& model, const std::filesystem::path& folder) {
    const auto host = model.values().to(at::kCPU);
    const auto* values = host.const_data_ptr<float>();
    std::vector<TensorToWrite> tensors;
    for (const auto& parameter : model.table().parameters()) {
        tensors.push_back(
            {parameter.name, DType::kF32, parameter.shape,
             std::as_bytes(std::span(values + parameter.offset, static_cast<std::size_t>(parameter.size)))});
    }
    write_safetensors(folder / kWeightsFile, std::move(tensors), {{"format", "pt"}});
    OutputFile config(folder / kConfigFile);
    config.write(model.config().json + "\n");
    config.commit();
}

std::unique_ptr<Model> load_model(const std::filesystem::path& folder, Execution execution, at::Device device) {
    auto config = parse_model_config(read_text(folder / kConfigFile));
    const SafetensorsFile file(folder / kWeightsFile);
    ModelInit init;
    init.positions = has_positions(file, config);
    init.execution = execution;
    auto model = std::make_unique<Model>(std::move(config), init, device, Model::Uninitialised{});
    auto host = model->values().to(at::kCPU);
    for (const auto& parameter : model->table().parameters()) {
        if (parameter.name == kLogitBiasTensor && file.find(kLogitBiasTensor) == nullptr) {
            continue;  // older files lack it; it is zero
        }
        file.read_f32(parameter.name, parameter.shape,
                      {host.mutable_data_ptr<float>() + parameter.offset, static_cast<std::size_t>(parameter.size)});
    }
    for (const auto& tensor : file.tensors()) {
        FG_EXPECTS(model->table().contains(tensor.name), FG_BAD_CHECKPOINT, file.path().string(), " has a tensor \"",
                   tensor.name, "\" that its config.json has no place for");
    }
    model->values().copy_(host);
    return model;
}

}  // namespace filigree
