// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

/** How much is asked of a circuit. */
public enum Effort {
  /** Seconds a circuit: what a forward can tell. */
  QUICK,
  /** Minutes: searches with other seeds and in an untrained model, binarisation, variants. */
  FULL
}
