// SPDX-License-Identifier: Apache-2.0
// Memory of tensors on the CPU, kept from one training step to the next. The C library gives large blocks back to the
// system as soon as they are free, and the next step then pays for every page anew: measured on a virtual machine, a
// quarter of a step.
#pragma once

#include <c10/mobile/CPUCachingAllocator.h>

namespace filigree {

/// Blocks that tensors have left, by their exact size. For loops that make tensors of the same sizes again and again;
/// it grows with every other size, up to its destruction.
class MemoryCache {
public:
    /// While it lives, tensors on the CPU that this thread makes take their memory from the cache, and leave it there.
    class Scope {
    public:
        explicit Scope(MemoryCache& cache);
        Scope(const Scope&) = delete;  // ends once
        Scope& operator=(const Scope&) = delete;
        ~Scope();

    private:
        c10::CPUCachingAllocator* before_;
    };

private:
    c10::CPUCachingAllocator blocks_;
};

}  // namespace filigree
