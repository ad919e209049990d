// SPDX-License-Identifier: Apache-2.0
// One body for both ways to run the kernels: test_cuda_emulated on any machine, test_cuda on a CUDA device, where it
// skips without one. Arrays live where the kernels run, between guards that must stay as they are, and outputs start as
// NaN. Random data is fresh in every run unless FILIGREE_TEST_SEED is set.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "cuda/memory.hpp"
#include "kernel_library.h"

namespace filigree::cuda {

inline constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

/// Values as they are in memory of a type.
inline float rounded(float x, std::int32_t type) {
    if (type == FGK_F32) return x;
    auto bits = std::bit_cast<std::uint32_t>(x);
    if (std::isnan(x)) return x;
    bits += 0x7fffU + (bits >> 16 & 1U);
    return std::bit_cast<float>(bits & 0xffff0000U);
}

/// An array in the kernels' memory.
template <typename T>
class Array {
public:
    Array() : Array(0) {}
    /// @param fill what every byte is at first: 0xff makes NaN.
    explicit Array(std::size_t count, unsigned char fill = 0xff)
        : count_(count), memory_(count * sizeof(T) + 2 * kGuard) {
        auto bytes = guards();
        std::fill_n(bytes.begin() + kGuard, count * sizeof(T), fill);
        memory_.write(bytes.data());
    }
    explicit Array(const std::vector<T>& values) : Array(values.size()) {
        auto bytes = guards();
        if (!values.empty()) std::memcpy(bytes.data() + kGuard, values.data(), values.size() * sizeof(T));
        memory_.write(bytes.data());
    }
    Array(Array&&) noexcept = default;
    Array& operator=(Array&&) noexcept = default;
    Array(const Array&) = delete;  // owns its memory
    Array& operator=(const Array&) = delete;
    /// Also what no test looks at must have its guards.
    ~Array() {
        if (memory_.data() != nullptr) static_cast<void>(guarded_bytes());
    }
    [[nodiscard]] T* data() const { return reinterpret_cast<T*>(memory_.data() + kGuard); }
    [[nodiscard]] std::size_t size() const { return count_; }
    /// What is there now; a guard that has changed is a failure of the test.
    [[nodiscard]] std::vector<T> values() const {
        const auto bytes = guarded_bytes();
        std::vector<T> values(count_);
        if (count_ > 0) std::memcpy(values.data(), bytes.data() + kGuard, count_ * sizeof(T));
        return values;
    }

private:
    static constexpr std::size_t kGuard = 256;
    // NaN in fp32 and in bf16, far outside as an index: what a kernel reads there shows in its results.
    static constexpr unsigned char kGuardBytes[] = {0xe5, 0x7f};

    /// All bytes of the memory as they are between untouched guards.
    [[nodiscard]] std::vector<unsigned char> guards() const {
        std::vector<unsigned char> bytes(memory_.size());
        for (std::size_t i = 0; i < kGuard; ++i) {
            bytes[i] = kGuardBytes[i % 2];
            bytes[bytes.size() - kGuard + i] = kGuardBytes[i % 2];
        }
        return bytes;
    }
    [[nodiscard]] std::vector<unsigned char> guarded_bytes() const {
        std::vector<unsigned char> bytes(memory_.size());
        memory_.read(bytes.data());
        const auto untouched = guards();
        const auto begin = std::equal(bytes.begin(), bytes.begin() + kGuard, untouched.begin());
        const auto end = std::equal(bytes.end() - kGuard, bytes.end(), untouched.end() - kGuard);
        if (!begin || !end) ADD_FAILURE() << "a kernel wrote " << (begin ? "behind" : "before") << " an array";
        return bytes;
    }

    std::size_t count_ = 0;
    Memory memory_;
};

/// Floats in memory as fp32 or bf16.
class Numbers {
public:
    Numbers(std::size_t count, std::int32_t type)
        : type_(type), f32_(type == FGK_F32 ? count : 0), bf16_(type == FGK_F32 ? 0 : count) {}
    Numbers(const std::vector<float>& values, std::int32_t type) : type_(type) {
        if (type == FGK_F32) {
            f32_ = Array<float>(values);
        } else {
            std::vector<std::uint16_t> bits;
            for (const auto x : values) {
                bits.push_back(static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(rounded(x, FGK_BF16)) >> 16));
            }
            bf16_ = Array<std::uint16_t>(bits);
        }
    }
    [[nodiscard]] void* data() const {
        return type_ == FGK_F32 ? static_cast<void*>(f32_.data()) : static_cast<void*>(bf16_.data());
    }
    [[nodiscard]] std::vector<float> values() const {
        if (type_ == FGK_F32) return f32_.values();
        std::vector<float> values;
        for (const auto bits : bf16_.values()) values.push_back(std::bit_cast<float>(std::uint32_t{bits} << 16));
        return values;
    }

private:
    std::int32_t type_;
    Array<float> f32_;
    Array<std::uint16_t> bf16_;
};

class CudaKernel : public testing::Test {
protected:
    void SetUp() override {
        const auto reason = missing_device();
        if (!reason.empty()) GTEST_SKIP() << reason;
        const auto* given = std::getenv("FILIGREE_TEST_SEED");
        const auto seed =
            given == nullptr ? std::random_device{}() : static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10));
        random_.seed(seed);
        trace_.emplace(__FILE__, __LINE__, "FILIGREE_TEST_SEED=" + std::to_string(seed));
    }

    std::vector<float> normal(std::int64_t count, float deviation = 1.0F) {
        std::normal_distribution<float> distribution(0.0F, deviation);
        std::vector<float> values(static_cast<std::size_t>(count));
        for (auto& value : values) value = distribution(random_);
        return values;
    }
    std::int64_t below(std::int64_t n) { return std::uniform_int_distribution<std::int64_t>(0, n - 1)(random_); }

    /// Bytes for a kernel to work in, poisoned.
    static Array<std::uint8_t> workspace(std::int64_t bytes) {
        return Array<std::uint8_t>(static_cast<std::size_t>(bytes));
    }

    std::mt19937 random_;

private:
    std::optional<testing::ScopedTrace> trace_;
};

#define EXPECT_DONE(call) EXPECT_EQ((call), 0) << fgk_last_error()
#define EXPECT_REFUSED(call, text)                                             \
    do {                                                                       \
        EXPECT_NE((call), 0);                                                  \
        EXPECT_NE(std::string(fgk_last_error()).find(text), std::string::npos) \
            << "the message is \"" << fgk_last_error() << "\"";                \
    } while (false)

/// Largest difference over the largest magnitude expected, or over `scale` where that is larger: sums whose terms are
/// of that size may cancel. Infinite where one is NaN and the other is not.
template <typename Actual, typename Expected>
double relative_error(const std::vector<Actual>& actual, const std::vector<Expected>& expected, double scale = 0.0) {
    EXPECT_EQ(actual.size(), expected.size());
    double difference = 0.0;
    double largest = scale;
    for (std::size_t i = 0; i < actual.size(); ++i) {
        const auto a = static_cast<double>(actual[i]);
        const auto e = static_cast<double>(expected[i]);
        if (std::isnan(e) && std::isnan(a)) continue;
        if (std::isnan(a - e)) return std::numeric_limits<double>::infinity();
        difference = std::max(difference, std::abs(a - e));
        largest = std::max(largest, std::abs(e));
    }
    return largest == 0.0 ? difference : difference / largest;
}

}  // namespace filigree::cuda
