// SPDX-License-Identifier: Apache-2.0
// A model as two files in a folder: config.json (published GPTConfig fields) and model.safetensors (published
// state-dict names and shapes, dense fp32), so that it loads into the published class without a map (method 1.8, 1.9).
#pragma once

#include <filesystem>
#include <memory>

#include "model/model.hpp"

namespace filigree {

/// Write both files into an existing folder, each under a temporary name, synced and renamed.
/// @throws FG_NOT_FOUND, FG_IO.
void save_model(const Model& model, const std::filesystem::path& folder);

/// Positions count as added when the file's wpe has a nonzero. A missing final_logits_bias reads as zeros.
/// @throws FG_NOT_FOUND, FG_IO, FG_BAD_CHECKPOINT, FG_INVALID_CONFIG, FG_UNSUPPORTED.
[[nodiscard]] std::unique_ptr<Model> load_model(const std::filesystem::path& folder, Execution execution,
                                                at::Device device);

}  // namespace filigree
