// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Copies masks of nodes and tokens between Java's booleans and the core's bytes. */
final class Masks {
  private Masks() {}

  static MemorySegment copy(Arena arena, boolean[] keep) {
    MemorySegment out = arena.allocate(keep.length);
    for (int i = 0; i < keep.length; i++) {
      out.set(ValueLayout.JAVA_BYTE, i, (byte) (keep[i] ? 1 : 0));
    }
    return out;
  }

  static boolean[] read(MemorySegment bytes) {
    boolean[] keep = new boolean[Math.toIntExact(bytes.byteSize())];
    for (int i = 0; i < keep.length; i++) {
      keep[i] = bytes.get(ValueLayout.JAVA_BYTE, i) != 0;
    }
    return keep;
  }
}
