// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import dev.filigree.json.Json;

/**
 * How the levels of a binarised circuit are learnt.
 *
 * @param steps number of optimiser steps
 * @param batchPairs pairs of sequences per step
 * @param initPairs pairs that the first thresholds are chosen on
 * @param lr learning rate at the start, falling to 0, in units of a node's first distance of levels
 */
public record BinarisationConfig(long steps, int batchPairs, int initPairs, double lr) {
  public BinarisationConfig {
    if (steps < 0 || batchPairs < 1 || initPairs < 1 || !(lr >= 0)) {
      throw new IllegalArgumentException("impossible settings of binarisation");
    }
  }

  /** Return the JSON text that the core takes. */
  String toJson() {
    return Json.write(this);
  }
}
