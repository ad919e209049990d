// SPDX-License-Identifier: Apache-2.0
// Memory that the kernels can reach: the device's, or the host's where they are emulated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace filigree::cuda {

/// Why the tests cannot run here, "" when they can.
std::string missing_device();

/// Kernels launched so far; nothing on a device, where nobody counts.
std::optional<std::uint64_t> launches();

class Memory {
public:
    explicit Memory(std::size_t bytes);
    Memory(Memory&& other) noexcept : data_(other.data_), size_(other.size_) { other.data_ = nullptr; }
    Memory& operator=(Memory&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    Memory(const Memory&) = delete;  // owns it
    Memory& operator=(const Memory&) = delete;
    ~Memory();

    [[nodiscard]] std::byte* data() const { return data_; }
    [[nodiscard]] std::size_t size() const { return size_; }
    void write(const void* from);
    /// From memory of the same size, behind the kernels; does not wait.
    void copy(const Memory& from);
    /// Waits for the kernels.
    void read(void* to) const;

private:
    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace filigree::cuda
