// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.filigree.json.Json;

/**
 * How a fresh model starts.
 *
 * @param seed of its random weights
 * @param positions whether positions are added to the token embeddings and trained
 * @param precision of its matrix products
 * @param plan what its operations are made of
 */
public record ModelInit(long seed, Positions positions, Precision precision, Plan plan) {
  /** Where a model learns the order of tokens from. */
  public enum Positions {
    /** From the causal mask alone; the position table is zero and stays so. */
    @JsonProperty("none")
    NONE,
    /** From a trained table that is added to the embeddings. */
    @JsonProperty("added")
    ADDED
  }

  /** No positions and 32-bit products: what the paper does mostly. */
  public static ModelInit seeded(long seed) {
    return new ModelInit(seed, Positions.NONE, Precision.FP32, Plan.FAST);
  }

  public ModelInit withSeed(long seed) {
    return new ModelInit(seed, positions, precision, plan);
  }

  public ModelInit withPlan(Plan plan) {
    return new ModelInit(seed, positions, precision, plan);
  }

  /** Return how the model computes, for loading it again. */
  public Execution execution() {
    return new Execution(precision, plan);
  }

  /** Return the canonical JSON text. */
  public String toJson() {
    return Json.write(this);
  }
}
