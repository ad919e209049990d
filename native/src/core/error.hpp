// SPDX-License-Identifier: Apache-2.0
// The one exception of the core. The C interface turns it into its status and its message, word for word.
#pragma once

#include <filigree/filigree.h>

#include <sstream>
#include <stdexcept>
#include <string>

namespace filigree {

class Error : public std::runtime_error {
public:
    /// @param message a sentence for a person: what was found, and where it matters what was expected.
    Error(fg_status status, const std::string& message) : std::runtime_error(message), status_(status) {}

    [[nodiscard]] fg_status status() const noexcept { return status_; }

private:
    fg_status status_;
};

/// Join the parts of a message: message("tensor ", name, " has ", n, " elements").
template <typename... Parts>
[[nodiscard]] std::string message(const Parts&... parts) {
    std::ostringstream text;
    (text << ... << parts);
    return std::move(text).str();
}

}  // namespace filigree

/// Throw an Error unless the condition holds. The parts of the message are evaluated only when it does not.
#define FG_EXPECTS(condition, status, ...)                                       \
    do {                                                                         \
        if (!(condition)) [[unlikely]] {                                         \
            throw ::filigree::Error((status), ::filigree::message(__VA_ARGS__)); \
        }                                                                        \
    } while (false)
