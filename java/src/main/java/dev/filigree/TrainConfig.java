// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.filigree.json.Json;

/**
 * How a model is trained.
 *
 * @param steps number of optimiser steps
 * @param batchSize sequences per step
 * @param seqLen tokens per sequence, each but the first predicted; at most the model's block size
 * @param seed chooses the sequences of every step
 * @param lr peak learning rate before the sharkfin factor
 * @param warmup fraction of the steps in which the learning rate rises
 * @param adam moments
 * @param weightDecay per step, times the learning rate; applied after the projection
 * @param gradient what is done about the size of gradients
 * @param sparsity which weights are kept
 */
public record TrainConfig(
    long steps,
    int batchSize,
    int seqLen,
    long seed,
    double lr,
    double warmup,
    Adam adam,
    double weightDecay,
    Gradient gradient,
    Sparsity sparsity) {
  public TrainConfig {
    require(steps >= 1, "steps", "at least 1", steps);
    require(batchSize >= 1, "batch_size", "at least 1", batchSize);
    require(seqLen >= 2, "seq_len", "at least 2", seqLen);
    require(lr > 0 && Double.isFinite(lr), "lr", "above 0", lr);
    require(warmup >= 0 && warmup < 1, "warmup", "a fraction of the steps, below 1", warmup);
    require(weightDecay >= 0, "weight_decay", "at least 0", weightDecay);
  }

  /**
   * Adam with bias correction.
   *
   * @param beta1 decay of the first moment
   * @param beta2 decay of the second moment
   * @param eps added to the root of the second moment; large (0.1) on purpose
   */
  public record Adam(double beta1, double beta2, double eps) {
    public Adam {
      require(beta1 >= 0 && beta1 < 1, "beta1", "at least 0 and below 1", beta1);
      require(beta2 >= 0 && beta2 < 1, "beta2", "at least 0 and below 1", beta2);
      require(eps > 0, "eps", "above 0", eps);
    }
  }

  /** What is done about the size of gradients. */
  public enum Gradient {
    /** Divide by the root mean square, always. */
    @JsonProperty("normalize")
    NORMALIZE,
    /** Divide by the root mean square where that is above 1. */
    @JsonProperty("clip")
    CLIP
  }

  /**
   * Which weights are kept after each step.
   *
   * @param fractions kept at the end of annealing
   * @param anneal how the block matrices get there
   * @param minimumAlive least live weights per channel or neuron of a block matrix, 0 for no such
   *     rule
   * @param sharkfin whether the learning rate is scaled by the root of final over present density
   */
  public record Sparsity(Fractions fractions, Anneal anneal, int minimumAlive, boolean sharkfin) {
    public Sparsity {
      require(minimumAlive >= 0, "minimum_alive", "at least 0", minimumAlive);
    }
  }

  /**
   * Fraction of weights kept at the end, per family; 1 leaves a family alone.
   *
   * @param matrix the four matrices of each layer
   * @param embedding token embedding
   * @param unembedding output matrix
   * @param bias all biases
   * @param position position table, when it is trained
   */
  public record Fractions(
      double matrix, double embedding, double unembedding, double bias, double position) {
    /** Every weight stays: a dense model. */
    public static final Fractions DENSE = new Fractions(1, 1, 1, 1, 1);

    public Fractions {
      fraction("matrix", matrix);
      fraction("embedding", embedding);
      fraction("unembedding", unembedding);
      fraction("bias", bias);
      fraction("position", position);
    }

    private static void fraction(String name, double value) {
      require(value > 0 && value <= 1, name, "above 0 and at most 1", value);
    }
  }

  /**
   * How the kept fraction falls from 1 to its end.
   *
   * @param shape of the fall
   * @param start fraction of the steps at which it begins
   * @param end fraction of the steps at which it has ended
   * @param exponent bends the linear shape; 1 for a straight line, unused by the power law
   */
  public record Anneal(Shape shape, double start, double end, double exponent) {
    public Anneal {
      require(start >= 0 && start <= 1, "start", "a fraction of the steps", start);
      require(end > start && end <= 1, "end", "after start and at most 1", end);
      require(exponent > 0, "exponent", "above 0", exponent);
    }
  }

  /** Shape of annealing. */
  public enum Shape {
    @JsonProperty("linear")
    LINEAR,
    /**
     * The logarithm of the fraction is linear in the logarithm of the step: most of the fall comes
     * early.
     */
    @JsonProperty("power_law")
    POWER_LAW
  }

  public TrainConfig withSteps(long steps) {
    return new TrainConfig(
        steps, batchSize, seqLen, seed, lr, warmup, adam, weightDecay, gradient, sparsity);
  }

  public TrainConfig withSeed(long seed) {
    return new TrainConfig(
        steps, batchSize, seqLen, seed, lr, warmup, adam, weightDecay, gradient, sparsity);
  }

  public TrainConfig withLr(double lr) {
    return new TrainConfig(
        steps, batchSize, seqLen, seed, lr, warmup, adam, weightDecay, gradient, sparsity);
  }

  public TrainConfig withSparsity(Sparsity sparsity) {
    return new TrainConfig(
        steps, batchSize, seqLen, seed, lr, warmup, adam, weightDecay, gradient, sparsity);
  }

  /** Read what {@link #toJson} wrote. */
  public static TrainConfig fromJson(String text) {
    return Json.read(text, TrainConfig.class);
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
