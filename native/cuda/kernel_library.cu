// SPDX-License-Identifier: Apache-2.0
#include "kernel_library.h"

#include <cstdio>
#include <cstring>

#include "common.cuh"

namespace filigree::cuda {
namespace {
thread_local char last_error[512] = "";
}

std::int32_t report(cudaError_t status, const char* call, const char* file, int line) noexcept {
    if (status == cudaSuccess) return 0;
    static_cast<void>(cudaGetLastError());
    const char* name = std::strrchr(file, '/');
    std::snprintf(last_error, sizeof last_error, "%s (%s): %s at %s:%d", cudaGetErrorString(status),
                  cudaGetErrorName(status), call, name != nullptr ? name + 1 : file, line);
    return static_cast<std::int32_t>(status);
}

std::int32_t refuse(const char* what) noexcept {
    std::snprintf(last_error, sizeof last_error, "%s", what);
    return static_cast<std::int32_t>(cudaErrorInvalidValue);
}

std::int32_t most_shared_memory(std::int64_t& bytes) noexcept {
    static OfDevice most;
    return most.get(bytes, [](int device, std::int64_t& found) -> std::int32_t {
        int most_of_block = 0;
        FGK_TRY(cudaDeviceGetAttribute(&most_of_block, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
        found = most_of_block;
        return 0;
    });
}

}  // namespace filigree::cuda

std::int32_t fgk_interface_version(void) { return FGK_INTERFACE_VERSION; }

std::int32_t fgk_device_facts(std::int32_t index, fgk_device* out_device) {
    cudaDeviceProp properties{};
    FGK_TRY(cudaGetDeviceProperties(&properties, index));
    fgk_device device{};
    FGK_TRY(cudaDriverGetVersion(&device.driver_version));
    FGK_TRY(cudaRuntimeGetVersion(&device.runtime_version));
    std::snprintf(device.name, sizeof device.name, "%s", properties.name);
    device.compute_major = properties.major;
    device.compute_minor = properties.minor;
    device.multiprocessors = properties.multiProcessorCount;
    device.memory = properties.totalGlobalMem;
    device.shared_memory = properties.sharedMemPerBlockOptin;
    device.l2_cache = static_cast<std::uint64_t>(properties.l2CacheSize);
    *out_device = device;
    return 0;
}

const char* fgk_last_error(void) { return filigree::cuda::last_error; }
