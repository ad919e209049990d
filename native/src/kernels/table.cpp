// SPDX-License-Identifier: Apache-2.0
#include "kernels/table.hpp"

#include "kernels/simd.hpp"

namespace filigree::kernels::FILIGREE_ISA {

#define FILIGREE_DECLARE_KERNEL(type, name) type name;
FILIGREE_KERNELS(FILIGREE_DECLARE_KERNEL)
#undef FILIGREE_DECLARE_KERNEL

#define FILIGREE_TEXT_OF(name) #name
#define FILIGREE_NAME_OF(isa) FILIGREE_TEXT_OF(isa)
#define FILIGREE_KERNEL_ENTRY(type, name) &name,
extern const Kernels kTable;
const Kernels kTable = {FILIGREE_NAME_OF(FILIGREE_ISA), kLanes, FILIGREE_KERNELS(FILIGREE_KERNEL_ENTRY)};

}  // namespace filigree::kernels::FILIGREE_ISA
