// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import dev.filigree.json.Json;

/**
 * How a model computes.
 *
 * @param precision of its matrix products
 * @param plan what its operations are made of
 */
public record Execution(Precision precision, Plan plan) {
  /** 32-bit products, fast kernels. */
  public static final Execution DEFAULT = new Execution(Precision.FP32, Plan.FAST);

  /** Return the canonical JSON text. */
  public String toJson() {
    return Json.write(this);
  }
}
