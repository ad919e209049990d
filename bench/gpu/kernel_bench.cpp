// SPDX-License-Identifier: Apache-2.0
// Time of the kernels against the least bytes they must move and the measured bandwidth of a copy. Linked with the
// CUDA kernels and device memory, or with their emulation, whose times mean nothing and only show that this runs.
#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
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

std::size_t size_of(std::int32_t type) { return type == FGK_BF16 ? 2 : 4; }

Memory room(std::int64_t bytes) { return Memory(static_cast<std::size_t>(std::max<std::int64_t>(bytes, 1))); }

template <typename T>
Memory upload(const std::vector<T>& values) {
    Memory memory(values.size() * sizeof(T));
    memory.write(values.data());
    return memory;
}

/// Normal numbers of a type; one in `one_in` of them, the others 0.
Memory numbers(std::int64_t count, std::int32_t type = FGK_F32, unsigned one_in = 1) {
    constexpr std::size_t kPeriod = (1 << 20) - 3;  // as many are drawn, then they repeat: no row is like another
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    std::vector<float> drawn(std::min(static_cast<std::size_t>(count), kPeriod));
    for (auto& x : drawn) x = one_in == 1 || random() % one_in == 0 ? normal(random) : 0.0F;
    std::vector<std::byte> bytes(static_cast<std::size_t>(count) * size_of(type));
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
        const auto bits = std::bit_cast<std::uint32_t>(drawn[i % drawn.size()]);
        const auto half = static_cast<std::uint16_t>(bits >> 16);
        if (type == FGK_BF16) {
            std::memcpy(&bytes[2 * i], &half, sizeof half);
        } else {
            std::memcpy(&bytes[4 * i], &bits, sizeof bits);
        }
    }
    return upload(bytes);
}

/// As uneven as text: of 2,048 tokens the first is 15% of all.
Memory tokens(std::int64_t count, std::int64_t vocabulary) {
    std::mt19937 random(2);
    std::uniform_real_distribution<double> uniform;
    std::vector<std::int64_t> values(static_cast<std::size_t>(count));
    for (auto& token : values) {
        token = static_cast<std::int64_t>(std::pow(uniform(random), 4.0) * static_cast<double>(vocabulary));
    }
    return upload(values);
}

template <typename T>
T* as(const Memory& memory) {
    return reinterpret_cast<T*>(memory.data());
}
float* floats(const Memory& memory) { return as<float>(memory); }

void wait() {
    static Memory one(1);
    char byte = 0;
    one.read(&byte);
}

/// Sizes of all measurements.
struct Sizes {
    std::int64_t rows, width, length, vocabulary;
    std::vector<unsigned> one_weight_in;  ///< densities of a sparse weight
    int calls;
};

constexpr int kRounds = 4;

class Bench {
public:
    explicit Bench(const Sizes& sizes) : calls_(sizes.calls) {
        const auto n = sizes.rows * sizes.width;
        const auto from = numbers(n);
        auto to = room(4 * n);
        bandwidth_ = 8.0 * static_cast<double>(n) / seconds_of(calls_, [&] {
                         to.copy(from);
                         return 0;
                     });
        std::printf("{\"what\": \"bandwidth\", \"bytes_per_second\": %.4g}\n", bandwidth_);
    }

    /// @param bytes fewest that have to be moved.
    void run(const std::string& name, double bytes, const std::function<std::int32_t()>& call) const {
        run(name, bytes, calls_, call);
    }
    void run(const std::string& name, double bytes, int calls, const std::function<std::int32_t()>& call) const {
        const auto seconds = seconds_of(calls, call);
        std::printf(
            "{\"what\": \"kernel\", \"kernel\": \"%s\", \"seconds\": %.3g, \"bytes\": %.4g, \"floor\": %.3g, "
            "\"fraction\": %.3f}\n",
            name.c_str(), seconds, bytes, bytes / bandwidth_, bytes / bandwidth_ / seconds);
        std::fflush(stdout);
    }

private:
    /// Seconds of one call, the least of some rounds of several.
    [[nodiscard]] static double seconds_of(int calls, const std::function<std::int32_t()>& call) {
        double least = 1e9;
        for (int round = 0; round < kRounds; ++round) {  // the first also warms up
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

    int calls_;
    double bandwidth_ = 0.0;
};

struct SiteCase {
    std::string name;
    std::int32_t source;
    bool gated;
    std::int32_t x_type, y_type;
    bool joined = false;  ///< adds a residual, or of a norm the gradient of one, as between the half layers of a model
};

/// Those of a type, and those between the fp32 residual and the bf16 of a half layer.
std::vector<SiteCase> site_cases() {
    std::vector<SiteCase> cases;
    for (const auto& [type, name] : {std::pair(FGK_F32, " fp32"), std::pair(FGK_BF16, " bf16")}) {
        cases.push_back({std::string("AbsTopK") + name, FGK_IDENTITY, false, type, type});
        cases.push_back({std::string("RMSNorm+AbsTopK") + name, FGK_RMS_NORM, false, type, type});
        cases.push_back({std::string("bias+GELU+AbsTopK") + name, FGK_GELU, false, type, type});
        cases.push_back({std::string("AbsTopK+mask+mean") + name, FGK_IDENTITY, true, type, type});
    }
    cases.push_back({"RMSNorm+AbsTopK fp32 to bf16", FGK_RMS_NORM, false, FGK_F32, FGK_BF16, true});
    cases.push_back({"AbsTopK+residual bf16 to fp32", FGK_IDENTITY, false, FGK_BF16, FGK_F32, true});
    return cases;
}

void sites(const Bench& bench, const Sizes& sizes) {
    const auto rows = sizes.rows;
    const auto width = sizes.width;
    const auto n = static_cast<double>(rows * width);
    const Memory inputs[] = {numbers(rows * width, FGK_F32), numbers(rows * width, FGK_BF16)};
    const Memory gradients[] = {numbers(rows * width, FGK_F32), numbers(rows * width, FGK_BF16)};
    const auto y = room(rows * width * 4);
    const auto vector = numbers(width);
    const auto sums = numbers(width);
    const auto kept = room(rows * 2 * ((width + 63) / 64) * 4);
    const auto inverse = room(rows * 4);
    const auto work = room(fgk_site_backward_workspace(rows, width));
    for (const auto& c : site_cases()) {
        const bool norm = c.source == FGK_RMS_NORM;
        const auto x_size = static_cast<double>(size_of(c.x_type));
        const auto y_size = static_cast<double>(size_of(c.y_type));
        fgk_site site{};
        site.rows = rows, site.n = width, site.k = width / 4;
        site.x = inputs[c.x_type].data(), site.x_stride = width, site.y = y.data();
        site.bias = c.source == FGK_GELU ? floats(vector) : nullptr;
        site.gain = norm ? floats(vector) : nullptr;
        site.gate = c.gated ? floats(vector) : nullptr;
        site.mean = c.gated ? floats(vector) : nullptr;
        site.residual = c.joined && !norm ? floats(inputs[FGK_F32]) : nullptr;
        site.inverse_rms = norm ? floats(inverse) : nullptr;
        site.kept = as<std::uint32_t>(kept);
        site.source = c.source, site.x_type = c.x_type, site.y_type = c.y_type;
        bench.run(c.name, n * (x_size + y_size + 1.0 / 8 + (site.residual != nullptr ? 4.0 : 0.0)),
                  [&] { return fgk_site_forward(&site, nullptr); });

        fgk_site_gradients back{};
        back.rows = rows, back.n = width, back.dy = gradients[c.y_type].data();
        back.x = site.x, back.x_stride = width;
        back.bias = site.bias, back.gain = site.gain, back.gate = site.gate, back.mean = site.mean;
        back.inverse_rms = site.inverse_rms, back.kept = site.kept;
        back.also = c.joined && norm ? floats(gradients[FGK_F32]) : nullptr;
        back.dx = y.data(), back.dx_stride = width;
        back.dbias = site.bias != nullptr ? floats(sums) : nullptr;
        back.dgain = site.gain != nullptr ? floats(sums) : nullptr;
        back.dgate = site.gate != nullptr ? floats(sums) : nullptr;
        back.source = c.source, back.x_type = c.x_type, back.y_type = c.y_type;
        const bool reads_x = c.source != FGK_IDENTITY || c.gated;
        bench.run(c.name + " backward",
                  n * (y_size + (reads_x ? 2 : 1) * x_size + 1.0 / 8 + (back.also != nullptr ? 4.0 : 0.0)),
                  [&] { return fgk_site_backward(&back, work.data(), nullptr); });
    }
}

void attention(const Bench& bench, const Sizes& sizes, std::int32_t type, const std::string& type_name) {
    fgk_attention a{};
    a.dh = 16, a.H = sizes.width / 16, a.T = sizes.length, a.B = sizes.rows / sizes.length, a.type = type;
    const auto count = sizes.rows * sizes.width;
    std::vector<Memory> arrays;
    for (int i = 0; i < 8; ++i) arrays.push_back(numbers(count, type));
    const auto heads = [&](std::size_t i) {
        return fgk_heads{arrays[i].data(), sizes.length * sizes.width, sizes.width};
    };
    const auto sink = numbers(a.H);
    const auto dsink = numbers(a.H);
    const auto log_sum = room(a.B * a.H * a.T * 4);
    a.q = heads(0), a.k = heads(1), a.v = heads(2), a.y = heads(3);
    a.sink = floats(sink), a.log_sum = floats(log_sum);
    const auto array = static_cast<double>(count) * static_cast<double>(size_of(type));
    const auto sums = static_cast<double>(log_sum.size());
    bench.run("attention " + type_name, 4 * array + sums, [&] { return fgk_attention_forward(&a, nullptr); });
    fgk_attention_gradients g{};
    g.forward = a;
    g.dy = heads(4), g.dq = heads(5), g.dk = heads(6), g.dv = heads(7), g.dsink = floats(dsink);
    const auto work = room(fgk_attention_backward_workspace(a.B, a.T, a.H));
    bench.run("attention " + type_name + " backward", 8 * array + sums,
              [&] { return fgk_attention_backward(&g, work.data(), nullptr); });
}

void loss(const Bench& bench, const Sizes& sizes, std::int32_t type, const std::string& type_name) {
    const auto V = sizes.vocabulary;
    const auto logits = numbers(sizes.rows * V, type);
    const auto bias = numbers(V);
    const auto table = numbers(V * V);
    const auto ids = tokens(sizes.rows, V);
    const auto losses = room(sizes.rows * 4);
    fgk_loss l{};
    l.rows = sizes.rows, l.V = V, l.logits = logits.data(), l.bias = floats(bias), l.table = floats(table);
    l.tokens = as<const std::int64_t>(ids), l.targets = as<const std::int64_t>(ids), l.losses = floats(losses);
    l.scale = 1.0F / static_cast<float>(sizes.rows), l.type = type;
    // The table's rows come from the cache in part: counted once.
    const auto bytes = 2.0 * static_cast<double>(sizes.rows * V) * static_cast<double>(size_of(type)) +
                       4.0 * static_cast<double>(V * V);
    bench.run("cross-entropy with gradient " + type_name, bytes, [&] { return fgk_cross_entropy(&l, nullptr); });
}

/// Room for the lines of a matrix, rows or columns.
struct Slices {
    Memory line, length, begin, entries;
    fgk_slices view{};

    Slices(std::int64_t lines, std::int64_t longest, std::int64_t nonzeros)
        : line(room(fgk_places(lines) * 4)),
          length(room(fgk_places(lines) * 4)),
          begin(room(fgk_places(lines) / FGK_SLICE_LINES * 4)),
          entries(room(fgk_slices_room(lines, longest, nonzeros) * static_cast<std::int64_t>(sizeof(fgk_entry)))),
          view{as<std::int32_t>(line), as<std::int32_t>(length), as<std::int32_t>(begin), as<fgk_entry>(entries),
               fgk_slices_room(lines, longest, nonzeros)} {}
};

/// Results are of the type of x, as between the ops of a model. @param x [rows, 4 * width].
void sparse_products(const Bench& bench, const Sizes& sizes, unsigned one_in, const Memory& x, std::int32_t type,
                     const std::string& type_name) {
    const auto k = sizes.width;
    const auto n = 4 * sizes.width;
    const auto w = numbers(n * k, FGK_F32, one_in);
    const auto most = 2 * n * k / one_in + 64;
    const Slices by_row(n, k, most);
    const Slices by_column(k, n, most);
    const auto work = room(fgk_take_nonzeros_workspace(n, k));
    const auto nonzeros = 8.0 * static_cast<double>(n * k) / one_in;
    const auto density = "1/" + std::to_string(one_in);
    bench.run("nonzeros of a weight " + density, 4.0 * static_cast<double>(n * k) + 2 * nonzeros,
              [&] { return fgk_take_nonzeros(floats(w), n, k, &by_row.view, &by_column.view, work.data(), nullptr); });
    const auto y = room(sizes.rows * n * 4);
    const auto bytes = static_cast<double>(sizes.rows * (k + n)) * static_cast<double>(size_of(type)) + nonzeros;
    const auto label = "sparse product " + density + " " + type_name;
    bench.run(label, bytes, [&] {
        return fgk_sparse_product(x.data(), type, sizes.rows, k, &by_row.view, n, nullptr, y.data(), type, nullptr);
    });
    bench.run(label + " dX", bytes, [&] {
        return fgk_sparse_product(x.data(), type, sizes.rows, n, &by_column.view, k, nullptr, y.data(), type, nullptr);
    });
}

void sums(const Bench& bench, const Sizes& sizes, std::int32_t type, const std::string& type_name) {
    const auto n = sizes.width;
    const auto x = numbers(sizes.rows * n, type);
    const auto out = numbers(std::max(n, sizes.vocabulary * n));
    const auto bytes = static_cast<double>(sizes.rows * n) * static_cast<double>(size_of(type));
    const auto work = room(fgk_add_column_sums_workspace(sizes.rows, n));
    bench.run("bias gradient " + type_name, bytes,
              [&] { return fgk_add_column_sums(x.data(), type, sizes.rows, n, floats(out), work.data(), nullptr); });
    const auto ids = tokens(sizes.rows, sizes.vocabulary);
    const auto sorting = room(fgk_add_rows_workspace(sizes.rows, sizes.vocabulary));
    bench.run("embedding gradient " + type_name, bytes + 8.0 * static_cast<double>(sizes.vocabulary * n), [&] {
        return fgk_add_rows(x.data(), type, sizes.rows, n, as<const std::int64_t>(ids), sizes.vocabulary, 1.0F,
                            floats(out), sorting.data(), nullptr);
    });
}

/// All matrices of the optimizer at once: 1/256 kept, as in the published setting.
void optimizer(const Bench& bench, const Sizes& sizes) {
    const auto n = sizes.rows * sizes.width;
    const auto m = numbers(n);
    const auto v = upload(std::vector<float>(static_cast<std::size_t>(n), 1.0F));
    const auto g = numbers(n);
    std::vector<fgk_tensor> tensors;
    for (std::int64_t i = 0; i < 8; ++i) {
        fgk_tensor t{};
        t.offset = i * (n / 8);
        t.rows = sizes.rows / 8, t.columns = sizes.width, t.kept = std::max<std::int64_t>(1, n / 8 / 256);
        t.decay = 1.0F;
        tensors.push_back(t);
    }
    const auto count = static_cast<std::int32_t>(tensors.size());
    const auto work = room(fgk_project_workspace(tensors.data(), count));
    const auto elements = static_cast<double>(n);
    // Every call has weights of its own: those that were projected before are no task.
    const int calls = std::max(1, sizes.calls / 4);
    std::vector<Memory> weights;
    for (int i = 0; i < calls * kRounds; ++i) weights.push_back(numbers(n));
    std::size_t next = 0;
    bench.run("projection", 8.0 * elements, calls,
              [&] { return fgk_project(tensors.data(), count, floats(weights[next++]), work.data(), nullptr); });
    const auto w = std::move(weights.front());
    weights.clear();
    const fgk_gradient_state known = {1.0, 1.0, 0};
    const auto state = upload(std::vector(1, known));
    fgk_adam adam{};
    adam.beta1 = 0.9F, adam.one_minus_beta1 = 0.1F, adam.beta2 = 0.95F, adam.one_minus_beta2 = 0.05F;
    adam.step = 0.01F, adam.root = 1.0F, adam.eps = 0.1F;
    const auto norm_work = room(fgk_gradient_norm_workspace(n));
    // Adam moves every weight, so the projection within a step has its task. Norm: g once. Adam: four arrays in, four
    // out. The mask needs w once more, both ways.
    const auto step = [&](const Memory& own) {
        const auto status = fgk_gradient_norm(floats(g), n, FGK_NORMALIZE, 1e-5, as<fgk_gradient_state>(state),
                                              norm_work.data(), nullptr);
        return status != 0 ? status
                           : fgk_optimizer_step(tensors.data(), count, &adam, as<const fgk_gradient_state>(state),
                                                floats(w), floats(m), floats(v), floats(g), own.data(), nullptr);
    };
    bench.run("norm+Adam+projection+decay", (4.0 + 32.0 + 8.0) * elements, [&] { return step(work); });
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        tensors[i].axis = i % 2 == 0 ? FGK_ROWS : FGK_COLUMNS;
        tensors[i].minimum_alive = 1;
        tensors[i].kept = std::max(tensors[i].kept, tensors[i].rows + tensors[i].columns);
    }
    const auto more_work = room(fgk_project_workspace(tensors.data(), count));
    bench.run("the same, lines kept alive", (4.0 + 32.0 + 8.0) * elements, [&] { return step(more_work); });
}

}  // namespace

int main(int argc, char** argv) {
    const auto reason = filigree::cuda::missing_device();
    if (!reason.empty()) {
        std::fprintf(stderr, "kernel_bench: %s\n", reason.c_str());
        return 3;
    }
    const bool small = argc > 1 && std::string(argv[1]) == "--small";
    const Sizes sizes =
        small ? Sizes{16, 64, 8, 64, {16, 8}, 1} : Sizes{32768, 2048, 256, 2048, {512, 256, 128, 64}, 20};
    const Bench bench(sizes);
    optimizer(bench, sizes);
    sites(bench, sizes);
    for (const auto& [type, name] : {std::pair(FGK_F32, "fp32"), std::pair(FGK_BF16, "bf16")}) {
        attention(bench, sizes, type, name);
        loss(bench, sizes, type, name);
        const auto x = numbers(sizes.rows * 4 * sizes.width, type);
        for (const auto one_in : sizes.one_weight_in) sparse_products(bench, sizes, one_in, x, type, name);
        sums(bench, sizes, type, name);
    }
    return 0;
}
