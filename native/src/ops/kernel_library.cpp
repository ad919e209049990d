// SPDX-License-Identifier: Apache-2.0
#include "ops/kernel_library.hpp"

#include <dlfcn.h>

#include <nlohmann/json.hpp>

#include "core/error.hpp"

namespace filigree {
namespace {

template <typename Function>
Function symbol(void* handle, const char* name, const std::filesystem::path& file) {
    void* address = dlsym(handle, name);
    FG_EXPECTS(address != nullptr, FG_CUDA, "the CUDA kernel library ", file, " has no function ", name);
    return reinterpret_cast<Function>(address);
}

}  // namespace

KernelLibrary::KernelLibrary(const std::filesystem::path& file) {
    FG_EXPECTS(std::filesystem::exists(file), FG_CUDA, "the CUDA kernel library ", file,
               " does not exist: Filigree was built without nvcc, or the file was not installed with it");
    void* handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
        const char* reason = dlerror();
        throw Error(FG_CUDA, message("the CUDA kernel library cannot be loaded: ", reason != nullptr ? reason : "?"));
    }
    const auto version = symbol<decltype(&fgk_interface_version)>(handle, "fgk_interface_version", file)();
    FG_EXPECTS(version == FGK_INTERFACE_VERSION, FG_CUDA, "the CUDA kernel library ", file, " has interface ", version,
               " and this build needs ", FGK_INTERFACE_VERSION, ": build both from the same sources");
#define FILIGREE_FIND(name) this->name = symbol<decltype(&fgk_##name)>(handle, "fgk_" #name, file);
    FILIGREE_KERNEL_FUNCTIONS(FILIGREE_FIND)
#undef FILIGREE_FIND
}

std::filesystem::path KernelLibrary::default_file() {
    Dl_info info{};
    const auto* here = reinterpret_cast<const void*>(&KernelLibrary::default_file);
    FG_EXPECTS(dladdr(here, &info) != 0 && info.dli_fname != nullptr, FG_CUDA,
               "the loader does not know which file Filigree was loaded from");
    return std::filesystem::absolute(info.dli_fname).parent_path() / "libfiligree_cuda.so";
}

fgk_device KernelLibrary::device(int index) const {
    fgk_device device{};
    FG_EXPECTS(device_facts(index, &device) == 0, FG_CUDA, "CUDA device ", index, ": ", last_error());
    return device;
}

std::optional<std::string> KernelLibrary::why_not_on(int index) const {
    constexpr std::int32_t kOldest = 8;  // compute capability that native/cuda is compiled for, in CMake
    fgk_device facts{};
    if (device_facts(index, &facts) != 0) {
        return message("CUDA device ", index, ": ", last_error());
    }
    if (facts.compute_major < kOldest) {
        return message("CUDA device ", index, " (", facts.name, ") has compute capability ", facts.compute_major, ".",
                       facts.compute_minor, ", the kernels need ", kOldest, ".0");
    }
    return std::nullopt;
}

void KernelLibrary::check(std::int32_t status) const {
    FG_EXPECTS(status == 0, FG_CUDA, "a CUDA kernel failed: ", last_error());
}

nlohmann::json describe_kernel_library(int cuda_devices) {
    if (cuda_devices == 0) {
        return {{"loaded", false}, {"reason", "LibTorch reports no CUDA device"}};
    }
    try {
        const auto file = KernelLibrary::default_file();
        const KernelLibrary library(file);
        auto devices = nlohmann::json::array();
        for (int index = 0; index < cuda_devices; ++index) {
            if (const auto reason = library.why_not_on(index)) {
                devices.push_back({{"reason", *reason}});
                continue;
            }
            const fgk_device device = library.device(index);
            devices.push_back({{"name", device.name},
                               {"compute", message(device.compute_major, ".", device.compute_minor)},
                               {"multiprocessors", device.multiprocessors},
                               {"memory", device.memory},
                               {"shared_memory", device.shared_memory},
                               {"l2_cache", device.l2_cache},
                               {"driver", device.driver_version},
                               {"runtime", device.runtime_version}});
        }
        return {{"loaded", true}, {"file", file.string()}, {"devices", devices}};
    } catch (const Error& error) {
        return {{"loaded", false}, {"reason", error.what()}};
    }
}

}  // namespace filigree
