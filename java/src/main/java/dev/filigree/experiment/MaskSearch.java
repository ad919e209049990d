// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.PruneConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.DoubleUnaryOperator;
import java.util.random.RandomGenerator;

/**
 * Search for the hyper-parameters of masks, after CARBS: first a few samples around a start, then
 * Gaussian steps from the best so far, each in the coordinates in which a parameter is searched:
 * its logarithm, for beta2 the logit. The best are those that no other run beats in both sizes of
 * its circuit.
 *
 * <p>Ranges and scales are those of a published re-implementation (method 4.2); the surrogate model
 * of CARBS is left out. Deterministic for a seed.
 */
final class MaskSearch {
  /** Runs that begin at the start. */
  private static final int FIRST = 4;

  /** Standard deviation of a step, in units of a parameter's scale. */
  private static final double RADIUS = 0.3;

  private final RandomGenerator random;
  private final PruneConfig start;
  private final List<Trial> trials = new ArrayList<>();

  /**
   * A run that was made.
   *
   * @param edges of its circuit; more than any circuit has where it misses its target
   * @param nodes of its circuit
   */
  record Trial(PruneConfig masks, double edges, double nodes) {
    boolean beats(Trial other) {
      return edges <= other.edges
          && nodes <= other.nodes
          && (edges < other.edges || nodes < other.nodes);
    }
  }

  MaskSearch(PruneConfig start, long seed) {
    this.start = start;
    this.random = new SplittableRandom(seed);
  }

  /**
   * Return the hyper-parameters of the next run: first the start itself, then some steps around it,
   * then around runs that no other one beats.
   */
  PruneConfig next() {
    if (trials.isEmpty()) {
      return start;
    }
    List<Trial> best = best();
    PruneConfig from =
        trials.size() < FIRST ? start : best.get(random.nextInt(best.size())).masks();
    return around(from).withSeed(start.seed() + trials.size());
  }

  /** Hear how a run went. */
  void add(Trial trial) {
    trials.add(trial);
  }

  /** Runs that no other one beats; at least one once there is a run. */
  List<Trial> best() {
    return trials.stream()
        .filter(trial -> trials.stream().noneMatch(other -> other.beats(trial)))
        .toList();
  }

  private PruneConfig around(PruneConfig from) {
    return new PruneConfig(
        from.steps(),
        from.batchPairs(),
        from.seed(),
        logarithmic(from.lr(), 1e-5, 1e-1, 1),
        from.beta1(),
        logit(from.beta2()),
        from.eps(),
        logarithmic(from.weightDecay(), 1e-6, 1e-1, 1),
        logarithmic(from.kCoef(), 1e-8, 1e-1, 2),
        from.initScale(),
        from.initBias(),
        logarithmic(from.temperature(), 0.1, 10, 1),
        from.warmup(),
        from.clipRms());
  }

  /** A step in decades. */
  private double logarithmic(double value, double least, double most, double scale) {
    double moved = step(Math.log10(Math.max(value, least)), scale, x -> Math.pow(10, x));
    return Math.min(most, Math.max(least, moved));
  }

  private double logit(double value) {
    return step(Math.log(value / (1 - value)), 1, x -> 1 / (1 + Math.exp(-x)));
  }

  private double step(double coordinate, double scale, DoubleUnaryOperator back) {
    return back.applyAsDouble(coordinate + RADIUS * scale * random.nextGaussian());
  }
}
