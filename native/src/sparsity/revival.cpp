// SPDX-License-Identifier: Apache-2.0
#include "sparsity/revival.hpp"

#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

namespace filigree {
namespace {

/// A block matrix on the host, with its moments and what it may still take.
struct Matrix {
    Matrix(const Model& model, const at::Tensor& moment1, const at::Tensor& moment2, const std::string& name,
           const Revival& rule)
        : parameter(model.table().find(name)),
          device_w(model.tensor(parameter)),
          device_m(ParameterTable::view(moment1, parameter)),
          device_v(ParameterTable::view(moment2, parameter)),
          w(device_w.to(at::kCPU)),
          m(device_m.to(at::kCPU)),
          v(device_v.to(at::kCPU)) {
        const auto* values = w.const_data_ptr<float>();
        std::vector<float> live;
        for (std::int64_t i = 0; i < w.numel(); ++i) {
            if (values[i] != 0.0F) {
                live.push_back(std::abs(values[i]));
            }
        }
        if (!live.empty()) {
            const auto middle = live.begin() + static_cast<std::ptrdiff_t>(live.size() / 2);
            std::nth_element(live.begin(), middle, live.end());
            magnitude = *middle;
        }
        lines_left = static_cast<std::int64_t>(rule.share * static_cast<double>(live.size())) / rule.weights;
    }

    [[nodiscard]] std::int64_t rows() const { return w.size(0); }
    [[nodiscard]] std::int64_t columns() const { return w.size(1); }
    [[nodiscard]] std::int64_t flat(bool row, std::int64_t line, std::int64_t i) const {
        return row ? line * columns() + i : i * columns() + line;
    }
    [[nodiscard]] bool empty(bool row, std::int64_t line) const {
        const auto length = row ? columns() : rows();
        const auto* values = w.const_data_ptr<float>();
        for (std::int64_t i = 0; i < length; ++i) {
            if (values[flat(row, line, i)] != 0.0F) {
                return false;
            }
        }
        return true;
    }
    void fill(bool row, std::int64_t line, std::int64_t count, RandomStream& random) {
        const auto length = row ? columns() : rows();
        std::vector<std::int64_t> places(static_cast<std::size_t>(length));
        std::iota(places.begin(), places.end(), 0);
        for (std::int64_t i = 0; i < std::min(count, length); ++i) {
            const auto other = i + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(length - i)));
            std::swap(places[static_cast<std::size_t>(i)], places[static_cast<std::size_t>(other)]);
            const auto at = flat(row, line, places[static_cast<std::size_t>(i)]);
            w.mutable_data_ptr<float>()[at] = random.below(2) == 0 ? magnitude : -magnitude;
            m.mutable_data_ptr<float>()[at] = 0.0F;
            v.mutable_data_ptr<float>()[at] = 0.0F;
        }
        --lines_left;
        changed = true;
    }
    void write_back() const {
        if (changed && !device_w.is_cpu()) {
            device_w.copy_(w);
            device_m.copy_(m);
            device_v.copy_(v);
        }
    }

    const Parameter& parameter;
    at::Tensor device_w, device_m, device_v;  // [rows, columns]
    at::Tensor w, m, v;                       // the same on the host
    float magnitude = 0.0F;
    std::int64_t lines_left = 0;
    bool changed = false;
};

/// A line of a matrix that a unit needs.
struct Line {
    Matrix* matrix;
    bool row;
    std::int64_t index;
};

/// Units of one layer, each as those of its lines that are empty; none for a live one.
using Units = std::vector<std::vector<Line>>;

std::int64_t revive(Units units, const Revival& rule, RandomStream& random) {
    units.erase(std::remove_if(units.begin(), units.end(), [](const auto& lines) { return lines.empty(); }),
                units.end());
    std::int64_t revived = 0;
    for (std::size_t i = 0; i < units.size(); ++i) {
        std::swap(units[i], units[i + random.below(units.size() - i)]);
        const auto& lines = units[i];
        const bool room = std::all_of(lines.begin(), lines.end(), [&](const Line& line) {
            const auto same = std::count_if(lines.begin(), lines.end(),
                                            [&](const Line& other) { return other.matrix == line.matrix; });
            return line.matrix->lines_left >= same && line.matrix->magnitude > 0.0F;
        });
        if (room) {
            for (const auto& line : lines) {
                line.matrix->fill(line.row, line.index, rule.weights, random);
            }
            ++revived;
        }
    }
    return revived;
}

}  // namespace

std::int64_t revive_dead_units(const Model& model, const at::Tensor& moment1, const at::Tensor& moment2,
                               const Revival& rule, RandomStream random) {
    const auto A = model.config().attention_width();
    std::int64_t revived = 0;
    for (std::int64_t layer = 0; layer < model.config().n_layer; ++layer) {
        const auto h = "transformer.h." + std::to_string(layer) + ".";
        const auto open = [&](const char* name) { return Matrix(model, moment1, moment2, h + name, rule); };
        auto c_attn = open("attn.c_attn.weight");
        auto o_proj = open("attn.c_proj.weight");
        auto c_fc = open("mlp.c_fc.weight");
        auto c_proj = open("mlp.c_proj.weight");
        const auto bias = model.tensor(model.table().find(h + "attn.c_attn.bias")).to(at::kCPU);
        const auto* biases = bias.const_data_ptr<float>();
        const auto add_if_empty = [](std::vector<Line>& lines, const Line& line) {
            if (line.matrix->empty(line.row, line.index)) {
                lines.push_back(line);
            }
        };
        Units channels;
        Units values;
        for (std::int64_t i = 0; i < A; ++i) {
            std::vector<Line> pair;  // of the query and the key
            for (const auto row : {i, A + i}) {
                if (biases[row] == 0.0F) {
                    add_if_empty(pair, {&c_attn, true, row});
                }
            }
            channels.push_back(std::move(pair));
            std::vector<Line> value;
            if (biases[2 * A + i] == 0.0F) {
                add_if_empty(value, {&c_attn, true, 2 * A + i});
            }
            add_if_empty(value, {&o_proj, false, i});
            values.push_back(std::move(value));
        }
        Units neurons;
        for (std::int64_t i = 0; i < model.config().d_mlp; ++i) {
            std::vector<Line> neuron;
            add_if_empty(neuron, {&c_fc, true, i});
            add_if_empty(neuron, {&c_proj, false, i});
            neurons.push_back(std::move(neuron));
        }
        for (auto* units : {&channels, &values, &neurons}) {
            revived += revive(std::move(*units), rule, random);
        }
        for (const auto* matrix : {&c_attn, &o_proj, &c_fc, &c_proj}) {
            matrix->write_back();
        }
    }
    if (revived > 0) {
        model.values().unsafeGetTensorImpl()->bump_version();  // LibTorch counts its own writes only
    }
    return revived;
}

}  // namespace filigree
