// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

/**
 * The nodes that were chosen.
 *
 * @param keep for every node of the flat node space, whether it is in the circuit
 * @param stats on the examples it was chosen by
 */
public record Discretized(boolean[] keep, TaskStats stats) {}
