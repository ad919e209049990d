// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

/**
 * What makes an answer of a difference of logits: z = difference * scale + shift, above 0 where the
 * pair's first answer wins.
 *
 * @param scale at least 0
 * @param shift towards the first answer
 */
public record Calibration(double scale, double shift) {
  /** Differences as they are. */
  public static final Calibration NONE = new Calibration(1, 0);

  /** Return z. */
  public double z(double difference) {
    return difference * scale + shift;
  }

  /** Return the two-way probability of the first answer. */
  public double probability(double difference) {
    return probabilityOf(z(difference));
  }

  /** Return the two-way probability of the first answer at a z. */
  public static double probabilityOf(double z) {
    return 1 / (1 + Math.exp(-z));
  }

  /**
   * Tell whether a z is on the side of the right answer, which is the first one of sequences with
   * an even index, as in examples; none at 0.
   */
  public static boolean isRight(int sequence, double z) {
    return sequence % 2 == 0 ? z > 0 : z < 0;
  }

  /**
   * Return the two-way cross-entropies of sequences of which those with an even index have the
   * first answer as their right one, as examples do; nats.
   */
  public double[] losses(float[] differences) {
    double[] losses = new double[differences.length];
    for (int i = 0; i < losses.length; i++) {
      double margin = i % 2 == 0 ? z(differences[i]) : -z(differences[i]);
      losses[i] = Math.max(-margin, 0) + Math.log1p(Math.exp(-Math.abs(margin)));
    }
    return losses;
  }
}
