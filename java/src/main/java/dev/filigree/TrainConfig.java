// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.filigree.json.Json;

/**
 * How a model is trained.
 *
 * @param steps number of optimiser steps
 * @param batchSize sequences per step
 * @param accumulate equal parts that a batch is taken in, one after the other, where the whole does
 *     not fit into memory; their gradients are summed
 * @param seqLen tokens per sequence, each but the first predicted; at most the model's block size
 * @param seed chooses the sequences of every step
 * @param lr peak learning rate before the sharkfin factor
 * @param warmup fraction of the steps in which the learning rate rises
 * @param adam moments
 * @param weightDecay per step, times the learning rate; applied after the projection
 * @param gradient what is done about the size of gradients
 * @param sparsity which weights are kept
 * @param distill what a teacher contributes
 */
public record TrainConfig(
    long steps,
    int batchSize,
    int accumulate,
    int seqLen,
    long seed,
    double lr,
    double warmup,
    Adam adam,
    double weightDecay,
    Gradient gradient,
    Sparsity sparsity,
    Distill distill) {
  public TrainConfig {
    require(steps >= 1, "steps", "at least 1", steps);
    require(batchSize >= 1, "batch_size", "at least 1", batchSize);
    require(
        accumulate >= 1 && batchSize % accumulate == 0,
        "accumulate",
        "a divisor of batch_size",
        accumulate);
    require(seqLen >= 2, "seq_len", "at least 2", seqLen);
    require(lr > 0 && Double.isFinite(lr), "lr", "above 0", lr);
    require(warmup >= 0 && warmup < 1, "warmup", "a fraction of the steps, below 1", warmup);
    require(weightDecay >= 0, "weight_decay", "at least 0", weightDecay);
  }

  /** Whole batches, without a teacher. */
  public TrainConfig(
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
    this(
        steps,
        batchSize,
        1,
        seqLen,
        seed,
        lr,
        warmup,
        adam,
        weightDecay,
        gradient,
        sparsity,
        Distill.OFF);
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
   * @param revive whether units that were cut off get weights again
   * @param levels whether several densities are trained at once
   */
  public record Sparsity(
      Fractions fractions,
      Anneal anneal,
      int minimumAlive,
      boolean sharkfin,
      Revive revive,
      Levels levels) {
    public Sparsity {
      require(minimumAlive >= 0, "minimum_alive", "at least 0", minimumAlive);
    }

    /** As published: dead units stay dead, one density at a time. */
    public Sparsity(Fractions fractions, Anneal anneal, int minimumAlive, boolean sharkfin) {
      this(fractions, anneal, minimumAlive, sharkfin, Revive.OFF, Levels.OFF);
    }
  }

  /**
   * Gives neurons and query, key and value channels without live weights new ones, of the median
   * magnitude of their matrix, in place of its weakest.
   *
   * @param every steps from one time to the next, 0 for never
   * @param until fraction of the steps after which it is over
   * @param weights that an empty row or column of a unit gets
   * @param share most of a matrix's live weights that may be replaced at a time
   */
  public record Revive(long every, double until, int weights, double share) {
    /** Never; the other values are a start for who wants it. */
    public static final Revive OFF = new Revive(0, 0.8, 4, 0.02);

    public Revive {
      require(every >= 0, "every", "at least 0", every);
      require(until >= 0 && until <= 1, "until", "a fraction of the steps", until);
      require(weights >= 1, "weights", "at least 1", weights);
      require(share >= 0 && share <= 1, "share", "a fraction", share);
    }
  }

  /**
   * Trains several densities at once: each step sees the weights as one of them, drawn at random,
   * would leave them, and keeps what the densest does. They are the final fractions times 1, ratio,
   * ratio^2, ...
   *
   * @param count number of them, 1 for the final one alone
   * @param ratio of two neighbours
   * @param settle fraction of the steps, at the end, with the final one alone
   */
  public record Levels(int count, double ratio, double settle) {
    /** One density; the other values are a start for who wants more. */
    public static final Levels OFF = new Levels(1, 2, 0.3);

    public Levels {
      require(count >= 1 && count <= 16, "count", "1 to 16", count);
      require(count == 1 ? ratio >= 1 : ratio > 1, "ratio", "above 1", ratio);
      require(settle >= 0 && settle <= 1, "settle", "a fraction of the steps", settle);
      require(count == 1 || settle > 0, "settle", "above 0 with several levels", settle);
    }
  }

  /**
   * Learns from the predictions of another model, beside those of the text: {@link
   * Trainer#teacher}.
   *
   * @param weight of the teacher in the objective, 0 for no teacher, 1 for nothing else
   * @param temperature that the logits of both are divided by
   */
  public record Distill(double weight, double temperature) {
    /** No teacher. */
    public static final Distill OFF = new Distill(0, 1);

    public Distill {
      require(weight >= 0 && weight <= 1, "weight", "0 to 1", weight);
      require(
          temperature > 0 && Double.isFinite(temperature), "temperature", "above 0", temperature);
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
        steps,
        batchSize,
        accumulate,
        seqLen,
        seed,
        lr,
        warmup,
        adam,
        weightDecay,
        gradient,
        sparsity,
        distill);
  }

  public TrainConfig withSeed(long seed) {
    return new TrainConfig(
        steps,
        batchSize,
        accumulate,
        seqLen,
        seed,
        lr,
        warmup,
        adam,
        weightDecay,
        gradient,
        sparsity,
        distill);
  }

  public TrainConfig withLr(double lr) {
    return new TrainConfig(
        steps,
        batchSize,
        accumulate,
        seqLen,
        seed,
        lr,
        warmup,
        adam,
        weightDecay,
        gradient,
        sparsity,
        distill);
  }

  public TrainConfig withSparsity(Sparsity sparsity) {
    return new TrainConfig(
        steps,
        batchSize,
        accumulate,
        seqLen,
        seed,
        lr,
        warmup,
        adam,
        weightDecay,
        gradient,
        sparsity,
        distill);
  }

  public TrainConfig withDistill(Distill distill) {
    return new TrainConfig(
        steps,
        batchSize,
        accumulate,
        seqLen,
        seed,
        lr,
        warmup,
        adam,
        weightDecay,
        gradient,
        sparsity,
        distill);
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
