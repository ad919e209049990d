// SPDX-License-Identifier: Apache-2.0
package dev.filigree.circuit;

import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * A mean over examples, and how far it can be trusted: the ends of its bootstrapped 95% interval.
 *
 * @param mean over the sequences
 * @param low 2.5% of the means of resampled examples are below it
 * @param high 2.5% are above it
 */
public record Loss(double mean, double low, double high) {
  private static final int DRAWS = 1000;
  private static final double TAIL = 0.025;
  private static final long SEED = 1;

  /**
   * Summarise a value of every sequence. Pairs are drawn with replacement, not sequences: the two
   * members of a pair are no independent examples. The same values give the same interval.
   *
   * @param ofSequences two per pair
   */
  public static Loss of(double[] ofSequences) {
    int pairs = ofSequences.length / 2;
    double[] ofPairs = new double[pairs];
    for (int i = 0; i < pairs; i++) {
      ofPairs[i] = (ofSequences[2 * i] + ofSequences[2 * i + 1]) / 2;
    }
    SplittableRandom random = new SplittableRandom(SEED);
    double[] means = new double[DRAWS];
    for (int draw = 0; draw < DRAWS; draw++) {
      double sum = 0;
      for (int i = 0; i < pairs; i++) {
        sum += ofPairs[random.nextInt(pairs)];
      }
      means[draw] = sum / pairs;
    }
    Arrays.sort(means);
    return new Loss(
        Arrays.stream(ofPairs).average().orElseThrow(),
        means[(int) (TAIL * DRAWS)],
        means[DRAWS - 1 - (int) (TAIL * DRAWS)]);
  }

  /** Return it for people: the mean, and the interval in brackets. */
  public String text() {
    return "%.3f [%.3f, %.3f]".formatted(mean, low, high);
  }
}
