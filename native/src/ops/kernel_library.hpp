// SPDX-License-Identifier: Apache-2.0
// Finds and opens libfiligree_cuda.so, the CUDA kernels. It lies beside the library (or program) that holds the core.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "kernel_library.h"

namespace filigree {

/// Functions of the library, each without its prefix fgk_.
#define FILIGREE_KERNEL_FUNCTIONS(X) \
    X(device_facts)                  \
    X(last_error)                    \
    X(site_forward)                  \
    X(site_backward)                 \
    X(site_backward_workspace)       \
    X(attention_forward)             \
    X(attention_backward)            \
    X(attention_backward_workspace)  \
    X(cross_entropy)                 \
    X(add_column_sums)               \
    X(add_column_sums_workspace)     \
    X(add_rows)                      \
    X(add_rows_workspace)            \
    X(places)                        \
    X(slices_room)                   \
    X(take_nonzeros)                 \
    X(take_nonzeros_workspace)       \
    X(sparse_product)                \
    X(sparse_product_longest)        \
    X(gradient_norm)                 \
    X(gradient_norm_workspace)       \
    X(optimizer_step)                \
    X(project)                       \
    X(project_workspace)

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

    /// Whether the kernels run on a device: the driver is new enough for the library, and the device for the kernels.
    /// @return nothing, or why not.
    [[nodiscard]] std::optional<std::string> why_not_on(int index) const;

    /// @throws Error FG_CUDA with the library's text when a function of it did not return 0.
    void check(std::int32_t status) const;

#define FILIGREE_MEMBER(name) decltype(&fgk_##name) name = nullptr;
    FILIGREE_KERNEL_FUNCTIONS(FILIGREE_MEMBER)
#undef FILIGREE_MEMBER
};

/// What fg_runtime_info() says of the CUDA kernels: {"loaded": true, "file", "devices": [facts of each, or {"reason":
/// why the kernels do not run on it}]}, or {"loaded": false, "reason": a sentence}.
/// @param cuda_devices number of CUDA devices that LibTorch reports.
[[nodiscard]] nlohmann::json describe_kernel_library(int cuda_devices);

}  // namespace filigree
