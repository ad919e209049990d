// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.FastPruneConfig;
import dev.filigree.PruneConfig;
import dev.filigree.PruneOptions;
import java.util.List;

/**
 * How circuits are searched.
 *
 * @param targetLoss two-way loss to reach on the validation examples, nats per sequence
 * @param trainPairs pairs the masks are learnt on
 * @param validationPairs pairs the number of nodes is chosen by
 * @param finalPairs pairs the result is reported on
 * @param meanSequences windows of each corpus that node means are taken over, 0 for all
 * @param seed of the examples
 * @param method which of the two that follow
 * @param options what is asked of circuits, by either method
 * @param tokens whether tokens that a circuit need not tell apart are looked for
 * @param fast how the fast method works
 * @param published how the published method works
 */
public record CircuitConfig(
    double targetLoss,
    int trainPairs,
    int validationPairs,
    int finalPairs,
    int meanSequences,
    long seed,
    PruneMethod method,
    PruneOptions options,
    boolean tokens,
    Fast fast,
    Published published) {
  public CircuitConfig {
    if (!(targetLoss > 0)) {
      throw new IllegalArgumentException("target_loss is above 0, not " + targetLoss);
    }
    if (trainPairs < 1 || validationPairs < 1 || finalPairs < 1) {
      throw new IllegalArgumentException("every split has at least one pair");
    }
    if (meanSequences < 0) {
      throw new IllegalArgumentException("mean_sequences is at least 0, not " + meanSequences);
    }
    requirePairs("fast", fast.masks(), trainPairs);
    requirePairs("published", published.masks(), trainPairs);
    if (method == PruneMethod.FAST) {
      fast.config(options, List.of(targetLoss)); // which checks the rest
    }
  }

  /**
   * The fast method; see {@link FastPruneConfig}.
   *
   * @param kFactors prices of a node, in units of masks.kCoef
   */
  public record Fast(
      PruneConfig masks,
      List<Double> kFactors,
      double margin,
      int attributionPairs,
      double candidateFactor,
      int selectionPairs,
      int rankingPairs,
      int exactParts,
      boolean edges) {
    public Fast {
      kFactors = List.copyOf(kFactors);
    }

    Fast with(PruneConfig masks) {
      return new Fast(
          masks,
          kFactors,
          margin,
          attributionPairs,
          candidateFactor,
          selectionPairs,
          rankingPairs,
          exactParts,
          edges);
    }

    FastPruneConfig config(PruneOptions options, List<Double> targets) {
      return new FastPruneConfig(
          masks,
          options,
          kFactors,
          targets,
          margin,
          attributionPairs,
          candidateFactor,
          selectionPairs,
          rankingPairs,
          exactParts,
          edges);
    }
  }

  /**
   * The published method.
   *
   * @param runs that the search for hyper-parameters makes
   * @param masks where it begins
   */
  public record Published(int runs, PruneConfig masks) {
    public Published {
      if (runs < 1) {
        throw new IllegalArgumentException("published.runs is at least 1, not " + runs);
      }
    }
  }

  private static void requirePairs(String method, PruneConfig masks, int trainPairs) {
    if (masks.batchPairs() > trainPairs) {
      throw new IllegalArgumentException(
          "%s.masks.batch_pairs %d is more than train_pairs %d"
              .formatted(method, masks.batchPairs(), trainPairs));
    }
  }

  /**
   * Whether the edges of a circuit are chosen one by one; otherwise all nonzero weights between its
   * nodes are edges, as published.
   */
  public boolean choosesEdges() {
    return method == PruneMethod.FAST && fast.edges();
  }

  /** Seed of the masks, by the method at hand. */
  long maskSeed() {
    return (method == PruneMethod.FAST ? fast.masks() : published.masks()).seed();
  }

  CircuitConfig withMethod(PruneMethod method) {
    return with(method, seed, fast, published);
  }

  /** The published method with so many runs. */
  CircuitConfig withRuns(int runs) {
    return with(method, seed, fast, new Published(runs, published.masks()));
  }

  /** Other masks, on the same examples. */
  CircuitConfig withMaskSeed(long seed) {
    return with(
        method,
        this.seed,
        fast.with(fast.masks().withSeed(seed)),
        new Published(published.runs(), published.masks().withSeed(seed)));
  }

  CircuitConfig withSeed(long seed) {
    CircuitConfig masks = withMaskSeed(seed);
    return masks.with(method, seed, masks.fast, masks.published);
  }

  private CircuitConfig with(PruneMethod method, long seed, Fast fast, Published published) {
    return new CircuitConfig(
        targetLoss,
        trainPairs,
        validationPairs,
        finalPairs,
        meanSequences,
        seed,
        method,
        options,
        tokens,
        fast,
        published);
  }
}
