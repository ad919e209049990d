// SPDX-License-Identifier: Apache-2.0
#include "core/memory_cache.hpp"

#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>

namespace filigree {
namespace {

thread_local c10::CPUCachingAllocator* current = nullptr;

/// LibTorch's allocator on the CPU, and on threads in a scope the cache. Its caching allocator is built into desktop
/// builds too, but only mobile ones ask it.
class ScopedAllocator final : public c10::Allocator {
public:
    ScopedAllocator() : outside_(*c10::GetCPUAllocator()) { c10::SetCPUAllocator(this); }

    c10::DataPtr allocate(std::size_t bytes) override {
        if (current == nullptr || bytes == 0) {
            return outside_.allocate(bytes);
        }
        auto* data = current->allocate(bytes);
        return {data, data, &release, c10::Device(c10::kCPU)};
    }

    [[nodiscard]] c10::DeleterFnPtr raw_deleter() const override { return &release; }

    void copy_data(void* to, const void* from, std::size_t bytes) const override { default_copy_data(to, from, bytes); }

private:
    static void release(void* data) {
        if (current != nullptr) {
            current->free(data);
            return;
        }
        c10::CPUCachingAllocator::record_free(data);
        c10::free_cpu(data);
    }

    c10::Allocator& outside_;
};

// Made when the library is loaded, before a thread of its own could ask for memory. Tensors may outlive everything.
const auto* const allocator = new ScopedAllocator;

}  // namespace

MemoryCache::Scope::Scope(MemoryCache& cache) : before_(current) { current = &cache.blocks_; }

MemoryCache::Scope::~Scope() { current = before_; }

}  // namespace filigree
