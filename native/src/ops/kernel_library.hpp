// SPDX-License-Identifier: Apache-2.0
// Finds and opens libfiligree_cuda.so, the CUDA kernels. It lies beside the library (or program) that holds the core.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "kernel_library.h"

namespace filigree {

/// An open kernel library. It is never closed: CUDA does not survive that, and the process ends anyway.
class KernelLibrary {
public:
    /// Open a file and check its interface version.
    /// @throws Error FG_CUDA with the reason in words: missing, not loadable, or of another version.
    explicit KernelLibrary(const std::filesystem::path& file);

    /// Where the library of this build lies.
    [[nodiscard]] static std::filesystem::path default_file();

    /// @param index CUDA device index. @throws Error FG_CUDA.
    [[nodiscard]] fgk_device device(int index) const;

private:
    void* handle_;
    decltype(&fgk_device_facts) device_facts_;
    decltype(&fgk_last_error) last_error_;
};

/// What fg_runtime_info() says of the CUDA kernels: {"loaded": true, "file", "devices": [...]}, or
/// {"loaded": false, "reason": a sentence}.
/// @param cuda_devices number of CUDA devices that LibTorch reports.
[[nodiscard]] nlohmann::json describe_kernel_library(int cuda_devices);

}  // namespace filigree
