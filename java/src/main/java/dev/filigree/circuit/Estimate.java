// SPDX-License-Identifier: Apache-2.0
package dev.filigree.circuit;

import dev.filigree.statistics.Bootstrap;
import java.util.Arrays;

/**
 * A mean over examples, and how far it can be trusted: the ends of its bootstrapped 95% interval.
 *
 * @param mean of a loss, a divergence or a probability
 * @param low end of the interval
 * @param high end
 */
public record Estimate(double mean, double low, double high) {
  private static final int DRAWS = 1000;

  /**
   * Summarise independent values. The same values give the same interval.
   *
   * @param values at least one; the interval of one is that value
   */
  public static Estimate of(double[] values) {
    double mean = Arrays.stream(values).average().orElseThrow();
    if (values.length == 1) {
      return new Estimate(mean, mean, mean);
    }
    Bootstrap.Interval interval = Bootstrap.interval(values, DRAWS);
    return new Estimate(mean, interval.low(), interval.high());
  }

  /**
   * Summarise a value of every sequence. Pairs are drawn with replacement, not sequences: the two
   * members of a pair are no independent examples.
   *
   * @param ofSequences two per pair
   */
  public static Estimate ofPairs(double[] ofSequences) {
    double[] ofPairs = new double[ofSequences.length / 2];
    Arrays.setAll(ofPairs, i -> (ofSequences[2 * i] + ofSequences[2 * i + 1]) / 2);
    return of(ofPairs);
  }

  /** Return it for people: the mean, and the interval in brackets. */
  public String text() {
    return "%.3f [%.3f, %.3f]".formatted(mean, low, high);
  }
}
