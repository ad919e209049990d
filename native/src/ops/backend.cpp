// SPDX-License-Identifier: Apache-2.0
#include "ops/backend.hpp"

#include <ATen/ops/empty.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <memory>

#include "core/error.hpp"

namespace filigree::ops {
namespace {

/// The library for tensors on the CPU, or null, which is the usual case.
const KernelLibrary* emulated_library() {
    static const auto library = []() -> std::unique_ptr<const KernelLibrary> {
        const auto* file = std::getenv("FILIGREE_EMULATED_CUDA");
        return file == nullptr ? nullptr : std::make_unique<const KernelLibrary>(file);
    }();
    return library.get();
}

/// The library of this build, or null when it cannot be loaded.
const KernelLibrary* device_library() {
    static const auto library = []() -> std::unique_ptr<const KernelLibrary> {
        try {
            return std::make_unique<const KernelLibrary>(KernelLibrary::default_file());
        } catch (const Error&) {
            return nullptr;
        }
    }();
    return library.get();
}

/// Whether the library of this build runs on a device, which is found out once for each.
bool runs_on(at::Device device) {
    constexpr std::size_t kDevices = 64;  // more than a machine has; devices that share a place are of one kind
    enum : std::int8_t { kUnknown, kYes, kNo };
    static std::array<std::atomic<std::int8_t>, kDevices> known{};
    const auto index =
        device.has_index() ? device.index() : c10::impl::VirtualGuardImpl(device.type()).getDevice().index();
    auto& answer = known.at(static_cast<std::size_t>(index) % kDevices);
    if (answer.load() == kUnknown) {
        const auto* library = device_library();
        answer.store(library != nullptr && !library->why_not_on(index) ? kYes : kNo);
    }
    return answer.load() == kYes;
}

}  // namespace

Backend backend_of(at::Device device, Plan plan) {
    if (plan == Plan::kReference) {
        return Backend::kComposition;
    }
    if (device.is_cpu()) {
        return emulated_library() != nullptr ? Backend::kCuda : Backend::kCpu;
    }
    return device.is_cuda() && runs_on(device) ? Backend::kCuda : Backend::kComposition;
}

Backend backend_of(const at::Tensor& x, Plan plan) {
    return x.numel() > 0 ? backend_of(x.device(), plan) : Backend::kComposition;
}

const KernelLibrary& cuda_kernels() {
    const auto* emulated = emulated_library();
    return emulated != nullptr ? *emulated : *device_library();
}

Stream::Stream(at::Device device) {
    if (device.is_cuda()) {
        guard_.reset_device(device);
        handle_ = c10::impl::VirtualGuardImpl(device.type()).getStream(device).native_handle();
    }
}

at::Tensor kernel_workspace(std::int64_t bytes, at::Device device) {
    return at::empty({bytes}, at::TensorOptions(device).dtype(at::kByte));
}

std::int32_t kernel_type(const at::Tensor& x) { return x.scalar_type() == at::kBFloat16 ? FGK_BF16 : FGK_F32; }

std::int64_t longest_sparse_line(at::Device device) {
    const Stream current(device);
    return cuda_kernels().sparse_product_longest(FGK_F32);
}

void add_column_sums_on_device(const at::Tensor& x, const at::Tensor& sums) {
    const auto& kernels = cuda_kernels();
    const auto workspace = kernel_workspace(kernels.add_column_sums_workspace(x.size(0), x.size(1)), x.device());
    kernels.check(kernels.add_column_sums(x.const_data_ptr(), kernel_type(x), x.size(0), x.size(1),
                                          sums.mutable_data_ptr<float>(), workspace.mutable_data_ptr(),
                                          current_stream(x.device())));
}

}  // namespace filigree::ops
