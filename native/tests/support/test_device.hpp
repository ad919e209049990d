// SPDX-License-Identifier: Apache-2.0
// Where the models of tests are whose bodies run on any device.
#pragma once

#include <cstdlib>
#include <string>

#include "core/device.hpp"

namespace filigree {

/// The CPU, or what the environment variable FILIGREE_TEST_DEVICE names.
inline std::string test_device_name() {
    const char* name = std::getenv("FILIGREE_TEST_DEVICE");
    return name == nullptr ? "cpu" : name;
}

inline at::Device test_device() { return parse_device(test_device_name()); }

}  // namespace filigree
