// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <c10/core/Device.h>

#include <string>
#include <vector>

namespace filigree {

/// "cpu", "cuda" or "cuda:<index>". @throws FG_INVALID_ARGUMENT for another name, FG_CUDA when LibTorch sees no such
/// CUDA device.
[[nodiscard]] at::Device parse_device(const std::string& name);

/// Number of CUDA devices that LibTorch sees, 0 for a CPU build.
[[nodiscard]] int cuda_device_count();

/// Names of all devices that parse_device() accepts here.
[[nodiscard]] std::vector<std::string> available_devices();

}  // namespace filigree
