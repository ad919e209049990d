// SPDX-License-Identifier: Apache-2.0
// Kernels of the fast CPU path: plain loops over raw pointers that know nothing of LibTorch. Every source of this
// folder but kernels.cpp is compiled once per instruction set, each time into a namespace of that set's name
// (FILIGREE_ISA), and fills one table; kernels() gives the table of the best set that this processor has.
//
// A kernel runs on the calling thread over a range [begin, end) of rows, heads or blocks; the ops layer splits the
// range over LibTorch's threads. What a kernel computes for a row does not depend on the range it is called with.
//
// To add one: declare its function type in a header of its own, list it in table.hpp, define it in `namespace
// filigree::kernels::FILIGREE_ISA`, and name the source in native/CMakeLists.txt. These sources must not instantiate
// templates of the C++ library or call its inline functions: the linker would be free to take the copy that was
// compiled for AVX-512 for the whole program.
#pragma once

#include <vector>

#include "kernels/table.hpp"

namespace filigree::kernels {

/// Tables of all instruction sets that this processor has, best first; the last is "portable".
[[nodiscard]] std::vector<const Kernels*> supported_kernels();

/// The table that the ops use: the best one, or the one that the environment variable FILIGREE_ISA names (tests,
/// comparisons). Chosen at the first call. @throws FG_UNSUPPORTED when FILIGREE_ISA names a set that is not supported.
[[nodiscard]] const Kernels& kernels();

}  // namespace filigree::kernels
