// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import dev.filigree.json.Json;

/**
 * How node masks are learnt.
 *
 * @param steps number of optimiser steps
 * @param batchPairs pairs of sequences per step
 * @param seed of the masks' start and of the batches
 * @param lr learning rate at the start, falling to 0
 * @param beta1 decay of Adam's first moment
 * @param beta2 decay of Adam's second moment
 * @param eps added to the root of the second moment
 * @param weightDecay of the mask parameters
 * @param kCoef cost of one open node, nats
 * @param initScale standard deviation of the masks' start
 * @param initBias mean of the masks' start
 * @param temperature width of the surrogate gradient
 * @param warmup fraction of the steps in which the learning rate rises
 * @param clipRms largest root mean square of the gradient; a larger one is scaled down to it
 */
public record PruneConfig(
    long steps,
    int batchPairs,
    long seed,
    double lr,
    double beta1,
    double beta2,
    double eps,
    double weightDecay,
    double kCoef,
    double initScale,
    double initBias,
    double temperature,
    double warmup,
    double clipRms) {
  public PruneConfig {
    require(steps >= 1, "steps", "at least 1", steps);
    require(batchPairs >= 1, "batch_pairs", "at least 1", batchPairs);
    require(lr > 0 && Double.isFinite(lr), "lr", "above 0", lr);
    require(beta1 >= 0 && beta1 < 1, "beta1", "at least 0 and below 1", beta1);
    require(beta2 >= 0 && beta2 < 1, "beta2", "at least 0 and below 1", beta2);
    require(eps > 0, "eps", "above 0", eps);
    require(weightDecay >= 0, "weight_decay", "at least 0", weightDecay);
    require(kCoef >= 0, "k_coef", "at least 0", kCoef);
    require(initScale >= 0, "init_scale", "at least 0", initScale);
    require(temperature > 0, "temperature", "above 0", temperature);
    require(warmup >= 0 && warmup < 1, "warmup", "a fraction of the steps, below 1", warmup);
    require(clipRms > 0, "clip_rms", "above 0", clipRms);
  }

  public PruneConfig withSeed(long seed) {
    return new PruneConfig(
        steps,
        batchPairs,
        seed,
        lr,
        beta1,
        beta2,
        eps,
        weightDecay,
        kCoef,
        initScale,
        initBias,
        temperature,
        warmup,
        clipRms);
  }

  /** Read what {@link #toJson} wrote. */
  public static PruneConfig fromJson(String text) {
    return Json.read(text, PruneConfig.class);
  }

  /** Return the canonical JSON text, the one the core reads. */
  public String toJson() {
    return Json.write(this);
  }

  private static void require(boolean condition, String name, String what, Object value) {
    if (!condition) {
      throw new IllegalArgumentException("%s is %s, not %s".formatted(name, what, value));
    }
  }
}
