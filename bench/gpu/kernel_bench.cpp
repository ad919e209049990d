// SPDX-License-Identifier: Apache-2.0
// Time of the kernels against the least bytes they must move and the measured bandwidth of a copy. Linked with the
// CUDA kernels and device memory, or with their emulation, whose times mean nothing and only show that this runs.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "cuda/memory.hpp"
#include "kernel_library.h"

namespace {

using filigree::cuda::Memory;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

Memory random_floats(std::int64_t count) {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    std::vector<float> values(static_cast<std::size_t>(count));
    for (auto& x : values) x = normal(random);
    Memory memory(values.size() * sizeof(float));
    memory.write(values.data());
    return memory;
}

void wait() {
    static Memory one(1);
    char byte = 0;
    one.read(&byte);
}

/// Seconds of one call, the least of some rounds of several.
double seconds_of(int calls, const std::function<int()>& call) {
    double least = 1e9;
    for (int round = 0; round < 4; ++round) {  // the first also warms up
        wait();
        const auto start = now();
        for (int i = 0; i < calls; ++i) {
            if (call() != 0) {
                std::fprintf(stderr, "kernel_bench: %s\n", fgk_last_error());
                std::exit(1);
            }
        }
        wait();
        least = std::min(least, (now() - start) / calls);
    }
    return least;
}

void print(const std::string& name, double seconds, double bytes, double bandwidth) {
    std::printf(
        "{\"what\": \"kernel\", \"kernel\": \"%s\", \"seconds\": %.3g, \"bytes\": %.4g, \"floor\": %.3g, "
        "\"fraction\": %.3f}\n",
        name.c_str(), seconds, bytes, bytes / bandwidth, bytes / bandwidth / seconds);
    std::fflush(stdout);
}

float* floats(const Memory& memory) { return reinterpret_cast<float*>(memory.data()); }

}  // namespace

int main(int argc, char** argv) {
    const auto reason = filigree::cuda::missing_device();
    if (!reason.empty()) {
        std::fprintf(stderr, "kernel_bench: %s\n", reason.c_str());
        return 3;
    }
    const bool small = argc > 1 && std::string(argv[1]) == "--small";
    const std::int64_t rows = small ? 16 : 32768;
    const std::int64_t width = small ? 64 : 2048;
    const int calls = small ? 1 : 20;

    // A pass that reads and writes: the library's own decay of one tensor.
    const std::int64_t n = rows * width;
    const auto w = random_floats(n);
    fgk_tensor tensor{};
    tensor.rows = rows, tensor.columns = width, tensor.kept = -1, tensor.decay = 0.9999999F;
    Memory room(static_cast<std::size_t>(fgk_project_workspace(&tensor, 1)));
    const auto copy = seconds_of(calls, [&] { return fgk_project(&tensor, 1, floats(w), room.data(), nullptr); });
    const auto bandwidth = 8.0 * static_cast<double>(n) / copy;
    std::printf("{\"what\": \"bandwidth\", \"bytes_per_second\": %.4g}\n", bandwidth);

    const auto x = random_floats(n);
    const auto gain = random_floats(width);
    const Memory y(static_cast<std::size_t>(n) * 4);
    const Memory kept(static_cast<std::size_t>(rows * 2 * ((width + 63) / 64)) * 4);
    const Memory inverse(static_cast<std::size_t>(rows) * 4);
    for (const auto& [type, type_name, size] : {std::tuple(FGK_F32, "fp32", 4.0), std::tuple(FGK_BF16, "bf16", 2.0)}) {
        for (const auto& [source, name] :
             {std::pair(FGK_IDENTITY, "AbsTopK"), std::pair(FGK_RMS_NORM, "RMSNorm+AbsTopK"),
              std::pair(FGK_GELU, "GELU+AbsTopK")}) {
            fgk_site site{};
            site.rows = rows, site.n = width, site.k = width / 4;
            site.x = x.data(), site.x_stride = width, site.y = y.data();
            site.gain = floats(gain);
            site.inverse_rms = source == FGK_RMS_NORM ? floats(inverse) : nullptr;
            site.kept = reinterpret_cast<std::uint32_t*>(kept.data());
            site.source = source, site.x_type = site.y_type = type;
            const auto seconds = seconds_of(calls, [&] { return fgk_site_forward(&site, nullptr); });
            const auto bytes = static_cast<double>(n) * (2 * size + 1.0 / 8);
            print(std::string(name) + " " + type_name, seconds, bytes, bandwidth);
        }
    }

    // All matrices of the optimizer at once: 1/256 kept, as in the published setting.
    const auto m = random_floats(n);
    const auto v = random_floats(n);
    const auto g = random_floats(n);
    std::vector<fgk_tensor> tensors;
    for (std::int64_t i = 0; i < 8; ++i) {
        fgk_tensor t{};
        t.offset = i * (n / 8);
        t.rows = rows / 8, t.columns = width, t.kept = std::max<std::int64_t>(1, n / 8 / 256), t.decay = 1.0F;
        tensors.push_back(t);
    }
    const auto count = static_cast<std::int32_t>(tensors.size());
    const Memory work(static_cast<std::size_t>(fgk_project_workspace(tensors.data(), count)));
    const auto project =
        seconds_of(calls, [&] { return fgk_project(tensors.data(), count, floats(w), work.data(), nullptr); });
    print("projection", project, 8.0 * static_cast<double>(n), bandwidth);
    Memory state(sizeof(fgk_gradient_state));
    const fgk_gradient_state known = {1.0, 1.0, 0};
    state.write(&known);
    fgk_adam adam{};
    adam.beta1 = 0.9F, adam.one_minus_beta1 = 0.1F, adam.beta2 = 0.95F, adam.one_minus_beta2 = 0.05F;
    adam.step = 0.01F, adam.root = 1.0F, adam.eps = 0.1F;
    const Memory norm_room(static_cast<std::size_t>(fgk_gradient_norm_workspace(n)));
    const auto step = seconds_of(calls, [&] {
        const auto status =
            fgk_gradient_norm(floats(g), n, FGK_NORMALIZE, 1e-5, reinterpret_cast<fgk_gradient_state*>(state.data()),
                              norm_room.data(), nullptr);
        return status != 0 ? status
                           : fgk_optimizer_step(tensors.data(), count, &adam,
                                                reinterpret_cast<const fgk_gradient_state*>(state.data()), floats(w),
                                                floats(m), floats(v), floats(g), work.data(), nullptr);
    });
    // Norm: g once. Adam: four arrays in, four out. The mask needs w once more, both ways.
    print("norm+Adam+projection+decay", step, (4.0 + 32.0 + 8.0) * static_cast<double>(n), bandwidth);
    return 0;
}
