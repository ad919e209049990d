// SPDX-License-Identifier: Apache-2.0
// Memory of tensors on the CPU, kept from one training step to the next. The C library gives large blocks back to the
// system as soon as they are free, and the next step then pays for every page anew: measured on a virtual machine, a
// quarter of a step. LibTorch has such a cache for CUDA and for mobile builds; the latter shares a table between all
// threads that its destructor changes without a lock.
//
// Linking this replaces LibTorch's allocator of CPU tensors in the whole process. Outside a scope it does the same.
#pragma once

#include <cstddef>
#include <map>

namespace filigree {

/// Blocks that tensors have left. A tensor takes the smallest that has room and is at most twice as large, so that it
/// holds about twice what was ever used at once, whatever the sizes.
class MemoryCache {
public:
    MemoryCache() = default;
    MemoryCache(const MemoryCache&) = delete;  // owns its blocks
    MemoryCache& operator=(const MemoryCache&) = delete;
    ~MemoryCache();

    /// Bytes of the blocks that no tensor has.
    [[nodiscard]] std::size_t free_bytes() const;
    /// Let go of such blocks, the largest first, until they are at most so many bytes.
    void trim(std::size_t most);

    /// While it lives, large tensors on the CPU that this thread makes take their memory from the cache, and those that
    /// it lets go leave theirs there. Scopes nest; the innermost counts. A cache is in the scope of one thread at a
    /// time. Tensors may outlive scope and cache, and end on any thread.
    class Scope {
    public:
        explicit Scope(MemoryCache& cache);
        Scope(const Scope&) = delete;  // ends once
        Scope& operator=(const Scope&) = delete;
        ~Scope();

    private:
        MemoryCache* before_;
    };

private:
    friend class CachedAllocator;

    std::multimap<std::size_t, void*> free_;  // by size
};

}  // namespace filigree
