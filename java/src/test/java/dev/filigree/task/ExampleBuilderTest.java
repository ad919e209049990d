// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.filigree.data.TinyPython;
import dev.filigree.data.TokenDataset;
import dev.filigree.data.Tokenizer;
import java.util.List;
import org.junit.jupiter.api.Test;

class ExampleBuilderTest {
  private static final Tokenizer TOKENIZER =
      TokenDataset.learnTokenizer(
          List.of(new TokenDataset.Source(new TinyPython(1), 1, 300_000)), 600, 300_000);

  /** A task whose candidates are all alike but for a line before them. */
  private static final class FixedTask extends TemplateTask {
    FixedTask(String promptA, String promptB, String completionA, String completionB) {
      this("x = $int\n", promptA, promptB, completionA, completionB);
    }

    FixedTask(String line, String promptA, String promptB, String completionA, String completionB) {
      super(
          "fixed",
          "A task for tests.",
          List.of(new Cue(promptA, promptB)),
          List.of(completionA, completionB),
          List.of(line + Template.CUE),
          List.of(line + Template.CUE),
          List.of(line + Template.CUE));
    }

    @Override
    public List<Template> contexts(Split split) {
      return List.of();
    }
  }

  private static ExampleSet build(Task task) {
    return new ExampleBuilder(task, TOKENIZER, 40).build(Split.TRAIN, 5, 1);
  }

  @Test
  void answersWithTheTokenThatEncodingTheWholeTextGives() {
    ExampleSet set = build(new FixedTask("print('hello", "print(\"hello", "')\n", "\")\n"));
    Example example = set.examples().getFirst();
    assertThat(TOKENIZER.decode(example.targetA())).isEqualTo("')\n");
    assertThat(TOKENIZER.decode(example.targetB())).isEqualTo("\")\n");
  }

  @Test
  void movesToTheFirstTokenInWhichTheCompletionsDiffer() {
    ExampleSet set = build(new FixedTask("a", "b", "; qqq = 1", "; qqq = 2"));
    assertThat(set.examples().getFirst().textA()).endsWith("a; qqq = ");
    assertThat(TOKENIZER.decode(set.examples().getFirst().targetB())).isEqualTo("2");
  }

  @Test
  void rejectsWhatCannotBeUsedAndSaysWhy() {
    assertRejected(new FixedTask("a", "bq zq xq", ")", "]"), Rejection.UNEQUAL_LENGTHS);
    assertRejected(new FixedTask("a = b", "c = d", ")", "]"), Rejection.SEVERAL_SPANS);
    assertRejected(new FixedTask("same", "same", ")", "]"), Rejection.EQUAL_PROMPTS);
    assertRejected(new FixedTask("a", "b", ")", ")"), Rejection.EQUAL_ANSWERS);
    assertRejected(new FixedTask("pri", "pra", "nt(", "nd("), Rejection.NO_BOUNDARY);
    assertRejected(
        new FixedTask("a" + " = 7".repeat(40), "b" + " = 7".repeat(40), ")", "]"),
        Rejection.TOO_LONG);
  }

  private static void assertRejected(Task task, Rejection reason) {
    assertThatThrownBy(() -> build(task))
        .isInstanceOf(TaskException.class)
        .hasMessageContaining("task fixed gave 0 of 5 pairs")
        .hasMessageContaining("vocabulary of 600 tokens")
        .hasMessageContaining(reason.meaning());
  }

  @Test
  void takesTheFirstWordingOfTheCueThatWorks() {
    Task task =
        new TemplateTask(
            "worded",
            "A task for tests.",
            List.of(new Cue("bq zq xq", "a"), new Cue("c", "d"), new Cue("e", "f")),
            List.of(")", "]"),
            List.of("$noun = " + Template.CUE),
            List.of(),
            List.of()) {};
    assertThat(build(task).examples())
        .allSatisfy(
            example -> {
              assertThat(example.textA()).endsWith(" = c");
              assertThat(example.textB()).endsWith(" = d");
            });
  }

  @Test
  void rejectsRepeatedPairs() {
    Task task = new FixedTask("", "a", "b", ")", "]");
    assertThatThrownBy(() -> build(task))
        .hasMessageContaining("gave 1 of 5")
        .hasMessageContaining(Rejection.DUPLICATE.meaning());
  }

  @Test
  void refusesSillyArguments() {
    Task task = Tasks.named("single_double_quote");
    assertThatThrownBy(() -> new ExampleBuilder(task, TOKENIZER, 1))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new ExampleBuilder(task, TOKENIZER, 40).build(Split.TRAIN, 0, 1))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
