// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data.tinypython;

import java.util.List;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;

/** Seeded choices. */
public final class Dice {
  private final RandomGenerator random;

  public Dice(long seed) {
    this(new SplittableRandom(seed));
  }

  public Dice(RandomGenerator random) {
    this.random = random;
  }

  /** 0 to bound - 1. */
  public int below(int bound) {
    return random.nextInt(bound);
  }

  /** Both ends included. */
  public int between(int low, int high) {
    return random.nextInt(low, high + 1);
  }

  public boolean chance(double probability) {
    return random.nextDouble() < probability;
  }

  public <T> T pick(List<T> options) {
    return options.get(random.nextInt(options.size()));
  }

  @SafeVarargs
  public final <T> T pick(T... options) {
    return options[random.nextInt(options.length)];
  }
}
