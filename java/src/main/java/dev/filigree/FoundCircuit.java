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
 */
public record FoundCircuit(
    boolean[] keep, List<Edge> edges, Calibration calibration, boolean reached) {
  public FoundCircuit {
    edges = List.copyOf(edges);
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
