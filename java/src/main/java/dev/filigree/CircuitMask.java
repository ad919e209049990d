// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import dev.filigree.ffi.fg_circuit;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * What stays of a model: every node that is not kept is replaced by its mean at every position. The
 * arrays are not copied.
 *
 * @param keep one per node
 * @param means ablation values, one per node, from {@link Model#nodeMeans}
 */
public record CircuitMask(boolean[] keep, float[] means) {
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
  }

  /** Return the mask that ablates what this one keeps, and keeps the rest. */
  public CircuitMask inverted() {
    boolean[] other = new boolean[keep.length];
    for (int i = 0; i < keep.length; i++) {
      other[i] = !keep[i];
    }
    return new CircuitMask(other, means);
  }

  /** Copy for a native call; null, the whole model, is NULL. */
  static MemorySegment copy(Arena arena, CircuitMask mask) {
    if (mask == null) {
      return MemorySegment.NULL;
    }
    MemorySegment circuit = fg_circuit.allocate(arena);
    fg_circuit.struct_size(circuit, (int) fg_circuit.sizeof());
    fg_circuit.reserved(circuit, 0);
    fg_circuit.nodes(circuit, mask.keep.length);
    fg_circuit.keep(circuit, Masks.copy(arena, mask.keep));
    fg_circuit.means(circuit, arena.allocateFrom(ValueLayout.JAVA_FLOAT, mask.means));
    return circuit;
  }
}
