// SPDX-License-Identifier: Apache-2.0
#include "capi/guard.hpp"

#include <c10/util/Exception.h>

#include <array>
#include <cstring>
#include <exception>
#include <new>

namespace filigree::capi {
namespace {

// A fixed buffer: reporting that memory ran out must not ask for memory.
thread_local std::array<char, 4096> last_message{};

fg_status remember(fg_status status, const char* message) noexcept {
    std::strncpy(last_message.data(), message, last_message.size() - 1);
    return status;
}

fg_status status_of(const c10::Error& error) {
    const std::string text = error.what_without_backtrace();
    // LibTorch's CPU allocator reports exhaustion as a plain c10::Error.
    if (dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr ||
        text.find("can't allocate memory") != std::string::npos ||
        text.find("not enough memory") != std::string::npos) {
        return FG_OUT_OF_MEMORY;
    }
    return text.find("CUDA error") != std::string::npos ? FG_CUDA : FG_INTERNAL;
}

}  // namespace

fg_status remember_current_exception() noexcept {
    try {
        throw;
    } catch (const Error& error) {
        return remember(error.status(), error.what());
    } catch (const c10::Error& error) {
        return remember(status_of(error), error.what_without_backtrace());
    } catch (const std::bad_alloc&) {
        return remember(FG_OUT_OF_MEMORY, "memory ran out");
    } catch (const std::exception& error) {
        return remember(FG_INTERNAL, error.what());
    } catch (...) {
        return remember(FG_INTERNAL, "an exception of an unknown type");
    }
}

}  // namespace filigree::capi

const char* fg_last_error_message(void) { return filigree::capi::last_message.data(); }
