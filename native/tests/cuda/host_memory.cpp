// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <new>

#include "cuda/memory.hpp"

namespace filigree::emulation {
std::uint64_t launches();
}

namespace filigree::cuda {
namespace {
constexpr auto kAlignment = std::align_val_t{256};  // cudaMalloc's
}

std::string missing_device() { return ""; }
std::optional<std::uint64_t> launches() { return emulation::launches(); }
Memory::Memory(std::size_t bytes) : data_(static_cast<std::byte*>(::operator new(bytes, kAlignment))), size_(bytes) {}
Memory::~Memory() { ::operator delete(data_, kAlignment); }
void Memory::write(const void* from) { std::memcpy(data_, from, size_); }
void Memory::copy(const Memory& from) { std::memcpy(data_, from.data_, size_); }
void Memory::read(void* to) const { std::memcpy(to, data_, size_); }

}  // namespace filigree::cuda
