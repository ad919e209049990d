// SPDX-License-Identifier: Apache-2.0
// Reads the golden files (README.md of this folder).
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/safetensors.hpp"

namespace filigree::golden {

/// Append every number of nested JSON lists, in order.
template <typename T>
void flatten(const nlohmann::json& value, std::vector<T>& out) {
    if (value.is_array()) {
        for (const auto& item : value) flatten(item, out);
    } else {
        out.push_back(value.get<T>());
    }
}

template <typename T>
[[nodiscard]] std::vector<T> flat(const nlohmann::json& value) {
    std::vector<T> out;
    flatten(value, out);
    return out;
}

/// A tensor of a file, whatever its shape.
[[nodiscard]] inline std::vector<float> read(const SafetensorsFile& file, const std::string& name) {
    const auto* tensor = file.find(name);
    if (tensor == nullptr) throw std::runtime_error(file.path().string() + " has no tensor " + name);
    std::vector<float> values(tensor->bytes / sizeof(float));
    file.read_f32(name, tensor->shape, values);
    return values;
}

/// Largest absolute difference over the largest magnitude expected; infinite when a value is not finite.
[[nodiscard]] inline double relative_error(std::span<const float> actual, std::span<const float> expected) {
    if (actual.size() != expected.size()) throw std::logic_error("compared tensors of different sizes");
    double difference = 0.0;
    double magnitude = 1e-30;
    for (std::size_t i = 0; i < actual.size(); ++i) {
        if (!std::isfinite(actual[i])) return std::numeric_limits<double>::infinity();
        difference = std::max(difference, std::abs(static_cast<double>(actual[i]) - expected[i]));
        magnitude = std::max(magnitude, std::abs(static_cast<double>(expected[i])));
    }
    return difference / magnitude;
}

/// Error of a number that is not near 0.
[[nodiscard]] inline double relative_error(double actual, double expected) {
    return std::isfinite(actual) ? std::abs(actual / expected - 1.0) : std::numeric_limits<double>::infinity();
}

/// One folder of golden files.
class Case {
public:
    explicit Case(const std::string& name)
        : folder_(std::filesystem::path(FILIGREE_GOLDEN_FOLDER) / name),
          numbers_(nlohmann::json::parse(text("golden.json"))),
          expected_(folder_ / "expected.safetensors") {
        if (numbers_.at("magic") != "filigree-golden" || numbers_.at("version") != 1) {
            throw std::runtime_error(folder_.string() + " is of another version; run make_golden.py");
        }
    }

    [[nodiscard]] std::string folder() const { return folder_.string(); }
    [[nodiscard]] std::string text(const std::string& file) const {
        std::ifstream stream(folder_ / file);
        if (!stream) throw std::runtime_error("cannot read " + (folder_ / file).string());
        return {std::istreambuf_iterator<char>(stream), {}};
    }
    [[nodiscard]] const nlohmann::json& operator[](const std::string& key) const { return numbers_.at(key); }
    [[nodiscard]] std::vector<float> expected(const std::string& tensor) const { return read(expected_, tensor); }
    [[nodiscard]] double tolerance(const std::string& quantity) const {
        return numbers_.at("tolerance").at(quantity).get<double>();
    }

private:
    std::filesystem::path folder_;
    nlohmann::json numbers_;
    SafetensorsFile expected_;
};

/// A case under one execution plan, as parameter of a test.
struct Variant {
    std::string name;
    std::string plan;

    [[nodiscard]] std::string execution_json() const { return R"({"precision":"fp32","plan":")" + plan + "\"}"; }
};

/// Every case under every plan.
[[nodiscard]] inline auto under_every_plan(const std::vector<std::string>& cases) {
    std::vector<Variant> variants;
    for (const auto& name : cases) {
        for (const auto* plan : {"fast", "reference"}) variants.push_back({name, plan});
    }
    return testing::ValuesIn(variants);
}

[[nodiscard]] inline std::string variant_name(const testing::TestParamInfo<Variant>& test) {
    return test.param.name + "_" + test.param.plan;
}

/// The training cases under every plan.
[[nodiscard]] inline auto training_cases() {
    return under_every_plan({"sparse_sink", "sparse_nosink", "dense", "positions"});
}

}  // namespace filigree::golden
