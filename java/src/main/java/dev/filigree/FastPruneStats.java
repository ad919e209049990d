// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

/**
 * What a fast search has done so far.
 *
 * @param phase what comes next
 * @param pieces of work that are done
 * @param nodes of the circuit that was last looked at; while masks are learnt, on average
 * @param edges of the circuit that was last looked at
 * @param loss of it, or of the last batch, nats per sequence
 */
public record FastPruneStats(Phase phase, long pieces, long nodes, long edges, double loss) {
  /** A part of the search, in order, once for every task. */
  public enum Phase {
    ATTRIBUTE,
    LEARN,
    CHOOSE,
    CLEAN,
    DONE
  }
}
