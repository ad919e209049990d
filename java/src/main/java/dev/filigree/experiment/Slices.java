// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.Examples;
import dev.filigree.Model;
import dev.filigree.task.ExampleSet;
import java.util.ArrayList;
import java.util.List;

/**
 * The validation and final examples in parts, one for each draw in turn: draws together are scored
 * on all final examples. Each has the calibration of its own part.
 */
final class Slices implements AutoCloseable {
  private static final int SLICES = 4; // one is enough for a draw of other nodes
  private static final int SLICE_PAIRS = 16; // at least

  private final List<Slice> all = new ArrayList<>();
  private final List<Examples> open = new ArrayList<>();

  Slices(Model model, TaskExamples examples) {
    int pairs = Math.min(examples.validationSet().pairs(), examples.lastSet().pairs());
    int count = Integer.highestOneBit(Math.clamp(pairs / SLICE_PAIRS, 1, SLICES));
    try {
      for (int i = 0; i < count; i++) {
        Examples validation = model.examples(part(examples.validationSet(), i, count));
        open.add(validation);
        Examples last = model.examples(part(examples.lastSet(), i, count));
        open.add(last);
        all.add(new Slice(2 * begin(examples.lastSet(), i, count), validation, last));
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
    open.forEach(Examples::close);
  }

  private static ExampleSet part(ExampleSet set, int i, int count) {
    return set.part(begin(set, i, count), begin(set, i + 1, count));
  }

  private static int begin(ExampleSet set, int i, int count) {
    return i * set.pairs() / count;
  }

  /**
   * A part of the examples.
   *
   * @param first of the final sequences
   */
  record Slice(int first, Examples validation, Examples last) {}
}
