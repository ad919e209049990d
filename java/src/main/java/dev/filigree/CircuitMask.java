// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import dev.filigree.ffi.fg_circuit;
import dev.filigree.ffi.fg_edge;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * What stays of a model: every node that is not kept is replaced by its mean at every position. The
 * arrays are not copied.
 *
 * @param keep one per node
 * @param means ablation values, one per node, from {@link Model#nodeMeans}
 * @param edges those between kept nodes that pass their source on, while of all others the target
 *     gets the source's mean; null for all of them
 * @param frozenNorms whether every RMSNorm divides by what it does in the whole model
 * @param tokens those that are told apart, null for all
 */
public record CircuitMask(
    boolean[] keep, float[] means, List<Edge> edges, boolean frozenNorms, TokenMask tokens) {
  /**
   * Join the two.
   *
   * @throws EngineException.InvalidArgument when they are not equally long
   */
  public CircuitMask {
    if (means.length != keep.length) {
      throw new EngineException.InvalidArgument(
          "%d means for %d nodes".formatted(means.length, keep.length));
    }
    edges = edges == null ? null : List.copyOf(edges);
  }

  /** A circuit that tells all tokens apart. */
  public CircuitMask(boolean[] keep, float[] means, List<Edge> edges, boolean frozenNorms) {
    this(keep, means, edges, frozenNorms, null);
  }

  /** A circuit of nodes alone, with all edges between them. */
  public CircuitMask(boolean[] keep, float[] means) {
    this(keep, means, null, false);
  }

  /** Other nodes with all edges between them and all tokens, under the same means and norms. */
  public CircuitMask withNodes(boolean[] keep) {
    return new CircuitMask(keep, means, null, frozenNorms);
  }

  /** All nodes with all edges and tokens, under the same means and norms: the whole model. */
  public CircuitMask everything() {
    boolean[] all = new boolean[keep.length];
    Arrays.fill(all, true);
    return withNodes(all);
  }

  /** The same with other edges. */
  public CircuitMask withEdges(List<Edge> edges) {
    return new CircuitMask(keep, means, edges, frozenNorms, tokens);
  }

  /** Tells whether an edge of a model joins the two nodes that an edge of this circuit joins. */
  public Predicate<Edge> joins() {
    if (edges == null) {
      return edge -> keep[edge.source()] && keep[edge.target()];
    }
    Set<List<Integer>> ends =
        edges.stream()
            .map(edge -> List.of(edge.source(), edge.target()))
            .collect(Collectors.toSet());
    return edge -> ends.contains(List.of(edge.source(), edge.target()));
  }

  /** The same with other tokens. */
  public CircuitMask withTokens(TokenMask tokens) {
    return new CircuitMask(keep, means, edges, frozenNorms, tokens);
  }

  /** Return the mask that ablates the nodes that this one keeps, and keeps all others. */
  public CircuitMask inverted() {
    boolean[] other = new boolean[keep.length];
    for (int i = 0; i < keep.length; i++) {
      other[i] = !keep[i];
    }
    return withNodes(other);
  }

  /** Copy for a native call; null, the whole model, is NULL. */
  static MemorySegment copy(Arena arena, CircuitMask mask) {
    if (mask == null) {
      return MemorySegment.NULL;
    }
    MemorySegment circuit = fg_circuit.allocate(arena);
    fg_circuit.struct_size(circuit, (int) fg_circuit.sizeof());
    fg_circuit.frozen_norms(circuit, mask.frozenNorms ? 1 : 0);
    fg_circuit.nodes(circuit, mask.keep.length);
    fg_circuit.keep(circuit, Masks.copy(arena, mask.keep));
    fg_circuit.means(circuit, arena.allocateFrom(ValueLayout.JAVA_FLOAT, mask.means));
    fg_circuit.edges(circuit, MemorySegment.NULL);
    fg_circuit.n_edges(circuit, 0);
    if (mask.edges != null) {
      MemorySegment edges = fg_edge.allocateArray(Math.max(1, mask.edges.size()), arena);
      for (int i = 0; i < mask.edges.size(); i++) {
        MemorySegment edge = fg_edge.asSlice(edges, i);
        fg_edge.source(edge, mask.edges.get(i).source());
        fg_edge.target(edge, mask.edges.get(i).target());
        fg_edge.weight(edge, mask.edges.get(i).weight());
      }
      fg_circuit.edges(circuit, edges);
      fg_circuit.n_edges(circuit, mask.edges.size());
    }
    fg_circuit.tokens(circuit, MemorySegment.NULL);
    fg_circuit.vocab_size(circuit, 0);
    fg_circuit.embedding(circuit, MemorySegment.NULL);
    fg_circuit.d_model(circuit, 0);
    if (mask.tokens != null) {
      fg_circuit.tokens(circuit, Masks.copy(arena, mask.tokens.keep()));
      fg_circuit.vocab_size(circuit, mask.tokens.keep().length);
      fg_circuit.embedding(
          circuit, arena.allocateFrom(ValueLayout.JAVA_FLOAT, mask.tokens.embedding()));
      fg_circuit.d_model(circuit, mask.tokens.embedding().length);
    }
    return circuit;
  }
}
