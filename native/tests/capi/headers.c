/* SPDX-License-Identifier: Apache-2.0 */
/* filigree.h is C11 by itself and may be included twice. Compiling this file is the test. */
/* clang-format off */
#include <filigree/filigree.h>
#include <filigree/filigree.h>
/* clang-format on */

_Static_assert(FG_ABI_VERSION > 0, "the interface has a number");
_Static_assert(FG_OK == 0, "success is zero");

/* Bindings lay these structs out by hand; nothing in them may depend on the compiler's padding. */
_Static_assert(sizeof(fg_corpus) == 24, "fg_corpus");
_Static_assert(sizeof(fg_train_stats) == 80, "fg_train_stats");
_Static_assert(sizeof(fg_eval_stats) == 24, "fg_eval_stats");
_Static_assert(sizeof(fg_prune_stats) == 40, "fg_prune_stats");
_Static_assert(sizeof(fg_task_stats) == 72, "fg_task_stats");
_Static_assert(sizeof(fg_edge) == 12, "fg_edge");
_Static_assert(sizeof(fg_circuit) == 80, "fg_circuit");
_Static_assert(sizeof(fg_fast_prune_stats) == 40, "fg_fast_prune_stats");
_Static_assert(sizeof(fg_prune_task) == 16, "fg_prune_task");
_Static_assert(sizeof(fg_found_circuit) == 24, "fg_found_circuit");
