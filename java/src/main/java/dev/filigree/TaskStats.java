// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import dev.filigree.ffi.fg_task_stats;
import java.lang.foreign.MemorySegment;

/**
 * How a circuit, or the whole model, does on examples.
 *
 * @param nodes nodes kept
 * @param sequences sequences scored, two per pair
 * @param loss two-way cross-entropy after calibration, nats per sequence
 * @param rawLoss the same without calibration
 * @param fullLoss cross-entropy over the whole vocabulary, without calibration
 * @param accuracy fraction of sequences whose calibrated answer is right
 * @param scale calibration: difference of the two answers' logits * scale + shift
 * @param shift see scale
 */
public record TaskStats(
    long nodes,
    long sequences,
    double loss,
    double rawLoss,
    double fullLoss,
    double accuracy,
    double scale,
    double shift) {
  /** Return the calibration it was scored with. */
  public Calibration calibration() {
    return new Calibration(scale, shift);
  }

  static TaskStats from(MemorySegment s) {
    return new TaskStats(
        fg_task_stats.nodes(s),
        fg_task_stats.sequences(s),
        fg_task_stats.loss(s),
        fg_task_stats.raw_loss(s),
        fg_task_stats.full_loss(s),
        fg_task_stats.accuracy(s),
        fg_task_stats.scale(s),
        fg_task_stats.shift(s));
  }
}
