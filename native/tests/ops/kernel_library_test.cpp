// SPDX-License-Identifier: Apache-2.0
#include "ops/kernel_library.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "core/error.hpp"
#include "support/expect_error.hpp"

namespace filigree {
namespace {

TEST(KernelLibrary, MissingFileIsNamed) {
    EXPECT_FG_ERROR(KernelLibrary("/nowhere/libfiligree_cuda.so"), FG_CUDA, "/nowhere/libfiligree_cuda.so");
}

TEST(KernelLibrary, OtherInterfaceVersionIsRefused) {
    const auto told = "has interface " + std::to_string(FGK_INTERFACE_VERSION + 1) + " and this build needs " +
                      std::to_string(FGK_INTERFACE_VERSION);
    EXPECT_FG_ERROR(KernelLibrary(FILIGREE_OTHER_KERNEL_LIBRARY), FG_CUDA, told);
}

TEST(KernelLibrary, FileThatIsNoLibraryIsRefused) {
    EXPECT_FG_ERROR(KernelLibrary("/proc/self/maps"), FG_CUDA, "cannot be loaded");
}

TEST(KernelLibrary, WithoutCudaDeviceItIsNotLookedFor) {
    const auto facts = describe_kernel_library(0);
    EXPECT_EQ(facts.at("loaded"), false);
    EXPECT_EQ(facts.at("reason"), "LibTorch reports no CUDA device");
}

TEST(KernelLibrary, SaysWhyItDoesNotRunOnADevice) {
    const KernelLibrary library(FILIGREE_EMULATED_KERNEL_LIBRARY);
    EXPECT_EQ(library.why_not_on(0), std::nullopt);
    EXPECT_EQ(library.why_not_on(1).value_or("").find("CUDA device 1: "), 0U);
    setenv("FILIGREE_EMULATION_COMPUTE", "7", 1);
    EXPECT_EQ(library.why_not_on(0).value_or(""),
              "CUDA device 0 (emulated on the host) has compute capability 7.0, the kernels need 8.0");
    unsetenv("FILIGREE_EMULATION_COMPUTE");
}

#ifdef FILIGREE_KERNEL_LIBRARY
// nvcc built it: it opens without a GPU, and a device that is not there is an error in words.
TEST(KernelLibrary, OpensAndReportsAMissingDevice) {
    const KernelLibrary library(FILIGREE_KERNEL_LIBRARY);
    EXPECT_FG_ERROR(static_cast<void>(library.device(4096)), FG_CUDA, "CUDA device 4096: ");
}
#endif

}  // namespace
}  // namespace filigree
