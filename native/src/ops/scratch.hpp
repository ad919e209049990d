// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace filigree::ops {

/// Memory of one thread that kernels work in: grows, is never given back, starts on a cache line.
template <typename T>
class Scratch {
public:
    /// Room for `count` elements; what was there before is lost when it grows.
    [[nodiscard]] T* room(std::int64_t count) {
        const auto size = static_cast<std::size_t>(count);
        if (size > size_) {
            data_.reset(static_cast<T*>(::operator new(size * sizeof(T), kLine)));
            size_ = size;
        }
        return data_.get();
    }

private:
    static constexpr auto kLine = std::align_val_t{64};
    struct Free {
        void operator()(T* data) const { ::operator delete(data, kLine); }
    };
    std::unique_ptr<T, Free> data_;
    std::size_t size_ = 0;
};

/// Room for `count` floats of the calling thread, with anything in them; until it asks again.
[[nodiscard]] inline float* thread_scratch(std::int64_t count) {
    thread_local Scratch<float> mine;
    return mine.room(count);
}

}  // namespace filigree::ops
