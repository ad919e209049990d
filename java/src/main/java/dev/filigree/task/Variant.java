// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import dev.filigree.data.Tokenizer;
import java.util.ArrayList;
import java.util.List;

/**
 * A change of a task's prompts, in levels, under which a model that works as the circuit says errs
 * more and more: the right answer of one member becomes less likely from the first level to the
 * last. By how much is for the circuit to say, and for the whole model to confirm.
 *
 * @param name in files, unique within the task
 * @param description what is changed, and why that should mislead
 * @param member whose right answer becomes less likely
 * @param levels from the ordinary prompt to the most misleading one
 */
public record Variant(String name, String description, Member member, List<Level> levels) {
  public Variant {
    levels = List.copyOf(levels);
    if (levels.size() < 2) {
      throw new IllegalArgumentException(name + " needs two levels to compare");
    }
  }

  /** One of the two prompts of a pair. */
  public enum Member {
    A,
    B
  }

  /**
   * How much is changed.
   *
   * @param label in words, for a person
   * @param amount the same as a number, rising from level to level
   * @param task makes the examples; every split has the same templates
   */
  public record Level(String label, int amount, Task task) {}

  /** Examples of one level. */
  public record LevelExamples(Level level, ExampleSet set) {}

  /**
   * Make the examples of every level whose prompts fit.
   *
   * @param maximumLength most tokens a prompt may have
   * @param pairs number of pairs of each level
   * @return in order; fewer than the levels there are where the longest do not fit
   * @throws TaskException when the vocabulary cannot express the first level
   */
  public List<LevelExamples> examples(
      Tokenizer tokenizer, int maximumLength, int pairs, long seed) {
    List<LevelExamples> made = new ArrayList<>();
    for (Level level : levels) {
      try {
        made.add(
            new LevelExamples(
                level,
                new ExampleBuilder(level.task(), tokenizer, maximumLength)
                    .build(Split.FINAL, pairs, seed)));
      } catch (TaskException e) {
        if (made.isEmpty() || !e.rejections().contains(Rejection.TOO_LONG)) {
          throw e;
        }
        break;
      }
    }
    return List.copyOf(made);
  }
}
