// SPDX-License-Identifier: Apache-2.0
// Error handling shared by every file of the kernel library.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace filigree::cuda {

/// Keep the text of a failed CUDA call for fgk_last_error(), and clear the runtime's own pending error, which
/// would otherwise be blamed on the next launch.
/// @return the CUDA error number, 0 for success.
std::int32_t report(cudaError_t status, const char* call, const char* file, int line) noexcept;

}  // namespace filigree::cuda

/// Return from the calling function with the CUDA error number when the call fails.
#define FGK_TRY(call)                                                                                \
    do {                                                                                             \
        const std::int32_t fgk_status = ::filigree::cuda::report((call), #call, __FILE__, __LINE__); \
        if (fgk_status != 0) return fgk_status;                                                      \
    } while (false)
