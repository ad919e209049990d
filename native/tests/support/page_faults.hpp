// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/resource.h>

namespace filigree {

/// Pages that this process has taken from the system so far.
inline long pages_taken() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

}  // namespace filigree
