// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filigree/filigree.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace filigree {

/// Parse JSON, refusing an object that has a key twice; the parser alone would keep the last.
/// @param what name of the text in messages. @throws Error with `status`.
[[nodiscard]] nlohmann::json parse_json(std::string_view text, fg_status status, const std::string& what);

}  // namespace filigree
