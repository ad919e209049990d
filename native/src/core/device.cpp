// SPDX-License-Identifier: Apache-2.0
#include "core/device.hpp"

#include <ATen/Context.h>

#include "core/error.hpp"

namespace filigree {

int cuda_device_count() { return at::globalContext().hasCUDA() ? at::detail::getCUDAHooks().getNumGPUs() : 0; }

at::Device parse_device(const std::string& name) {
    if (name == "cpu") {
        return at::kCPU;
    }
    constexpr std::string_view kCuda = "cuda";
    const bool numbered = name.size() > kCuda.size() + 1 && name.size() <= kCuda.size() + 4 &&
                          name.compare(0, kCuda.size() + 1, "cuda:") == 0 &&
                          name.find_first_not_of("0123456789", kCuda.size() + 1) == std::string::npos;
    FG_EXPECTS(name == kCuda || numbered, FG_INVALID_ARGUMENT,
               "the device must be \"cpu\", \"cuda\" or \"cuda:<index>\", not \"", name, "\"");
    const auto index = numbered ? std::stoi(name.substr(kCuda.size() + 1)) : 0;
    const auto count = cuda_device_count();
    FG_EXPECTS(count > 0, FG_CUDA,
               at::globalContext().hasCUDA() ? "LibTorch has CUDA but sees no CUDA device"
                                             : "CUDA was asked for, but this LibTorch is built without it");
    FG_EXPECTS(index < count, FG_CUDA, "CUDA device ", index, " was asked for, but there are ", count);
    return {at::kCUDA, static_cast<at::DeviceIndex>(index)};
}

std::vector<std::string> available_devices() {
    std::vector<std::string> names = {"cpu"};
    for (int i = 0; i < cuda_device_count(); ++i) {
        names.push_back("cuda:" + std::to_string(i));
    }
    return names;
}

}  // namespace filigree
