// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import com.fasterxml.jackson.annotation.JsonProperty;

/** How the core carries out its operations; the numbers agree up to rounding. */
public enum Plan {
  /** Kernels of its own where it has one for the device. */
  @JsonProperty("fast")
  FAST,
  /** Plain LibTorch operations: what tests and benchmarks compare with. */
  @JsonProperty("reference")
  REFERENCE
}
