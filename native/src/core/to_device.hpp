// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/core/ScalarType.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace filigree {

/// Copy host values to a device. @tparam Value float or std::int64_t. @return [values.size()].
template <typename Value>
[[nodiscard]] at::Tensor to_device(const std::vector<Value>& values, const at::Device& device) {
    auto host = at::empty({static_cast<std::int64_t>(values.size())}, c10::CppTypeToScalarType<Value>::value);
    std::copy(values.begin(), values.end(), host.template mutable_data_ptr<Value>());
    return host.to(device);
}

}  // namespace filigree
