// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.FastPruneStats;
import dev.filigree.PruneStats;
import dev.filigree.TrainStats;
import java.util.Map;

/** Hears how a run goes; called on the thread that runs it. Every method may be left out. */
public interface Progress {
  /** Hears nothing. */
  Progress SILENT = new Progress() {};

  /** A new part of the work begins: one short sentence. */
  default void phase(String sentence) {}

  /**
   * Some training steps were done.
   *
   * @param steps all steps of the run
   * @param tokensPerSecond in these steps
   */
  default void trained(TrainStats stats, long steps, double tokensPerSecond) {}

  /**
   * The loss on held-out text was measured, nats per token.
   *
   * @param losses by corpus
   */
  default void evaluated(long step, double loss, Map<String, Double> losses) {}

  /** A piece of a fast search was done. */
  default void searched(FastPruneStats stats) {}

  /** Some mask-learning steps were done. */
  default void pruned(PruneStats stats, long steps) {}
}
