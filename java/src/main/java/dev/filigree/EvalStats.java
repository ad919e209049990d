// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

/**
 * Held-out loss.
 *
 * @param predictions number of predicted tokens
 * @param loss mean cross-entropy, nats per predicted token
 */
public record EvalStats(long predictions, double loss) {}
