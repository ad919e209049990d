// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.Examples;
import dev.filigree.Model;
import dev.filigree.task.ExampleSet;
import java.util.ArrayList;
import java.util.List;

/**
 * The final examples in parts, one for each draw in turn: draws together are scored on all of them.
 */
final class Slices implements AutoCloseable {
  private static final int SLICES = 4; // one is enough for a draw of other nodes
  private static final int SLICE_PAIRS = 16; // at least

  private final List<Slice> all = new ArrayList<>();

  Slices(Model model, TaskExamples examples) {
    int pairs = examples.lastSet().pairs();
    int count = Integer.highestOneBit(Math.clamp(pairs / SLICE_PAIRS, 1, SLICES));
    try {
      for (int i = 0; i < count; i++) {
        int begin = i * pairs / count;
        ExampleSet part = examples.lastSet().part(begin, (i + 1) * pairs / count);
        all.add(new Slice(2 * begin, model.examples(part)));
      }
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  /** All of them. */
  List<Slice> all() {
    return all;
  }

  /** That of a draw. */
  Slice of(int draw) {
    return all.get(draw % all.size());
  }

  @Override
  public void close() {
    all.forEach(slice -> slice.last().close());
  }

  /**
   * A part of the examples.
   *
   * @param first of the final sequences
   * @param last final examples
   */
  record Slice(int first, Examples last) {}
}
