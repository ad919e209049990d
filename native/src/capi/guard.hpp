// SPDX-License-Identifier: Apache-2.0
// The exception wall: nothing thrown inside the core crosses the C interface.
#pragma once

#include <filigree/filigree.h>

#include <string>
#include <utility>

#include "core/error.hpp"

namespace filigree::capi {

/// Remember the exception being handled as this thread's last error. @return the status it maps to.
fg_status remember_current_exception() noexcept;

/// Run `body`; any exception becomes a status and this thread's message.
template <typename Body>
fg_status guard(Body&& body) noexcept {
    try {
        std::forward<Body>(body)();
        return FG_OK;
    } catch (...) {
        return remember_current_exception();
    }
}

/// Check an input or output pointer. @throws FG_INVALID_ARGUMENT.
inline void require(const void* pointer, const char* name) {
    FG_EXPECTS(pointer != nullptr, FG_INVALID_ARGUMENT, name, " must not be NULL");
}

/// Check a struct that the caller allocated. @throws FG_INVALID_ARGUMENT.
template <typename Stats>
void require_stats(const Stats* stats) {
    require(stats, "out_stats");
    FG_EXPECTS(stats->struct_size == sizeof(Stats), FG_INVALID_ARGUMENT, "struct_size of the statistics is ",
               stats->struct_size, ", this library expects ", sizeof(Stats));
}

}  // namespace filigree::capi
