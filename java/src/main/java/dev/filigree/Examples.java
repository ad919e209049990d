// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import dev.filigree.ffi.Filigree;
import dev.filigree.nativelib.Status;
import dev.filigree.task.ExampleSet;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Pairs of sequences on the device of a model. Made by {@link Model#examples}. */
public final class Examples extends NativeObject {
  private final int pairs;
  private final int length;

  private Examples(Resource resource, int pairs, int length) {
    super(resource);
    this.pairs = pairs;
    this.length = length;
  }

  static Examples create(Model model, ExampleSet set) {
    return model.call(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
            Status.check(
                Filigree.fg_examples_create(
                    model.segment(),
                    arena.allocateFrom(ValueLayout.JAVA_SHORT, set.tokens()),
                    set.pairs(),
                    set.length(),
                    arena.allocateFrom(ValueLayout.JAVA_INT, set.evalPositions()),
                    arena.allocateFrom(ValueLayout.JAVA_SHORT, set.answers()),
                    out));
            return new Examples(
                model.engine().own("examples object", out, Filigree::fg_examples_destroy),
                set.pairs(),
                set.length());
          }
        });
  }

  /** Number of tokens of the longest prompt, to which the others are padded. */
  public int length() {
    return length;
  }

  /** Number of pairs. */
  public int pairs() {
    return pairs;
  }
}
