// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.filigree.data.TinyPython;
import dev.filigree.data.TokenDataset;
import dev.filigree.data.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What holds for every task and split. */
class TaskTest {
  private static final int LIMIT = 96;
  private static final Tokenizer TOKENIZER =
      TokenDataset.learnTokenizer(
          List.of(new TokenDataset.Source(new TinyPython(1), 1, 600_000)), 1024, 600_000);

  @TempDir Path folder;

  static Stream<Task> tasks() {
    return Tasks.all().stream();
  }

  private static ExampleSet build(Task task, Split split) {
    return new ExampleBuilder(task, TOKENIZER, LIMIT).build(split, 100, 7);
  }

  @ParameterizedTest
  @MethodSource("tasks")
  void pairsDifferInOneSpanAndHaveTwoAnswers(Task task) {
    for (Split split : Split.values()) {
      Set<List<Integer>> distinct = new HashSet<>();
      for (Example example : build(task, split).examples()) {
        assertThat(example.tokensA()).hasSameSizeAs(example.tokensB()).hasSizeBetween(2, LIMIT);
        assertThat(example.evalPosition()).isEqualTo(example.tokensA().size() - 1);
        int first = 0;
        while (example.tokensA().get(first).equals(example.tokensB().get(first))) {
          first++;
        }
        int last = example.tokensA().size() - 1;
        while (example.tokensA().get(last).equals(example.tokensB().get(last))) {
          last--;
        }
        for (int i = first; i <= last; i++) {
          assertThat(example.tokensA().get(i)).isNotEqualTo(example.tokensB().get(i));
        }
        assertThat(example.targetA()).isNotEqualTo(example.targetB());
        assertThat(distinct.add(example.tokensA())).isTrue();
        assertThat(TOKENIZER.encode(example.textA()))
            .containsExactly(example.tokensA().stream().mapToInt(i -> i).toArray());
      }
    }
  }

  @ParameterizedTest
  @MethodSource("tasks")
  void answersAreTheTokensOfTheWholeText(Task task) {
    for (Split split : Split.values()) {
      for (Template template : task.templates(split)) {
        assertThat(template.text()).containsOnlyOnce(Template.CUE);
      }
      for (Example example : build(task, split).examples()) {
        assertThat(continued(example.textA(), example.targetA())).isEqualTo(example.targetA());
        assertThat(continued(example.textB(), example.targetB())).isEqualTo(example.targetB());
      }
    }
  }

  @ParameterizedTest
  @MethodSource("tasks")
  void everySplitHasAtLeastTwelveTemplatesAndUsesThem(Task task) {
    for (Split split : Split.values()) {
      assertThat(task.templates(split)).hasSizeGreaterThanOrEqualTo(12);
      assertThat(build(task, split).templates()).hasSizeGreaterThanOrEqualTo(12);
    }
  }

  @ParameterizedTest
  @MethodSource("tasks")
  void promptsVaryInLength(Task task) {
    for (Split split : Split.values()) {
      assertThat(
              build(task, split).examples().stream()
                  .mapToInt(Example::evalPosition)
                  .distinct()
                  .count())
          .isGreaterThan(15);
    }
  }

  @ParameterizedTest
  @MethodSource("tasks")
  void splitsShareNoLine(Task task) {
    for (Split split : Split.values()) {
      List<Pattern> patterns = linePatterns(task, split);
      for (Split other : Split.values()) {
        if (other != split) {
          for (String line : filledLines(task, other)) {
            assertThat(patterns).noneMatch(pattern -> pattern.matcher(line).matches());
          }
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("tasks")
  void cueLinesOfTheFinalSplitAreNotInGeneratedTrainingText(Task task) {
    TinyPython corpus = new TinyPython(4);
    Set<String> lines = new HashSet<>();
    for (int i = 0; i < 2000; i++) {
      corpus.document(i).text().lines().map(String::strip).forEach(lines::add);
    }
    for (Template template : task.templates(Split.FINAL)) {
      String cueLine =
          template.text().lines().filter(line -> line.contains(Template.CUE)).findFirst().get();
      cueTexts(task)
          .forEach(
              cue -> {
                Pattern line = Slots.patternOf(cueLine.strip().replace(Template.CUE, cue));
                assertThat(lines).noneMatch(found -> line.matcher(found).lookingAt());
              });
    }
  }

  /** First token after a prompt when the answer and a new line are encoded with it. */
  private static int continued(String prompt, int answer) {
    return TOKENIZER
        .encode(prompt + TOKENIZER.decode(answer) + "x = 1\n")[TOKENIZER.encode(prompt).length];
  }

  private static Stream<String> cueTexts(Task task) {
    return task.cues().stream().map(Cue::texts).flatMap(List::stream);
  }

  private static List<Pattern> linePatterns(Task task, Split split) {
    return Stream.concat(task.templates(split).stream(), task.contexts(split).stream())
        .flatMap(template -> cueTexts(task).map(template::withCue))
        .flatMap(template -> template.linePatterns().stream())
        .toList();
  }

  private static List<String> filledLines(Task task, Split split) {
    RandomGenerator random = new SplittableRandom(3);
    return Stream.concat(task.templates(split).stream(), task.contexts(split).stream())
        .flatMap(template -> cueTexts(task).map(template::withCue))
        .flatMap(
            template -> Stream.generate(() -> new Slots(random).fill(template.text())).limit(30))
        .flatMap(String::lines)
        .filter(line -> !line.isBlank())
        .toList();
  }

  @Test
  void anEmptyStringOfOneTokenWithItsLineEndIsWordedInAnotherWay() {
    assertThat(TOKENIZER.encode(" \"\"\n")).hasSize(1);
    assertThat(build(Tasks.named("set_or_string"), Split.TRAIN).examples())
        .allSatisfy(example -> assertThat(example.textB()).contains(" = str()\n"));
  }

  @Test
  void sameSeedSameExamplesAndAnotherSeedOthers() {
    Task task = Tasks.named("single_double_quote");
    ExampleBuilder builder = new ExampleBuilder(task, TOKENIZER, LIMIT);
    assertThat(builder.build(Split.TRAIN, 40, 1)).isEqualTo(builder.build(Split.TRAIN, 40, 1));
    assertThat(builder.build(Split.TRAIN, 40, 1).hash())
        .isNotEqualTo(builder.build(Split.TRAIN, 40, 2).hash());
  }

  @Test
  void givesTheArraysOfTheEngine() {
    ExampleSet set = build(Tasks.named("single_double_quote"), Split.TRAIN);
    int length = set.length();
    assertThat(set.tokens()).hasSize(100 * 2 * length);
    assertThat(set.evalPositions()).hasSize(200);
    assertThat(set.answers()).hasSize(200);
    for (int pair = 0; pair < 100; pair++) {
      Example example = set.examples().get(pair);
      short[] rowB =
          Arrays.copyOfRange(set.tokens(), (2 * pair + 1) * length, (2 * pair + 2) * length);
      for (int i = 0; i < length; i++) {
        int expected = i < example.tokensB().size() ? example.tokensB().get(i) : 0;
        assertThat(Short.toUnsignedInt(rowB[i])).isEqualTo(expected);
      }
      assertThat(set.evalPositions()[2 * pair + 1]).isEqualTo(example.evalPosition());
      assertThat(Short.toUnsignedInt(set.answers()[2 * pair])).isEqualTo(example.targetA());
      assertThat(Short.toUnsignedInt(set.answers()[2 * pair + 1])).isEqualTo(example.targetB());
    }
  }

  @Test
  void writesOneJsonObjectPerPair() throws IOException {
    ExampleSet set = build(Tasks.named("single_double_quote"), Split.FINAL);
    set.save(folder.resolve("examples.jsonl"));
    List<String> lines = Files.readAllLines(folder.resolve("examples.jsonl"));
    assertThat(lines).hasSize(100);
    assertThat(lines.getFirst())
        .startsWith(
            "{\"id\":\"single_double_quote/final/0\",\"task\":\"single_double_quote\",\"split\":\"final\"")
        .contains(
            "\"tokens_a\":[",
            "\"tokens_b\":[",
            "\"target_a\":",
            "\"target_b\":",
            "\"eval_pos\":",
            "\"text\":{");
  }

  @Test
  void namesTheTasksThereAreWhenAskedForAnother() {
    assertThatThrownBy(() -> Tasks.named("nothing"))
        .isInstanceOf(TaskException.class)
        .hasMessageContaining("'nothing'")
        .hasMessageContaining("single_double_quote");
  }
}
