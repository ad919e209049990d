// SPDX-License-Identifier: Apache-2.0
#include "kernels/kernels.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>

#include "core/error.hpp"

namespace filigree::kernels {

#ifdef FILIGREE_X86_KERNELS
namespace avx512 {
extern const Kernels kTable;
}
namespace avx2 {
extern const Kernels kTable;
}
#endif
namespace portable {
extern const Kernels kTable;
}

std::vector<const Kernels*> supported_kernels() {
    std::vector<const Kernels*> tables;
#ifdef FILIGREE_X86_KERNELS
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bf16")) {
        tables.push_back(&avx512::kTable);
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        tables.push_back(&avx2::kTable);
    }
#endif
    tables.push_back(&portable::kTable);
    return tables;
}

const Kernels& kernels() {
    static const Kernels& chosen = []() -> const Kernels& {
        const auto tables = supported_kernels();
        const auto* wanted = std::getenv("FILIGREE_ISA");
        if (wanted == nullptr) {
            return *tables.front();
        }
        const auto found = std::find_if(tables.begin(), tables.end(),
                                        [&](const Kernels* table) { return table->isa == std::string(wanted); });
        FG_EXPECTS(found != tables.end(), FG_UNSUPPORTED, "FILIGREE_ISA is \"", wanted,
                   "\", which this build or processor does not have");
        return **found;
    }();
    return chosen;
}

}  // namespace filigree::kernels
