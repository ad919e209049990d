// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import dev.filigree.data.Tokenizer;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.function.ToIntFunction;

/**
 * Whether a vocabulary can express a task, found by making examples of every split.
 *
 * @param task name of the task
 * @param description what decides the answer
 * @param control whether it is a control
 * @param expressible whether every split has enough examples
 * @param share part of the candidates that became examples; 0 when the task cannot be expressed
 * @param answersA right answers of prompts A, empty when the task cannot be expressed
 * @param answersB right answers of prompts B, empty when the task cannot be expressed
 * @param reason why the task cannot be expressed, else null
 */
public record TaskVocabulary(
    String task,
    String description,
    boolean control,
    boolean expressible,
    double share,
    List<Answer> answersA,
    List<Answer> answersB,
    String reason) {
  private static final int PAIRS = 100;
  private static final long SEED = 1;

  /** A token that is an answer. */
  public record Answer(int id, String text) {}

  /**
   * Try a vocabulary.
   *
   * @param maximumLength most tokens a prompt may have
   */
  public static TaskVocabulary of(Task task, Tokenizer tokenizer, int maximumLength) {
    ExampleBuilder builder = new ExampleBuilder(task, tokenizer, maximumLength);
    List<Example> examples = new ArrayList<>();
    int rejected = 0;
    try {
      for (Split split : Split.values()) {
        ExampleSet set = builder.build(split, PAIRS, SEED);
        examples.addAll(set.examples());
        rejected += set.rejected().values().stream().mapToInt(Integer::intValue).sum();
      }
    } catch (TaskException e) {
      return new TaskVocabulary(
          task.name(),
          task.description(),
          task.isControl(),
          false,
          0,
          List.of(),
          List.of(),
          e.getMessage());
    }
    return new TaskVocabulary(
        task.name(),
        task.description(),
        task.isControl(),
        true,
        (double) examples.size() / (examples.size() + rejected),
        answers(examples, Example::targetA, tokenizer),
        answers(examples, Example::targetB, tokenizer),
        null);
  }

  private static List<Answer> answers(
      List<Example> examples, ToIntFunction<Example> target, Tokenizer tokenizer) {
    TreeSet<Integer> ids = new TreeSet<>();
    examples.forEach(example -> ids.add(target.applyAsInt(example)));
    return ids.stream().map(id -> new Answer(id, tokenizer.decode(id))).toList();
  }
}
