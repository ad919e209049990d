// SPDX-License-Identifier: Apache-2.0
// Who computes an op of the fast plan: the CPU's kernels (src/kernels), the CUDA kernel library (native/cuda), or,
// where neither can, the composition of LibTorch's operations that the reference plan always is.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/DeviceGuard.h>

#include <cstdint>

#include "ops/execution.hpp"
#include "ops/kernel_library.hpp"

namespace filigree::ops {

enum class Backend : std::uint8_t { kComposition, kCpu, kCuda };

/// kCuda for a CUDA device that the kernel library runs on: it can be loaded, the driver is new enough for it, and the
/// device is one it was compiled for; fg_runtime_info() says when it is not. With FILIGREE_EMULATED_CUDA in the
/// environment, the path of the library that tests compile for the host, the CPU counts as such a device.
/// @throws Error FG_CUDA when that one cannot be loaded.
[[nodiscard]] Backend backend_of(at::Device device, Plan plan);
/// The same; kComposition for an empty tensor.
[[nodiscard]] Backend backend_of(const at::Tensor& x, Plan plan);

/// The library, where backend_of() says kCuda.
[[nodiscard]] const KernelLibrary& cuda_kernels();
/// A stream of a device, as an argument of a call of the library. Kernels are launched on the current device: while
/// this lives, that is the stream's. The CPU has neither.
class Stream {
public:
    explicit Stream(at::Device device);
    operator void*() const { return handle_; }

private:
    c10::OptionalDeviceGuard guard_;
    void* handle_ = nullptr;
};
/// LibTorch's current stream, which its allocator and operations know of. Not to be kept beyond the call.
[[nodiscard]] inline Stream current_stream(at::Device device) { return Stream(device); }
/// Memory for a kernel to work in. @return uint8 [bytes].
[[nodiscard]] at::Tensor kernel_workspace(std::int64_t bytes, at::Device device);
/// FGK_F32 or FGK_BF16.
[[nodiscard]] std::int32_t kernel_type(const at::Tensor& x);

/// Largest inner size of a sparse product by the library, whatever the types.
[[nodiscard]] std::int64_t longest_sparse_line(at::Device device);

/// sums[j] += the sum of column j, by the library. @param x [N, n], contiguous. @param sums fp32 [n].
void add_column_sums_on_device(const at::Tensor& x, const at::Tensor& sums);

}  // namespace filigree::ops
