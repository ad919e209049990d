// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import com.fasterxml.jackson.annotation.JsonProperty;

/** What a closed node holds while a circuit is searched. */
public enum Ablation {
  /** Its mean over pretraining text. */
  @JsonProperty("mean")
  MEAN,
  /** Nothing. */
  @JsonProperty("zero")
  ZERO,
  /** What it holds in another example. */
  @JsonProperty("resample")
  RESAMPLE
}
