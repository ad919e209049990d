// SPDX-License-Identifier: Apache-2.0
#include "core/memory_cache.hpp"

#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>

#include <bit>
#include <iterator>
#include <limits>
#include <new>

namespace filigree {
namespace {

thread_local MemoryCache* current = nullptr;

/// In front of the memory of every tensor, which stays as aligned as LibTorch wants it.
struct alignas(64) Header {
    std::size_t size = 0;  ///< of the block, itself included
};

/// The C library keeps smaller blocks by itself.
constexpr std::size_t kLeast = std::size_t{1} << 16;

/// Sizes that are nearly the same share blocks: the next multiple of an eighth of the power of two below.
std::size_t rounded(std::size_t size) {
    const auto step = std::bit_floor(size) / 8;
    return (size + step - 1) / step * step;
}

}  // namespace

/// Of all CPU tensors that are made after this library was loaded.
class CachedAllocator final : public c10::Allocator {
public:
    c10::DataPtr allocate(std::size_t bytes) override {
        auto* data = bytes == 0 ? nullptr : block(bytes);
        return {data, data, &release, c10::Device(c10::kCPU)};
    }

    [[nodiscard]] c10::DeleterFnPtr raw_deleter() const override { return &release; }

    void copy_data(void* to, const void* from, std::size_t bytes) const override { default_copy_data(to, from, bytes); }

private:
    static void* block(std::size_t bytes) {
        if (bytes > std::numeric_limits<std::size_t>::max() / 2) {
            return c10::alloc_cpu(bytes);  // which says that there is not so much
        }
        auto size = bytes + sizeof(Header);
        if (current != nullptr && size >= kLeast) {
            size = rounded(size);
            auto& free = current->free_;
            const auto found = free.lower_bound(size);
            if (found != free.end() && found->first <= 2 * size) {
                auto* header = static_cast<Header*>(found->second);
                free.erase(found);
                return header + 1;
            }
        }
        return new (c10::alloc_cpu(size)) Header{size} + 1;
    }

    static void release(void* data) {
        if (data == nullptr) {
            return;
        }
        auto* header = static_cast<Header*>(data) - 1;
        if (current != nullptr && header->size >= kLeast) {
            try {
                current->free_.emplace(header->size, header);
                return;
            } catch (const std::bad_alloc&) {
                // Then it is not kept.
            }
        }
        c10::free_cpu(header);
    }
};

namespace {

// When the library is loaded, before a thread of its own could ask for memory; never destroyed, as tensors may outlive
// everything.
[[maybe_unused]] const bool installed = [] {
    c10::SetCPUAllocator(new CachedAllocator);
    return true;
}();

}  // namespace

MemoryCache::~MemoryCache() { trim(0); }

void MemoryCache::trim(std::size_t most) {
    for (auto bytes = free_bytes(); bytes > most;) {
        const auto largest = std::prev(free_.end());
        bytes -= largest->first;
        c10::free_cpu(largest->second);
        free_.erase(largest);
    }
}

std::size_t MemoryCache::free_bytes() const {
    std::size_t bytes = 0;
    for (const auto& [size, block] : free_) {
        bytes += size;
    }
    return bytes;
}

MemoryCache::Scope::Scope(MemoryCache& cache) : before_(current) { current = &cache; }

MemoryCache::Scope::~Scope() { current = before_; }

}  // namespace filigree
