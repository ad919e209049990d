// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Copies token ids of Java into the 16-bit form of the core. */
final class Tokens {
  private Tokens() {}

  /** Copy a batch of equally long sequences, [batch, length]. */
  static MemorySegment copy(Arena arena, int[][] batch) {
    int length = length(batch);
    MemorySegment out = arena.allocate(ValueLayout.JAVA_SHORT, (long) batch.length * length);
    for (int row = 0; row < batch.length; row++) {
      for (int column = 0; column < length; column++) {
        set(out, (long) row * length + column, batch[row][column]);
      }
    }
    return out;
  }

  /** Return the length that all sequences of a batch have. */
  static int length(int[][] batch) {
    if (batch.length == 0) {
      throw new EngineException.InvalidArgument("the batch has no sequence");
    }
    for (int[] sequence : batch) {
      if (sequence.length != batch[0].length) {
        throw new EngineException.InvalidArgument(
            "sequences of %d and %d tokens in one batch; they must be equally long"
                .formatted(batch[0].length, sequence.length));
      }
    }
    return batch[0].length;
  }

  /** Set one token; the core checks it against its vocabulary. */
  static void set(MemorySegment out, long index, int token) {
    if (token >>> Short.SIZE != 0) {
      throw new EngineException.InvalidArgument("token " + token + " is not a 16-bit id");
    }
    out.setAtIndex(ValueLayout.JAVA_SHORT, index, (short) token);
  }
}
