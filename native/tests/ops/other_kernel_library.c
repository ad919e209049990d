/* SPDX-License-Identifier: Apache-2.0 */
/* Stands for a libfiligree_cuda.so of another release. */
#include "kernel_library.h"

int32_t fgk_interface_version(void) { return FGK_INTERFACE_VERSION + 1; }
