// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

/**
 * What a run of mask-learning steps did.
 *
 * @param step steps finished
 * @param taskLoss two-way cross-entropy of the last batch under the hard masks, nats per sequence
 * @param lr learning rate of the last step
 * @param nodes nodes whose mask is open
 */
public record PruneStats(long step, double taskLoss, double lr, long nodes) {}
