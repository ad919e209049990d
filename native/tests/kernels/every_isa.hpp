// SPDX-License-Identifier: Apache-2.0
// Runs a test once per instruction set of this processor, on data from a seed that a failure prints.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "kernels/kernels.hpp"

namespace filigree::kernels {

/// Fixture: `kernels()` is one table, `random_values` are fresh in every run unless FILIGREE_TEST_SEED is set.
class EveryIsa : public testing::TestWithParam<const Kernels*> {
protected:
    EveryIsa() {
        const auto* given = std::getenv("FILIGREE_TEST_SEED");
        seed_ =
            given == nullptr ? std::random_device{}() : static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10));
        random_.seed(seed_);
        trace_.emplace(__FILE__, __LINE__, "FILIGREE_TEST_SEED=" + std::to_string(seed_));
    }

    [[nodiscard]] static const Kernels& table() { return *GetParam(); }

    std::vector<float> random_values(std::int64_t count, float deviation = 1.0F) {
        std::normal_distribution<float> normal(0.0F, deviation);
        std::vector<float> values(static_cast<std::size_t>(count));
        for (auto& value : values) value = normal(random_);
        return values;
    }

    std::mt19937 random_;

private:
    std::uint32_t seed_ = 0;
    std::optional<testing::ScopedTrace> trace_;
};

/// Name of a test for its instruction set.
[[nodiscard]] inline std::string isa_name(const testing::TestParamInfo<const Kernels*>& test) {
    return test.param->isa;
}

#define FILIGREE_EVERY_ISA(fixture) \
    INSTANTIATE_TEST_SUITE_P(Isa, fixture, testing::ValuesIn(supported_kernels()), isa_name)

}  // namespace filigree::kernels
