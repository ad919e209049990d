// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime.h>

#include <new>

#include "cuda/memory.hpp"

namespace filigree::cuda {
namespace {
void check(cudaError_t status) {
    if (status != cudaSuccess) throw std::bad_alloc();
}
}  // namespace

std::string missing_device() {
    int devices = 0;
    const auto status = cudaGetDeviceCount(&devices);
    if (status == cudaSuccess && devices > 0) return "";
    return std::string("no CUDA device: ") + (status == cudaSuccess ? "none found" : cudaGetErrorString(status));
}
std::optional<std::uint64_t> launches() { return std::nullopt; }
Memory::Memory(std::size_t bytes) : size_(bytes) {
    if (missing_device().empty()) check(cudaMalloc(reinterpret_cast<void**>(&data_), bytes));
}
Memory::~Memory() { static_cast<void>(cudaFree(data_)); }
void Memory::write(const void* from) { check(cudaMemcpy(data_, from, size_, cudaMemcpyHostToDevice)); }
void Memory::copy(const Memory& from) {
    check(cudaMemcpyAsync(data_, from.data_, size_, cudaMemcpyDeviceToDevice, nullptr));
}
void Memory::read(void* to) const { check(cudaMemcpy(to, data_, size_, cudaMemcpyDeviceToHost)); }

}  // namespace filigree::cuda
