// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import java.util.List;

/**
 * The nodes and edges that a search has chosen.
 *
 * @param keep for every node of the flat node space, whether it is in the circuit
 * @param edges between them that are left
 * @param calibration of its answers
 * @param reached whether it keeps the target
 * @param tokens those that it tells apart, null for all
 */
public record FoundCircuit(
    boolean[] keep, List<Edge> edges, Calibration calibration, boolean reached, TokenMask tokens) {
  public FoundCircuit {
    edges = List.copyOf(edges);
  }

  /** A circuit that tells all tokens apart. */
  public FoundCircuit(boolean[] keep, List<Edge> edges, Calibration calibration, boolean reached) {
    this(keep, edges, calibration, reached, null);
  }

  /**
   * Return what to evaluate it by.
   *
   * @param means ablation values, one a node
   * @param frozenNorms as in the search
   */
  public CircuitMask mask(float[] means, boolean frozenNorms) {
    return new CircuitMask(keep, means, edges, frozenNorms, tokens);
  }

  /** Number of nodes. */
  public int nodes() {
    int nodes = 0;
    for (boolean kept : keep) {
      nodes += kept ? 1 : 0;
    }
    return nodes;
  }
}
