// SPDX-License-Identifier: Apache-2.0
#include "core/json.hpp"

#include <set>
#include <vector>

#include "core/error.hpp"

namespace filigree {

nlohmann::json parse_json(std::string_view text, fg_status status, const std::string& what) {
    using Event = nlohmann::json::parse_event_t;
    std::vector<std::set<std::string>> open_objects;
    const auto refuse_duplicates = [&](int, Event event, nlohmann::json& parsed) {
        if (event == Event::object_start) {
            open_objects.emplace_back();
        } else if (event == Event::object_end) {
            open_objects.pop_back();
        } else if (event == Event::key) {
            const auto& key = parsed.get_ref<const std::string&>();
            FG_EXPECTS(open_objects.back().insert(key).second, status, what, " has the key \"", key, "\" twice");
        }
        return true;
    };
    try {
        return nlohmann::json::parse(text, refuse_duplicates);
    } catch (const nlohmann::json::exception& error) {
        throw Error(status, message(what, " is not valid JSON: ", error.what()));
    }
}

}  // namespace filigree
