// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.filigree.data.TinyPython;
import dev.filigree.data.TokenDataset;
import dev.filigree.data.Tokenizer;
import dev.filigree.task.Variant.LevelExamples;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.random.RandomGenerator;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What holds for every task and split. */
class TaskTest {
  private static final int LIMIT = 96;
  private static final Tokenizer TOKENIZER =
      TokenDataset.learnTokenizer(
          List.of(new TokenDataset.Source(new TinyPython(1), 1, 600_000)), 1024, 600_000);

  /** Lines of generated training text, without indentation. */
  private static final Set<String> GENERATED =
      IntStream.range(0, 2000)
          .mapToObj(i -> new TinyPython(4).document(i).text())
          .flatMap(String::lines)
          .map(String::strip)
          .collect(Collectors.toSet());

  @TempDir Path folder;

  static Stream<TemplateTask> tasks() {
    return Stream.of(Tasks.all(), Tasks.controls())
        .flatMap(List::stream)
        .map(TemplateTask.class::cast);
  }

  /** What was built, by task and split. */
  private static final Map<String, ExampleSet> BUILT = new ConcurrentHashMap<>();

  private static ExampleSet build(Task task, Split split) {
    return BUILT.computeIfAbsent(
        task.name() + "/" + split.key(),
        _ -> new ExampleBuilder(task, TOKENIZER, LIMIT).build(split, 100, 7));
  }

  @ParameterizedTest
  @MethodSource("tasks")
  void pairsDifferInOneSpanAndHaveTwoAnswers(TemplateTask task) {
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
  void answersAreTheTokensOfTheWholeText(TemplateTask task) {
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
  void everySplitHasAtLeastTwelveTemplatesAndUsesThem(TemplateTask task) {
    for (Split split : Split.values()) {
      assertThat(task.templates(split)).hasSizeGreaterThanOrEqualTo(12);
      assertThat(build(task, split).templates()).hasSizeGreaterThanOrEqualTo(12);
    }
  }

  @ParameterizedTest
  @MethodSource("tasks")
  void promptsVaryInLength(TemplateTask task) {
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
  void splitsShareNoLine(TemplateTask task) {
    Set<String> shared = new TreeSet<>();
    for (Split split : Split.values()) {
      Map<String, Pattern> patterns = linePatterns(task, split);
      for (Split other : Split.values()) {
        if (other != split) {
          for (String line : filledLines(task, other)) {
            patterns.forEach(
                (text, pattern) -> {
                  if (pattern.matcher(line).matches()) {
                    shared.add("%s of %s: %s".formatted(text, split.key(), line));
                  }
                });
          }
        }
      }
    }
    assertThat(shared).isEmpty();
  }

  @ParameterizedTest
  @MethodSource("tasks")
  void cueLinesOfTheFinalSplitAreNotInGeneratedTrainingText(TemplateTask task) {
    Set<String> found = new TreeSet<>();
    for (Template template : task.templates(Split.FINAL)) {
      cueLines(template, task)
          .forEach(
              text -> {
                Pattern line = Slots.patternOf(text);
                withLongestPieceOf(text)
                    .filter(generated -> line.matcher(generated).lookingAt())
                    .findFirst()
                    .ifPresent(generated -> found.add(text + ": " + generated));
              });
    }
    assertThat(found).isEmpty();
  }

  /** Generated lines that have the longest piece of a text between slots: few are left to match. */
  private static Stream<String> withLongestPieceOf(String text) {
    String longest =
        Slots.SLOT.splitAsStream(text).max(Comparator.comparingInt(String::length)).orElse("");
    return GENERATED.stream().filter(line -> line.contains(longest));
  }

  /**
   * What the lines look like that the cue stands in. A line that is the cue and nothing else is the
   * task itself; there the line before it must be new.
   */
  private static Stream<String> cueLines(Template template, TemplateTask task) {
    int cueAt = template.text().indexOf(Template.CUE);
    int begin = template.text().lastIndexOf('\n', cueAt) + 1;
    int end = template.text().indexOf('\n', cueAt);
    String line = template.text().substring(begin, end < 0 ? template.text().length() : end);
    if (line.strip().equals(Template.CUE)) {
      return template
          .text()
          .substring(0, begin)
          .lines()
          .map(String::strip)
          .reduce((_, last) -> last)
          .stream();
    }
    return cueTexts(task)
        .flatMap(cue -> line.replace(Template.CUE, cue).lines())
        .map(String::strip)
        .filter(text -> !text.isEmpty());
  }

  /** First token after a prompt when the answer and more code are encoded with it. */
  private static int continued(String prompt, int answer) {
    return TOKENIZER
        .encode(prompt + TOKENIZER.decode(answer) + " = 1\n")[TOKENIZER.encode(prompt).length];
  }

  private static Stream<String> cueTexts(TemplateTask task) {
    return task.cues().stream().map(Cue::texts).flatMap(List::stream);
  }

  /** Patterns of the lines of a split, by the text they are made from. */
  private static Map<String, Pattern> linePatterns(TemplateTask task, Split split) {
    return wordings(task, split)
        .flatMap(template -> template.text().lines())
        .filter(line -> !line.isBlank())
        .distinct()
        .collect(Collectors.toMap(line -> line, Slots::patternOf));
  }

  private static Set<String> filledLines(TemplateTask task, Split split) {
    RandomGenerator random = new SplittableRandom(3);
    return wordings(task, split)
        .flatMap(
            template -> Stream.generate(() -> new Slots(random).fill(template.text())).limit(10))
        .flatMap(String::lines)
        .filter(line -> !line.isBlank())
        .collect(Collectors.toSet());
  }

  /** Templates and contexts with every cue in them, without a line that is nothing but the cue. */
  private static Stream<Template> wordings(TemplateTask task, Split split) {
    return Stream.concat(task.templates(split).stream(), task.contexts(split).stream())
        .map(
            template ->
                new Template(template.id(), template.text().replaceAll("(?m)^ *<cue>$", "")))
        .flatMap(template -> cueTexts(task).map(template::withCue));
  }

  @ParameterizedTest
  @ValueSource(strings = {"$name", "$noun", "$plural"})
  void namesComeFromManyIdentifiers(String slot) {
    RandomGenerator random = new SplittableRandom(3);
    assertThat(Stream.generate(() -> new Slots(random).fill(slot)).limit(5_000).distinct().count())
        .isGreaterThan(200);
  }

  @ParameterizedTest
  @MethodSource("tasks")
  void wordingsDrawNames(TemplateTask task) {
    Pattern name = Pattern.compile("\\$(?i:name|noun|plural)");
    assertThat(task.templates(Split.TRAIN))
        .anyMatch(template -> name.matcher(template.text()).find());
  }

  @ParameterizedTest
  @MethodSource("tasks")
  void promptsHaveManyWords(TemplateTask task) {
    if (task.templates(Split.TRAIN).stream()
        .noneMatch(template -> template.text().contains("$n"))) {
      return;
    }
    Set<String> words = new HashSet<>();
    new ExampleBuilder(task, TOKENIZER, LIMIT)
        .build(Split.TRAIN, 600, 3).examples().stream()
            .flatMap(example -> Pattern.compile("[A-Za-z]+").matcher(example.textA()).results())
            .forEach(word -> words.add(word.group()));
    // What stands in the templates and between them is no name.
    Stream.of(task.templates(Split.TRAIN), task.contexts(Split.TRAIN))
        .flatMap(List::stream)
        .map(template -> Slots.SLOT.matcher(template.text()).replaceAll(" "))
        .flatMap(text -> Pattern.compile("[A-Za-z]+").matcher(text).results())
        .forEach(word -> words.remove(word.group()));
    assertThat(words).hasSizeGreaterThan(200);
  }

  @Test
  void thereAreTheTwentyOfThePublishedTable() {
    assertThat(Tasks.all())
        .extracting(Task::name)
        .containsExactly(
            "single_double_quote",
            "final_kwarg",
            "set_or_string",
            "set_or_string_fixedvarname",
            "class_init",
            "with_as",
            "bracket_brace",
            "with_open",
            "bracket_counting",
            "for_while",
            "else_elif",
            "fstring_brace",
            "if_ternary",
            "var_swap",
            "indent_for",
            "lambda_func",
            "if_equals",
            "enumerate_range",
            "var_if",
            "while_return_true");
    assertThat(Tasks.all()).noneMatch(Task::isControl);
    assertThat(Tasks.controls()).hasSize(3).allMatch(Task::isControl);
  }

  @Test
  void shufflingExchangesTheAnswersOfAboutHalfOfThePairs() {
    int single = TOKENIZER.tokenOf("')\n").orElseThrow();
    long kept =
        build(Tasks.named("control_shuffled"), Split.TRAIN).examples().stream()
            .filter(example -> example.targetA() == single)
            .count();
    assertThat(kept).isBetween(30L, 70L);
  }

  @Test
  void anArbitraryMappingIsTheSameInEverySplit() {
    Set<String> rules = new HashSet<>();
    for (Split split : Split.values()) {
      for (Example example : build(Tasks.named("control_mapping"), split).examples()) {
        List<Integer> cue = new ArrayList<>();
        for (int i = 0; i < example.tokensA().size(); i++) {
          if (!example.tokensA().get(i).equals(example.tokensB().get(i))) {
            cue.add(example.tokensA().get(i));
          }
        }
        rules.add(cue + " " + example.targetA() + " " + example.targetB());
      }
    }
    assertThat(rules).hasSize(1);
  }

  @Test
  void variantsMisleadMoreFromLevelToLevel() {
    List<Variant> variants = Tasks.named("bracket_counting").variants();
    assertThat(variants)
        .extracting(Variant::name)
        .containsExactly("context_dilution", "distractor");
    List<LevelExamples> lists = variants.get(0).examples(TOKENIZER, 1000, 20, 1);
    assertThat(lists)
        .extracting(level -> level.level().amount())
        .containsExactly(5, 10, 20, 30, 40, 50, 60, 70);
    for (LevelExamples level : lists) {
      assertThat(level.set().pairs()).isEqualTo(20);
      assertThat(level.set().examples())
          .allSatisfy(
              example ->
                  assertThat(example.textA().chars().filter(letter -> letter == ',').count())
                      .isEqualTo(level.level().amount() - 1));
    }
    assertThat(variants.get(0).examples(TOKENIZER, 128, 20, 1)).hasSizeBetween(4, 7);

    List<LevelExamples> comments = variants.get(1).examples(TOKENIZER, 128, 20, 1);
    assertThat(comments).hasSize(2);
    assertThat(comments.get(0).set().examples())
        .allSatisfy(example -> assertThat(example.textB()).containsOnlyOnce("["));
    assertThat(comments.get(1).set().examples())
        .allSatisfy(
            example -> {
              assertThat(example.textB()).startsWith("# ").contains(": [\n");
              assertThat(example.targetB()).isEqualTo(TOKENIZER.tokenOf("]\n").orElseThrow());
            });
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
