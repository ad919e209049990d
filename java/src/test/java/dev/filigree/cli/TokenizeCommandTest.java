// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.filigree.data.TinyPython;
import dev.filigree.data.TokenDataset;
import dev.filigree.data.Tokenizer;
import dev.filigree.experiment.Experiment;
import dev.filigree.experiment.Presets;
import dev.filigree.json.Json;
import dev.filigree.task.ExampleBuilder;
import dev.filigree.task.Split;
import dev.filigree.task.Task;
import dev.filigree.task.Tasks;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** Runs {@code filigree tokenize} as users do, on a run that has a tokenizer and no model. */
class TokenizeCommandTest {
  private static final Tokenizer LARGE = tokenizer(1024);
  private static final Tokenizer BYTES = tokenizer(Tokenizer.MINIMUM_SIZE);

  @TempDir Path folder;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();
  private Path run;

  private static Tokenizer tokenizer(int size) {
    return TokenDataset.learnTokenizer(
        List.of(new TokenDataset.Source(new TinyPython(1), 1, 600_000)), size, 600_000);
  }

  @BeforeEach
  void makeRun() {
    run = folder.resolve("run");
    Experiment.create(run, Presets.TINY.config(), Presets.TINY);
  }

  @Test
  void listsTheTasksThatTheVocabularyCanExpress() {
    LARGE.save(run.resolve("tokenizer"));
    assertThat(tokenize()).isZero();
    assertThat(out.toString())
        .contains("a vocabulary of 1,024 tokens")
        .contains(Tasks.all().stream().map(Task::name).toList())
        .contains(Tasks.controls().stream().map(Task::name).toList())
        .contains("controls, which no model has a reason to do:")
        .contains("\"')\\n\" or \"\\\")\\n\"")
        .doesNotContain("no: ");
    assertThat(err.toString()).isEmpty();
  }

  @Test
  void listsTasksAsOneJsonValue() {
    LARGE.save(run.resolve("tokenizer"));
    assertThat(tokenize("--json")).isZero();
    JsonNode json = Json.parse(out.toString());
    assertThat(json.path("vocabulary").asInt()).isEqualTo(1024);
    assertThat(json.path("tasks").valueStream().map(task -> task.path("task").asText()))
        .containsExactlyElementsOf(
            Stream.of(Tasks.all(), Tasks.controls())
                .flatMap(List::stream)
                .map(Task::name)
                .toList());
    assertThat(json.path("tasks").valueStream().filter(task -> task.path("control").asBoolean()))
        .hasSize(Tasks.controls().size());
    JsonNode quotes = json.path("tasks").get(0);
    assertThat(quotes.path("task").asText()).isEqualTo("single_double_quote");
    assertThat(quotes.path("expressible").asBoolean()).isTrue();
    assertThat(quotes.path("share").asDouble()).isBetween(0.5, 1.0);
    JsonNode answer = quotes.path("answers_a").get(0);
    assertThat(LARGE.decode(answer.path("id").asInt())).isEqualTo(answer.path("text").asText());
    assertThat(quotes.path("reason").isNull()).isTrue();
  }

  @Test
  void saysWhyAVocabularyCannotExpressATask() {
    BYTES.save(run.resolve("tokenizer"));
    assertThat(tokenize("--json")).isZero();
    JsonNode brackets =
        Json.parse(out.toString())
            .path("tasks")
            .valueStream()
            .filter(task -> task.path("task").asText().equals("bracket_counting"))
            .findFirst()
            .orElseThrow();
    assertThat(brackets.path("expressible").asBoolean()).isFalse();
    assertThat(brackets.path("reason").asText()).contains("the prompts of a pair differ in length");
    assertThat(tokenize()).isZero();
    assertThat(out.toString()).contains("bracket_counting           no: ");
  }

  @Test
  void listsTasksOfAFileToo() throws IOException {
    LARGE.save(run.resolve("tokenizer"));
    StringBuilder lines = new StringBuilder();
    for (Split split : Split.values()) {
      new ExampleBuilder(Tasks.named("for_while"), LARGE, 128)
          .build(split, 64, 1)
          .toJsonLines()
          .lines()
          .map(line -> line.replace("\"task\":\"for_while\"", "\"task\":\"mine\""))
          .forEach(line -> lines.append(line).append('\n'));
    }
    Path file = Files.writeString(folder.resolve("mine.jsonl"), lines);
    assertThat(tokenize("--task-file", file.toString())).isZero();
    assertThat(out.toString()).containsPattern("\\n {2}mine +yes");

    Files.writeString(file, "{}\n");
    assertThat(tokenize("--task-file", file.toString())).isEqualTo(ExitCodes.BAD_INPUT);
    assertThat(err.toString()).contains("mine.jsonl line 1 has no \"task\"");
  }

  @Test
  void showsTheTokensOfATextAndOfAFile() throws IOException {
    LARGE.save(run.resolve("tokenizer"));
    String text = "if x == 3:\n    print(\"ö\")\n";
    assertThat(tokenize("--json", text)).isZero();
    JsonNode tokens = Json.parse(out.toString()).path("tokens");
    int[] ids = tokens.valueStream().mapToInt(token -> token.path("id").asInt()).toArray();
    assertThat(ids).containsExactly(LARGE.encode(text));

    Path file = Files.writeString(folder.resolve("program.py"), text);
    assertThat(tokenize("--file", file.toString())).isZero();
    assertThat(out.toString().lines()).hasSize(ids.length).first().asString().endsWith("\"if\"");
    assertThat(out.toString()).contains("\":\\n\"");
  }

  @Test
  void anEmptyTextHasNoTokens() {
    LARGE.save(run.resolve("tokenizer"));
    assertThat(tokenize("--json", "")).isZero();
    assertThat(Json.parse(out.toString()).path("tokens").isEmpty()).isTrue();
  }

  @Test
  void saysWhatCannotBeRead() throws IOException {
    assertThat(tokenize()).isEqualTo(ExitCodes.BAD_INPUT);
    assertThat(err.toString()).contains("vocab.bpe does not exist");
    LARGE.save(run.resolve("tokenizer"));
    assertThat(tokenize("--file", folder.resolve("none.py").toString()))
        .isEqualTo(ExitCodes.BAD_INPUT);
    assertThat(err.toString()).contains("none.py does not exist");
    Path latin = folder.resolve("latin.py");
    Files.write(latin, "ö".getBytes(StandardCharsets.ISO_8859_1));
    assertThat(tokenize("--file", latin.toString())).isEqualTo(ExitCodes.BAD_INPUT);
    assertThat(err.toString()).contains("is not UTF-8 text");
    assertThat(tokenize("--file", latin.toString(), "x")).isEqualTo(ExitCodes.USAGE);
  }

  private int tokenize(String... more) {
    out.getBuffer().setLength(0);
    err.getBuffer().setLength(0);
    String[] args = new String[more.length + 3];
    args[0] = "tokenize";
    args[1] = "--run";
    args[2] = run.toString();
    System.arraycopy(more, 0, args, 3, more.length);
    CommandLine commandLine = Main.commandLine();
    commandLine.setOut(new PrintWriter(out, true));
    commandLine.setErr(new PrintWriter(err, true));
    return commandLine.execute(args);
  }
}
