// SPDX-License-Identifier: Apache-2.0
// Strict reading of JSON configuration: every key must be known and present, every value in range.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace filigree {

/// Reads one JSON object key by key and remembers which keys were asked for. All errors are
/// Error(FG_INVALID_CONFIG) and name the path of the key ("trainer.sparsity.anneal.start").
class ConfigReader {
public:
    /// Parse `text`; `name` is the root of all paths in messages.
    static ConfigReader parse(std::string_view text, std::string name);
    ConfigReader(nlohmann::json object, std::string path);

    [[nodiscard]] std::int64_t integer(const char* key, std::int64_t min,
                                       std::int64_t max = std::numeric_limits<std::int64_t>::max());
    /// A finite number in [min, max].
    [[nodiscard]] double number(const char* key, double min, double max);
    /// A finite number in [min, max], or nothing for null.
    [[nodiscard]] std::optional<double> number_or_null(const char* key, double min, double max);
    /// A list of at least one finite number in [min, max].
    [[nodiscard]] std::vector<double> numbers(const char* key, double min, double max);
    [[nodiscard]] bool boolean(const char* key);
    [[nodiscard]] std::string text(const char* key);
    /// Index of the value in `choices`.
    [[nodiscard]] std::size_t choice(const char* key, const std::vector<std::string>& choices);
    [[nodiscard]] bool is_null(const char* key);
    [[nodiscard]] ConfigReader object(const char* key);

    /// Reject keys that nothing asked for. Call when all known keys were read.
    void finish() const;
    /// Throw an error about `key`.
    [[noreturn]] void fail(const char* key, const std::string& complaint) const;

private:
    const nlohmann::json& at(const char* key);

    nlohmann::json object_;
    std::string path_;
    std::set<std::string> known_;
};

}  // namespace filigree
