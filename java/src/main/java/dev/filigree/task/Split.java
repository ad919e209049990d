// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.Locale;

/**
 * Disjoint sets of templates: masks are learnt on one, circuits sized on the next, results reported
 * on the last.
 */
public enum Split {
  TRAIN,
  VALIDATION,
  FINAL;

  /** Name in files. */
  public String key() {
    return name().toLowerCase(Locale.ROOT);
  }
}
