// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import com.fasterxml.jackson.annotation.JsonProperty;

/** Number format of the matrix products; everything else is 32-bit. */
public enum Precision {
  @JsonProperty("fp32")
  FP32("fp32"),
  @JsonProperty("bf16")
  BF16("bf16");

  private final String text;

  Precision(String text) {
    this.text = text;
  }

  /** Return the name in configurations. */
  public String text() {
    return text;
  }
}
