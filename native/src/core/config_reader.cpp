// SPDX-License-Identifier: Apache-2.0
#include "core/config_reader.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <sstream>
#include <utility>

#include "core/error.hpp"
#include "core/json.hpp"

namespace filigree {
namespace {

/// Edit distance: insertions, deletions and replacements that turn `a` into `b`.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);  // distances of the part of `a` so far to every prefix of `b`
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        auto diagonal = std::exchange(row[0], i + 1);
        for (std::size_t j = 0; j < b.size(); ++j) {
            const auto replaced = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = std::exchange(row[j + 1], std::min({replaced, row[j] + 1, row[j + 1] + 1}));
        }
    }
    return row.back();
}

}  // namespace

ConfigReader ConfigReader::parse(std::string_view text, std::string name) {
    auto object = parse_json(text, FG_INVALID_CONFIG, name);
    return {std::move(object), std::move(name)};
}

ConfigReader::ConfigReader(nlohmann::json object, std::string path)
    : object_(std::move(object)), path_(std::move(path)) {
    if (!object_.is_object()) {
        throw Error(FG_INVALID_CONFIG, path_ + " must be a JSON object");
    }
}

const nlohmann::json& ConfigReader::at(const char* key) {
    known_.insert(key);
    const auto found = object_.find(key);
    if (found == object_.end()) {
        fail(key, "is missing");
    }
    return *found;
}

std::int64_t ConfigReader::integer(const char* key, std::int64_t min, std::int64_t max) {
    const auto& value = at(key);
    if (!value.is_number_integer()) {
        fail(key, "must be an integer, not " + value.dump());
    }
    if (value.is_number_unsigned() &&
        value.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        fail(key, "is too large: " + value.dump());
    }
    const auto result = value.get<std::int64_t>();
    if (result < min || result > max) {
        fail(key, "must be at least " + std::to_string(min) +
                      (max == std::numeric_limits<std::int64_t>::max() ? "" : " and at most " + std::to_string(max)) +
                      ", not " + value.dump());
    }
    return result;
}

double ConfigReader::number(const char* key, double min, double max) {
    const auto& value = at(key);
    if (!value.is_number()) {
        fail(key, "must be a number, not " + value.dump());
    }
    const auto result = value.get<double>();
    if (!std::isfinite(result) || result < min || result > max) {
        std::ostringstream complaint;
        complaint << "must be in [" << min << ", " << max << "], not " << value.dump();
        fail(key, complaint.str());
    }
    return result;
}

std::optional<double> ConfigReader::number_or_null(const char* key, double min, double max) {
    if (is_null(key)) {
        return std::nullopt;
    }
    return number(key, min, max);
}

std::vector<double> ConfigReader::numbers(const char* key, double min, double max) {
    const auto& list = at(key);
    if (!list.is_array() || list.empty()) {
        fail(key, "must be a list of at least one number, not " + list.dump());
    }
    std::vector<double> result;
    for (const auto& value : list) {
        if (!value.is_number() || !std::isfinite(value.get<double>()) || value.get<double>() < min ||
            value.get<double>() > max) {
            std::ostringstream complaint;
            complaint << "must hold numbers in [" << min << ", " << max << "] only, not " << value.dump();
            fail(key, complaint.str());
        }
        result.push_back(value.get<double>());
    }
    return result;
}

bool ConfigReader::boolean(const char* key) {
    const auto& value = at(key);
    if (!value.is_boolean()) {
        fail(key, "must be true or false, not " + value.dump());
    }
    return value.get<bool>();
}

std::string ConfigReader::text(const char* key) {
    const auto& value = at(key);
    if (!value.is_string()) {
        fail(key, "must be a string, not " + value.dump());
    }
    return value.get<std::string>();
}

std::size_t ConfigReader::choice(const char* key, const std::vector<std::string>& choices) {
    const auto value = text(key);
    std::string all;
    for (std::size_t i = 0; i < choices.size(); ++i) {
        if (choices[i] == value) {
            return i;
        }
        all += (i == 0 ? "\"" : ", \"") + choices[i] + "\"";
    }
    fail(key, "must be one of " + all + ", not \"" + value + "\"");
}

bool ConfigReader::is_null(const char* key) { return at(key).is_null(); }

ConfigReader ConfigReader::object(const char* key) { return {at(key), path_ + "." + key}; }

void ConfigReader::finish() const {
    for (const auto& [key, value] : object_.items()) {
        if (known_.contains(key)) {
            continue;
        }
        std::string all;
        std::string nearest;
        auto changes = std::numeric_limits<std::size_t>::max();
        for (const auto& known : known_) {
            all += (all.empty() ? "" : ", ") + known;
            if (distance(key, known) < changes) {
                nearest = known;
                changes = distance(key, known);
            }
        }
        fail(key.c_str(), "is not a known key; the nearest one is \"" + nearest + "\", all are: " + all);
    }
}

void ConfigReader::fail(const char* key, const std::string& complaint) const {
    throw Error(FG_INVALID_CONFIG, path_ + "." + key + " " + complaint);
}

}  // namespace filigree
