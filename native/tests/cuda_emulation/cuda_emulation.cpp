// SPDX-License-Identifier: Apache-2.0
#include "cuda_emulation.hpp"

#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace filigree::emulation {

Place here;

namespace {

constexpr unsigned kLanes = 32;
constexpr unsigned kMostThreads = 1024;
constexpr std::size_t kKiB = 1024;
constexpr std::size_t kSharedRoom = 227 * kKiB;  // what a block can have on compute capability 9.0
/// That, or FILIGREE_EMULATION_SHARED_KIB where another kind of device has less.
std::size_t most_shared() {
    static const auto bytes = [] {
        const auto* given = std::getenv("FILIGREE_EMULATION_SHARED_KIB");
        return given == nullptr ? kSharedRoom : std::min(kSharedRoom, std::strtoul(given, nullptr, 10) * kKiB);
    }();
    return bytes;
}
constexpr std::size_t kGuard = 256;
constexpr std::size_t kStack = 128 * 1024;
constexpr unsigned char kPoison = 0xff;  // of shared memory: NaN, or -1

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "CUDA emulation: %s, block (%u, %u, %u), thread %u\n", what, here.block.x, here.block.y,
                 here.block.z, here.thread.x);
    std::abort();
}

/// A thread of a block, on a stack of its own that later blocks use again.
struct Fiber {
    enum class State : std::uint8_t { kReady, kAtBlock, kAtWarp, kDone };

    std::byte* stack = nullptr;
    jmp_buf at;            // where it goes on
    bool started = false;  // `at` is valid
    State state = State::kDone;
    std::uint32_t waits_for = 0;  // the generation of warp or block after which it goes on
};

struct Warp {
    std::byte values[2][kLanes][kMostBytes];
    std::uint32_t generation = 0;
    unsigned arrived = 0;
};

std::vector<Fiber> fibers(kMostThreads);
std::vector<Warp> warps(kMostThreads / kLanes);
const std::function<void()>* kernel = nullptr;
jmp_buf scheduler;
unsigned running = 0;  // index of the fiber
unsigned threads_of_block = 0;
std::uint32_t block_generation = 0;
unsigned arrived_at_block = 0;
unsigned alive = 0;
std::uint64_t launch_count = 0;
alignas(128) std::byte shared[kSharedRoom + kGuard];

std::minstd_rand& order() {
    static std::minstd_rand random = [] {
        const auto* given = std::getenv("FILIGREE_EMULATION_SEED");
        const auto seed =
            given == nullptr ? std::random_device{}() : static_cast<unsigned>(std::strtoul(given, nullptr, 10));
        std::fprintf(stderr, "FILIGREE_EMULATION_SEED=%u\n", seed);
        return std::minstd_rand(seed);
    }();
    return random;
}

/// 0 to n - 1 from a random place in a random direction.
struct RandomOrder {
    unsigned n, start;
    bool backward;

    explicit RandomOrder(unsigned count) : n(count), start(order()() % count), backward(order()() % 2 != 0) {}
    [[nodiscard]] unsigned operator[](unsigned i) const {
        const auto place = (start + i) % n;
        return backward ? n - 1 - place : place;
    }
};

[[gnu::noinline]] void leave_fiber() {
    if (_setjmp(fibers[running].at) == 0) _longjmp(scheduler, 1);
}

void fiber_main() {
    for (;;) {
        (*kernel)();
        auto& self = fibers[running];
        self.state = Fiber::State::kDone;
        --alive;
        leave_fiber();
    }
}

[[gnu::noinline]] void start(Fiber& fiber) {
    if (fiber.stack == nullptr) {
        auto* memory = mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) fail("no memory for a thread's stack");
        fiber.stack = static_cast<std::byte*>(memory);
    }
    ucontext_t context;
    getcontext(&context);
    context.uc_stack.ss_sp = fiber.stack;
    context.uc_stack.ss_size = kStack;
    context.uc_link = nullptr;
    makecontext(&context, fiber_main, 0);
    fiber.started = true;
    setcontext(&context);
}

[[gnu::noinline]] void resume(unsigned index) {
    running = index;
    here.thread = dim3(index);
    if (_setjmp(scheduler) == 0) {
        auto& fiber = fibers[index];
        fiber.state = Fiber::State::kReady;
        if (fiber.started) _longjmp(fiber.at, 1);
        start(fiber);
    }
}

bool can_run(const Fiber& fiber, const Warp& warp) {
    switch (fiber.state) {
        case Fiber::State::kReady:
            return true;
        case Fiber::State::kAtBlock:
            return block_generation != fiber.waits_for;
        case Fiber::State::kAtWarp:
            return warp.generation != fiber.waits_for;
        case Fiber::State::kDone:
            break;
    }
    return false;
}

void run_block() {
    for (unsigned i = 0; i < threads_of_block; ++i) fibers[i].state = Fiber::State::kReady;
    for (unsigned w = 0; w < threads_of_block / kLanes; ++w) warps[w].arrived = 0;
    alive = threads_of_block;
    arrived_at_block = 0;
    while (alive > 0) {
        bool progress = false;
        const RandomOrder warp_order(threads_of_block / kLanes);
        for (unsigned w = 0; w < threads_of_block / kLanes; ++w) {
            const auto warp = warp_order[w];
            const RandomOrder lane_order(kLanes);
            for (bool again = true; again;) {
                again = false;
                for (unsigned l = 0; l < kLanes; ++l) {
                    const auto index = warp * kLanes + lane_order[l];
                    if (can_run(fibers[index], warps[warp])) {
                        resume(index);
                        again = true;
                    }
                }
                progress = progress || again;
            }
        }
        if (alive > 0 && arrived_at_block == alive) {
            arrived_at_block = 0;
            ++block_generation;
        } else if (!progress) {
            fail("threads wait for others that never come (a barrier or warp function that not all of them reach)");
        }
    }
}

}  // namespace

bool run(dim3 grid, unsigned threads, std::size_t shared_bytes, const std::function<void()>& thread) {
    ++launch_count;
    constexpr unsigned kMostGridY = 65535;
    if (threads == 0 || threads > kMostThreads || threads % kLanes != 0 || shared_bytes > most_shared() ||
        grid.x == 0 || grid.x > 0x7fffffffU || grid.y == 0 || grid.y > kMostGridY || grid.z == 0 ||
        grid.z > kMostGridY) {
        return false;
    }
    kernel = &thread;
    threads_of_block = threads;
    here.block_size = dim3(threads);
    here.grid = grid;
    for (unsigned z = 0; z < grid.z; ++z) {
        for (unsigned y = 0; y < grid.y; ++y) {
            for (unsigned x = 0; x < grid.x; ++x) {
                here.block = dim3(x, y, z);
                std::memset(shared, kPoison, shared_bytes + kGuard);
                run_block();
                const auto* guard = shared + shared_bytes;
                if (std::any_of(guard, guard + kGuard, [](std::byte b) { return b != std::byte{kPoison}; })) {
                    fail("a write behind the end of shared memory");
                }
            }
        }
    }
    return true;
}

void* shared_memory() { return shared; }
std::uint64_t launches() { return launch_count; }

void wait_for_block() {
    auto& self = fibers[running];
    self.state = Fiber::State::kAtBlock;
    self.waits_for = block_generation;
    ++arrived_at_block;
    leave_fiber();
}

const std::byte* exchange(unsigned mask, const void* value, std::size_t size) {
    if (mask != 0xffffffffU) fail("warp functions are emulated for whole warps only");
    auto& self = fibers[running];
    auto& warp = warps[running / kLanes];
    const auto lane = running % kLanes;
    const auto generation = warp.generation;
    std::memcpy(warp.values[generation % 2][lane], value, size);
    warp.arrived |= 1U << lane;
    if (warp.arrived == mask) {
        warp.arrived = 0;
        ++warp.generation;
    } else {
        self.state = Fiber::State::kAtWarp;
        self.waits_for = generation;
        leave_fiber();
    }
    // A lane comes to its next exchange but one only when all others have been to their next: this one's values stay.
    return &warp.values[generation % 2][0][0];
}

}  // namespace filigree::emulation

cudaError_t cudaGetDevice(int* index) {
    *index = 0;
    return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int index) {
    if (index != 0) return cudaErrorInvalidDevice;
    switch (attribute) {
        case cudaDevAttrMultiProcessorCount:
            *value = 1;
            return cudaSuccess;
        case cudaDevAttrMaxSharedMemoryPerBlockOptin:
            *value = static_cast<int>(filigree::emulation::most_shared());
            return cudaSuccess;
    }
    return cudaErrorInvalidValue;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int index) {
    if (index != 0) return cudaErrorInvalidDevice;
    *properties = {};
    std::snprintf(properties->name, sizeof properties->name, "emulated on the host");
    const auto* given = std::getenv("FILIGREE_EMULATION_COMPUTE");
    properties->major = given == nullptr ? 9 : std::atoi(given);
    properties->multiProcessorCount = 1;
    properties->sharedMemPerBlockOptin = filigree::emulation::most_shared();
    return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
    *version = 0;
    return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
    *version = 0;
    return cudaSuccess;
}
cudaError_t cudaGetLastError() { return cudaSuccess; }
cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t /*stream*/) {
    std::memset(to, value, bytes);
    return cudaSuccess;
}
const char* cudaGetErrorString(cudaError_t status) {
    switch (status) {
        case cudaSuccess:
            return "no error";
        case cudaErrorInvalidValue:
            return "invalid argument";
        case cudaErrorInvalidConfiguration:
            return "invalid configuration argument";
        case cudaErrorInvalidDevice:
            return "invalid device ordinal";
    }
    return "unknown error";
}
const char* cudaGetErrorName(cudaError_t status) {
    switch (status) {
        case cudaSuccess:
            return "cudaSuccess";
        case cudaErrorInvalidValue:
            return "cudaErrorInvalidValue";
        case cudaErrorInvalidConfiguration:
            return "cudaErrorInvalidConfiguration";
        case cudaErrorInvalidDevice:
            return "cudaErrorInvalidDevice";
    }
    return "cudaErrorUnknown";
}
