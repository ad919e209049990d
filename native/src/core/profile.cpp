// SPDX-License-Identifier: Apache-2.0
#include "core/profile.hpp"

namespace filigree {

thread_local Profile* Profile::current = nullptr;

const char* part_name(Part part) {
    constexpr std::array<const char*, kParts> kNames = {
        "products", "input_gradients", "weight_gradients", "sites", "attention", "loss", "embedding", "gradient_norm",
        "adam",     "projection",      "sparse_forms"};
    return kNames.at(static_cast<std::size_t>(part));
}

double processor_seconds(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

Profile::Scope::Scope(Profile& profile) : before_(current) { current = &profile; }
Profile::Scope::~Scope() { current = before_; }

}  // namespace filigree
