// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;

/**
 * Geometric means, and how far they can be trusted. Ratios and sizes of circuits spread over
 * decades, so they are averaged by their logarithms.
 */
final class Bootstrap {
  /** Share of the resampled means that an interval holds. */
  static final double LEVEL = 0.95;

  private static final int DRAWS = 10_000;
  private static final long SEED = 1;

  private Bootstrap() {}

  /**
   * Return the geometric mean; empty without values.
   *
   * @param values above 0
   */
  static Optional<Double> geometricMean(List<Double> values) {
    return values.isEmpty()
        ? Optional.empty()
        : Optional.of(Math.exp(values.stream().mapToDouble(Math::log).average().orElseThrow()));
  }

  /**
   * Return the two ends of the percentile interval of the geometric mean, from resamples with
   * replacement; empty with fewer than two values. The same values give the same interval.
   *
   * @param values above 0
   */
  static Optional<List<Double>> interval(List<Double> values) {
    int n = values.size();
    if (n < 2) {
      return Optional.empty();
    }
    double[] logs = values.stream().mapToDouble(Math::log).toArray();
    SplittableRandom random = new SplittableRandom(SEED);
    double[] means = new double[DRAWS];
    for (int draw = 0; draw < DRAWS; draw++) {
      double sum = 0;
      for (int i = 0; i < n; i++) {
        sum += logs[random.nextInt(n)];
      }
      means[draw] = sum / n;
    }
    Arrays.sort(means);
    double tail = (1 - LEVEL) / 2;
    return Optional.of(
        List.of(Math.exp(quantile(means, tail)), Math.exp(quantile(means, 1 - tail))));
  }

  /** Quantile of sorted values, linear between neighbours. */
  private static double quantile(double[] sorted, double at) {
    double place = at * (sorted.length - 1);
    int below = (int) place;
    int above = Math.min(below + 1, sorted.length - 1);
    return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
  }
}
