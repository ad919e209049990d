// SPDX-License-Identifier: Apache-2.0
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <filigree/filigree.h>
#include <torch/headeronly/version.h>

#include <array>
#include <cstring>
#include <new>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <thread>

#include "capi/handles.hpp"
#include "capi/runtime.hpp"
#include "core/config_reader.hpp"
#include "core/device.hpp"
#include "kernels/kernels.hpp"
#include "ops/kernel_library.hpp"
#include "ops/machine_rates.hpp"

namespace filigree::capi {
namespace {

constexpr std::array<const char*, 13> kStatusNames = {
    "FG_OK",        "FG_INVALID_ARGUMENT", "FG_INVALID_CONFIG", "FG_INVALID_STATE", "FG_NOT_FOUND",
    "FG_IO",        "FG_BAD_CHECKPOINT",   "FG_UNSUPPORTED",    "FG_OUT_OF_MEMORY", "FG_CUDA",
    "FG_CANCELLED", "FG_INTERNAL",         "FG_DIVERGED"};

std::mutex runtime_mutex;
std::optional<int> runtime_threads;  // set while the runtime is started

std::string build_info_json() {
    const nlohmann::ordered_json info = {{"abi", FG_ABI_VERSION},
                                         {"version", FILIGREE_VERSION},
                                         {"compiler", __VERSION__},
                                         {"libtorch", TORCH_VERSION},
                                         {"cuda_kernels", static_cast<bool>(FILIGREE_HAS_CUDA_KERNELS)},
                                         {"struct_sizes",
                                          {{"fg_corpus", sizeof(fg_corpus)},
                                           {"fg_train_stats", sizeof(fg_train_stats)},
                                           {"fg_eval_stats", sizeof(fg_eval_stats)},
                                           {"fg_prune_stats", sizeof(fg_prune_stats)},
                                           {"fg_task_stats", sizeof(fg_task_stats)},
                                           {"fg_edge", sizeof(fg_edge)},
                                           {"fg_circuit", sizeof(fg_circuit)},
                                           {"fg_fast_prune_stats", sizeof(fg_fast_prune_stats)},
                                           {"fg_prune_task", sizeof(fg_prune_task)},
                                           {"fg_found_circuit", sizeof(fg_found_circuit)}}}};
    return info.dump();
}

[[noreturn]] void raise(const std::string& kind) {
    constexpr std::string_view kErrorPrefix = "error:";
    if (kind.starts_with(kErrorPrefix)) {
        const auto name = kind.substr(kErrorPrefix.size());
        for (std::size_t i = 1; i < kStatusNames.size(); ++i) {
            if (name == kStatusNames.at(i)) {
                throw Error(static_cast<fg_status>(i), "raised on purpose: " + name);
            }
        }
    }
    if (kind == "c10") {
        TORCH_CHECK(false, "raised on purpose: c10");
    }
    if (kind == "bad_alloc") {
        throw std::bad_alloc();
    }
    if (kind == "std") {
        throw std::runtime_error("raised on purpose: std");
    }
    if (kind == "unknown") {
        throw 0;
    }
    throw Error(FG_INVALID_ARGUMENT, "unknown kind of error \"" + kind + "\"");
}

}  // namespace

void require_started() {
    const std::lock_guard lock(runtime_mutex);
    FG_EXPECTS(runtime_threads.has_value(), FG_INVALID_STATE, "the library is not started: call fg_runtime_init first");
}

}  // namespace filigree::capi

using namespace filigree;
using namespace filigree::capi;

uint32_t fg_abi_version(void) { return FG_ABI_VERSION; }

const char* fg_build_info(void) {
    static const std::string info = build_info_json();
    return info.c_str();
}

const char* fg_status_name(fg_status status) {
    const auto index = static_cast<std::size_t>(status);
    return index < kStatusNames.size() ? kStatusNames[index] : "FG_UNKNOWN";
}

fg_status fg_runtime_init(const char* config_json) {
    return guard([&] {
        require(config_json, "config_json");
        auto reader = ConfigReader::parse(config_json, "runtime");
        const auto wanted = static_cast<int>(reader.integer("threads", 0, 4096));
        reader.finish();
        const auto threads = wanted == 0 ? static_cast<int>(std::max(1U, std::thread::hardware_concurrency())) : wanted;
        const std::lock_guard lock(runtime_mutex);
        FG_EXPECTS(!runtime_threads || *runtime_threads == threads, FG_INVALID_STATE, "the runtime was started with ",
                   *runtime_threads, " threads and cannot change to ", threads);
        at::set_num_threads(threads);
        runtime_threads = threads;
    });
}

fg_status fg_runtime_info(fg_buffer** out_json) {
    return guard([&] {
        require(out_json, "out_json");
        const nlohmann::ordered_json info = {{"threads", at::get_num_threads()},
                                             {"cpu", at::get_cpu_capability()},
                                             {"kernels", kernels::kernels().isa},
                                             {"devices", available_devices()},
                                             {"cuda_kernels", describe_kernel_library(cuda_device_count())}};
        *out_json = make_json_buffer(info.dump());
    });
}

fg_status fg_runtime_measure(fg_buffer** out_json) {
    return guard([&] {
        require_started();
        require(out_json, "out_json");
        const auto rates = ops::measure_machine_rates();
        const nlohmann::ordered_json measured = {
            {"flops", rates.flops}, {"bf16_flops", rates.bf16_flops}, {"bytes", rates.bytes}};
        *out_json = make_json_buffer(measured.dump());
    });
}

void fg_runtime_shutdown(void) {
    Registry<fg_pruner>::instance().clear();
    Registry<fg_fast_pruner>::instance().clear();
    Registry<fg_examples>::instance().clear();
    Registry<fg_trainer>::instance().clear();
    Registry<fg_model>::instance().clear();
    Registry<fg_buffer>::instance().clear();
    const std::lock_guard lock(runtime_mutex);
    runtime_threads.reset();
}

fg_status fg_debug_raise(const char* kind) {
    return guard([&] {
        require(kind, "kind");
        raise(kind);
    });
}

const void* fg_buffer_data(const fg_buffer* buffer) {
    const auto found = Registry<fg_buffer>::instance().find(buffer);
    return found == nullptr ? nullptr : found->bytes.data();
}

uint64_t fg_buffer_size(const fg_buffer* buffer) {
    const auto found = Registry<fg_buffer>::instance().find(buffer);
    return found == nullptr ? 0 : found->size;
}

void fg_buffer_destroy(fg_buffer* buffer) { Registry<fg_buffer>::instance().remove(buffer); }
