// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.filigree.data.DataException;
import dev.filigree.data.TinyPython;
import dev.filigree.data.TokenDataset;
import dev.filigree.data.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TaskFileTest {
  private static final Tokenizer TOKENIZER =
      TokenDataset.learnTokenizer(
          List.of(new TokenDataset.Source(new TinyPython(1), 1, 300_000)), 600, 300_000);

  @TempDir Path folder;

  private final List<String> lines = new ArrayList<>();

  /** A good file as text: 64 pairs a split, each with its own number. */
  @BeforeEach
  void fill() {
    for (Split split : Split.values()) {
      for (int i = 0; i < TaskFile.LEAST_PAIRS; i++) {
        lines.add(
            ("{\"task\": \"marks\", \"id\": \"%1$s %2$d\", \"split\": \"%1$s\","
                    + " \"prompt_a\": \"%1$s%2$d = 1\\nprint('no\", \"answer_a\": \"')\\n\","
                    + " \"prompt_b\": \"%1$s%2$d = 1\\nprint(\\\"no\", \"answer_b\": \"\\\")\\n\"}")
                .formatted(split.key(), i));
      }
    }
  }

  private List<Task> read() {
    try {
      return TaskFile.read(Files.write(folder.resolve("marks.jsonl"), lines), TOKENIZER, 64);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void readsPairsAsText() {
    Task task = read().getFirst();
    assertThat(task.name()).isEqualTo("marks");
    assertThat(task.isControl()).isFalse();
    ExampleSet set = new ExampleBuilder(task, TOKENIZER, 64).build(Split.FINAL, 500, 1);
    assertThat(set.pairs()).isEqualTo(TaskFile.LEAST_PAIRS);
    Example example = set.examples().get(2);
    assertThat(example.template()).isEqualTo("final 2");
    assertThat(example.textA()).isEqualTo("final2 = 1\nprint('no");
    assertThat(TOKENIZER.decode(example.targetA())).startsWith("'");
  }

  @Test
  void readsWhatExampleSetsSave() throws IOException {
    lines.clear();
    ExampleBuilder builder = new ExampleBuilder(Tasks.named("for_while"), TOKENIZER, 64);
    for (Split split : Split.values()) {
      builder
          .build(split, 70, 1)
          .toJsonLines()
          .lines()
          .map(line -> line.replace("\"task\":\"for_while\"", "\"task\":\"mine\""))
          .forEach(lines::add);
    }
    ExampleSet again =
        new ExampleBuilder(read().getFirst(), TOKENIZER, 64).build(Split.FINAL, 70, 1);
    List<Example> before = builder.build(Split.FINAL, 70, 1).examples();
    for (int i = 0; i < 70; i++) {
      assertThat(again.examples().get(i).tokensA()).isEqualTo(before.get(i).tokensA());
      assertThat(again.examples().get(i).tokensB()).isEqualTo(before.get(i).tokensB());
      assertThat(again.examples().get(i).targetA()).isEqualTo(before.get(i).targetA());
      assertThat(again.examples().get(i).targetB()).isEqualTo(before.get(i).targetB());
    }
  }

  @Test
  void aFileMayHoldSeveralTasks() {
    List.copyOf(lines).stream()
        .map(line -> line.replace("\"marks\"", "\"others\"").replace("\"id\": \"", "\"id\": \"o"))
        .forEach(lines::add);
    assertThat(read()).extracting(Task::name).containsExactly("marks", "others");
  }

  @Test
  void saysWhichLineIsWrongAndWhy() {
    assertBad(line -> "{\"task\": ", "line 3 is not JSON");
    assertBad(line -> "[1]", "line 3 is not a JSON object");
    assertBad(line -> line.replace("\"split\"", "\"spilt\""), "line 3 has no \"split\"");
    assertBad(
        line -> line.replace("\"task\"", "\"weight\": 1, \"task\""),
        "line 3 has the unknown key \"weight\"");
    assertBad(line -> line.replace("\"split\": \"train\"", "\"split\": 7"), "is no string");
    assertBad(
        line -> line.replace("\"split\": \"train\"", "\"split\": \"test\""),
        "has the split 'test'; there are train, validation, final");
    assertBad(line -> line.replace("train 2", "train 0"), "line 3 has the id 'train 0' of line 1");
    assertBad(
        line -> line.replace("train2 = 1", "train0 = 1"), "line 3 has the prompt A of line 1");
    assertBad(
        line -> line.replace("print('no", "print('no no"),
        "the prompts of a pair differ in length");
    assertBad(line -> line.replace("\"')", "\"\\\")"), "both completions have the same tokens");
    assertBad(line -> line.replace("train2", "x = 1\\n".repeat(60)), "longer than the limit");
  }

  @Test
  void checksTokens() {
    String line =
        "{\"task\": \"marks\", \"id\": \"x\", \"split\": \"train\", \"tokens_a\": [%s],"
            + " \"tokens_b\": [%s], \"target_a\": 9, \"target_b\": 10%s}";
    int a = TOKENIZER.encode("a")[0];
    int b = TOKENIZER.encode("b")[0];
    assertBad(
        _ -> line.formatted("600", "3", ""), "has the token 600; the vocabulary has 0 to 599");
    assertBad(_ -> line.formatted("-1", "3", ""), "has the token -1");
    assertBad(_ -> line.formatted("\"a\"", "3", ""), "has the token \"a\"");
    assertBad(_ -> line.formatted("" + a, "" + b, ", \"eval_pos\": 4"), "is scored at eval_pos 4");
    assertBad(
        _ -> line.formatted("" + a, "" + b, ", \"text\": {\"a\": \"q\", \"b\": \"b\"}"),
        "another one");
    int p = TOKENIZER.encode("p")[0];
    int r = TOKENIZER.encode("r")[0];
    int i = TOKENIZER.encode("i")[0];
    assertThat(TOKENIZER.encode("pri")).as("'pri' has a shorter encoding").hasSizeLessThan(3);
    assertBad(_ -> line.formatted(p + "," + r + "," + i, "3", ""), "does not make of their text");
    // A byte of a longer letter is no text of its own.
    int part =
        IntStream.range(0, 600)
            .filter(token -> TOKENIZER.encode(TOKENIZER.decode(token))[0] != token)
            .findFirst()
            .orElseThrow();
    assertBad(
        _ -> line.formatted("" + a, "" + b, "").replace("\"target_a\": 9", "\"target_a\": " + part),
        "has a \"target_a\", %d, whose text is token".formatted(part));
  }

  @Test
  void refusesAPromptOfAnotherSplitWhicheverMemberItIs() {
    String swapped =
        lines
            .getFirst()
            .replace("\"train 0\", \"split\": \"train\"", "\"swapped\", \"split\": \"final\"")
            .replaceAll("_a\"", "_c\"")
            .replaceAll("_b\"", "_a\"")
            .replaceAll("_c\"", "_b\"");
    lines.set(lines.size() - 1, swapped);
    assertThatThrownBy(this::read)
        .isInstanceOf(DataException.class)
        .hasMessageContaining("line %d has a prompt of line 1".formatted(lines.size()))
        .hasMessageContaining("which is of split train");
  }

  private void assertBad(UnaryOperator<String> change, String message) {
    String good = lines.get(2);
    lines.set(2, change.apply(good));
    assertThatThrownBy(this::read)
        .isInstanceOf(DataException.class)
        .hasMessageContaining("marks.jsonl line 3 ")
        .hasMessageContaining(message);
    lines.set(2, good);
  }

  @Test
  void asksForEnoughPairsOfEverySplit() {
    lines.removeLast();
    assertThatThrownBy(this::read)
        .isInstanceOf(DataException.class)
        .hasMessageContaining(
            "has 63 pairs of task marks, split final; each split needs at least 64");
    lines.clear();
    assertThatThrownBy(this::read).hasMessageContaining("has no pairs");
  }

  @Test
  void refusesNamesThatAreTakenOrNoFileNames() {
    lines.replaceAll(line -> line.replace("\"marks\"", "\"for_while\""));
    assertThatThrownBy(this::read).hasMessageContaining("there is a task 'for_while' already");
    lines.replaceAll(line -> line.replace("\"for_while\"", "\"../marks\""));
    assertThatThrownBy(this::read).hasMessageContaining("'../marks' cannot be the name of a task");
  }

  @Test
  void saysThatAFileIsMissing() {
    assertThatThrownBy(() -> TaskFile.read(folder.resolve("none.jsonl"), TOKENIZER, 64))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("none.jsonl does not exist");
  }
}
