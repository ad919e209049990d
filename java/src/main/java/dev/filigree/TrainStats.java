// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import dev.filigree.ffi.fg_train_stats;
import java.lang.foreign.MemorySegment;

/**
 * What a run of training steps did.
 *
 * @param step steps finished since the start of training
 * @param tokens tokens seen since the start of training
 * @param loss of the last step's batch, nats per token
 * @param meanLoss mean over the steps of this call
 * @param lr learning rate of the last step, all factors included
 * @param gradNorm L2 norm of the last gradient before it was normalised
 * @param density fraction of the block matrices' weights that the last step was allowed to keep
 * @param nonzeros nonzero trainable parameters, the bigram table not counted
 * @param seconds wall time of this call
 */
public record TrainStats(
    long step,
    long tokens,
    double loss,
    double meanLoss,
    double lr,
    double gradNorm,
    double density,
    long nonzeros,
    double seconds) {
  static TrainStats from(MemorySegment s) {
    return new TrainStats(
        fg_train_stats.step(s),
        fg_train_stats.tokens(s),
        fg_train_stats.loss(s),
        fg_train_stats.mean_loss(s),
        fg_train_stats.lr(s),
        fg_train_stats.grad_norm(s),
        fg_train_stats.density(s),
        fg_train_stats.nonzeros(s),
        fg_train_stats.seconds(s));
  }
}
