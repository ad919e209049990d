// SPDX-License-Identifier: Apache-2.0
#include "core/device.hpp"

#include <gtest/gtest.h>

#include "support/expect_error.hpp"

namespace filigree {
namespace {

TEST(Device, OnlyItsNamesAreNames) {
    EXPECT_EQ(parse_device("cpu"), at::Device(at::kCPU));
    for (const std::string name : {"", "gpu", "CPU", "cpu:0", "cuda:", "cuda:x", "cuda:-1", "cuda:1x", "cuda:1234"}) {
        EXPECT_FG_ERROR(static_cast<void>(parse_device(name)), FG_INVALID_ARGUMENT, "not \"" + name + "\"");
    }
}

TEST(Device, EveryCudaDeviceHasANumber) {
    const auto count = cuda_device_count();
    for (int index = 0; index < count; ++index) {
        const auto device = parse_device("cuda:" + std::to_string(index));
        EXPECT_TRUE(device.is_cuda());
        EXPECT_EQ(device.index(), index);
    }
    EXPECT_FG_ERROR(static_cast<void>(parse_device("cuda:" + std::to_string(count))), FG_CUDA, "CUDA");
    EXPECT_EQ(available_devices().size(), static_cast<std::size_t>(count) + 1);
}

}  // namespace
}  // namespace filigree
