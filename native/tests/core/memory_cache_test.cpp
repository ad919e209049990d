// SPDX-License-Identifier: Apache-2.0
#include "core/memory_cache.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <c10/core/CPUAllocator.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <thread>
#include <vector>

namespace filigree {
namespace {

constexpr std::int64_t kLarge = 1 << 18;  // floats, 1 MiB

TEST(MemoryCache, GivesATensorWhatAnotherHasLeft) {
    MemoryCache cache;
    const MemoryCache::Scope scope(cache);
    const auto* first = at::empty({kLarge}, at::kFloat).const_data_ptr();
    EXPECT_GE(cache.free_bytes(), 4 * kLarge);
    const auto second = at::empty({kLarge}, at::kFloat);
    EXPECT_EQ(second.const_data_ptr(), first);
    EXPECT_EQ(cache.free_bytes(), 0);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(second.const_data_ptr()) % 64, 0);
    EXPECT_NE(at::empty({kLarge}, at::kFloat).const_data_ptr(), first) << "it is taken";
}

TEST(MemoryCache, KeepsNothingSmallAndNothingOfOtherThreadsOrOutsideAScope) {
    MemoryCache cache;
    {
        const MemoryCache::Scope scope(cache);
        static_cast<void>(at::empty({100}, at::kFloat));
        std::thread([] { static_cast<void>(at::empty({kLarge}, at::kFloat)); }).join();
        EXPECT_EQ(cache.free_bytes(), 0);
    }
    static_cast<void>(at::empty({kLarge}, at::kFloat));
    EXPECT_EQ(cache.free_bytes(), 0);
}

TEST(MemoryCache, OfTheInnermostScopeCounts) {
    MemoryCache outer;
    MemoryCache inner;
    const MemoryCache::Scope scope(outer);
    {
        const MemoryCache::Scope nested(inner);
        static_cast<void>(at::empty({kLarge}, at::kFloat));
        EXPECT_GT(inner.free_bytes(), 0);
        EXPECT_EQ(outer.free_bytes(), 0);
    }
    static_cast<void>(at::empty({kLarge}, at::kFloat));
    EXPECT_GT(outer.free_bytes(), 0);
}

TEST(MemoryCache, TrimsTheLargestFirst) {
    MemoryCache cache;
    const MemoryCache::Scope scope(cache);
    {
        const auto small = at::empty({kLarge}, at::kFloat);
        const auto large = at::empty({8 * kLarge}, at::kFloat);
    }
    const auto all = cache.free_bytes();
    cache.trim(all);
    EXPECT_EQ(cache.free_bytes(), all);
    cache.trim(all - 1);
    EXPECT_GE(cache.free_bytes(), 4 * kLarge);
    EXPECT_LT(cache.free_bytes(), 8 * 4 * kLarge);
    cache.trim(0);
    EXPECT_EQ(cache.free_bytes(), 0);
}

TEST(MemoryCache, TensorsOutliveItAndEndAnywhere) {
    at::Tensor kept;
    at::Tensor moved;
    auto before = at::full({kLarge}, 2.0, at::kFloat);
    {
        MemoryCache cache;
        const MemoryCache::Scope scope(cache);
        kept = at::full({kLarge}, 1.0, at::kFloat);
        moved = at::full({kLarge}, 3.0, at::kFloat);
        before.reset();  // made outside, ends inside
        EXPECT_GT(cache.free_bytes(), 0);
    }
    EXPECT_EQ(kept.sum().item<double>(), static_cast<double>(kLarge));
    std::thread([tensor = std::move(moved)]() mutable { tensor.reset(); }).join();
    kept.reset();
}

TEST(MemoryCache, HoldsNoMoreThanAboutTwiceWhatWasUsedWhateverTheSizes) {
    MemoryCache cache;
    const MemoryCache::Scope scope(cache);
    for (std::int64_t size = 4 * kLarge; size > kLarge / 4; size -= 97) {
        static_cast<void>(at::empty({size}, at::kFloat));
    }
    EXPECT_LE(cache.free_bytes(), 2 * 4 * 4 * kLarge);
    for (std::int64_t size = kLarge / 4; size < 4 * kLarge; size += 97) {
        static_cast<void>(at::empty({size}, at::kFloat));
    }
    EXPECT_LE(cache.free_bytes(), 3 * 4 * 4 * kLarge);
}

TEST(MemoryCache, RawMemoryCanBeGivenBackInAScopeAndOutside) {
    auto& allocator = *c10::GetCPUAllocator();
    constexpr std::size_t kBytes = 4 * kLarge;
    auto* outside = allocator.raw_allocate(kBytes);
    MemoryCache cache;
    std::optional<MemoryCache::Scope> scope(cache);
    auto* inside = allocator.raw_allocate(kBytes);
    allocator.raw_deallocate(outside);
    EXPECT_GT(cache.free_bytes(), 0);
    scope.reset();
    allocator.raw_deallocate(inside);
    EXPECT_EQ(at::empty({0}, at::kFloat).const_data_ptr(), nullptr);
}

TEST(MemoryCache, ThreadsHaveCachesOfTheirOwn) {
    std::vector<std::thread> threads;
    std::vector<std::int64_t> wrong(4);
    for (std::size_t number = 0; number < wrong.size(); ++number) {
        threads.emplace_back([&, number] {
            for (int i = 0; i < 500; ++i) {
                MemoryCache cache;
                const MemoryCache::Scope scope(cache);
                const auto mine = at::full({kLarge / 8 + i}, static_cast<double>(number), at::kFloat);
                static_cast<void>(at::empty({kLarge / 8}, at::kFloat));
                const auto* data = mine.const_data_ptr<float>();
                wrong[number] +=
                    std::count_if(data, data + mine.numel(), [&](float x) { return x != static_cast<float>(number); });
            }
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(wrong, std::vector<std::int64_t>(wrong.size(), 0));
}

}  // namespace
}  // namespace filigree
