// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.filigree.experiment.Quickstart;
import dev.filigree.experiment.QuickstartResult;
import dev.filigree.json.Json;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** Runs the whole way with a few steps of training: nothing is learnt, everything is written. */
@Tag("native")
class QuickstartCommandTest {
  @TempDir static Path folder;

  private static Path run;
  private static Outcome first;

  private record Outcome(int code, String out, String err) {
    JsonNode json() {
      return Json.parse(out);
    }
  }

  @BeforeAll
  static void quickstart() {
    run = folder.resolve("quickstart");
    first = execute("--json");
  }

  @Test
  void printsOneObjectWithAModelOnEitherSide() {
    assertThat(first.code()).as(first.err()).isEqualTo(ExitCodes.OK);
    JsonNode json = first.json();
    assertThat(json.path("seconds").asDouble()).isPositive();
    assertThat(json.at("/pretraining/sparse_loss").asDouble()).isPositive();
    assertThat(json.at("/pretraining/dense_loss").asDouble()).isPositive();
    assertThat(json.path("tasks")).hasSize(2);
    assertThat(json.at("/tasks/0/task").asText()).isEqualTo("single_double_quote");
    assertThat(json.at("/tasks/0/sparse/model_loss_final").asDouble()).isPositive();
  }

  @Test
  void aTaskThatTheModelDoesNotDoHasNoCircuitAndSaysSo() {
    JsonNode side = first.json().at("/tasks/0/sparse");
    assertThat(side.path("model_loss_final").asDouble()).isGreaterThan(0.15);
    assertThat(side.path("nodes").isNull()).isTrue();
    assertThat(side.path("holds").asBoolean()).isFalse();
    assertThat(first.json().at("/tasks/0/edge_ratio").isNull()).isTrue();
    assertThat(execute().out()).contains("the model does not do it").contains("report.html");
  }

  @Test
  void leavesTwoRunsOfOneTextAndTheComparison() throws IOException {
    for (String model : List.of("sparse", "dense")) {
      assertThat(run.resolve(model).resolve("run.json")).exists();
      assertThat(run.resolve(model).resolve("evidence/single_double_quote.json")).exists();
    }
    assertThat(Files.readAllBytes(run.resolve("dense/tokenizer/vocab.bpe")))
        .isEqualTo(Files.readAllBytes(run.resolve("sparse/tokenizer/vocab.bpe")));
    JsonNode dense = Json.parse(Files.readString(run.resolve("dense/run.json")));
    assertThat(dense.at("/config/model/afrac").isNull()).isTrue();
    assertThat(dense.at("/engine/plan/name").asText()).isEqualTo("fast");
    assertThat(dense.at("/engine/plan/crossover").asDouble()).isBetween(0.0, 1.0);
    assertThat(dense.at("/engine/plan/dense_crossover").asDouble()).isBetween(0.0, 1.0);
    QuickstartResult written =
        Json.read(Files.readString(run.resolve(Quickstart.FILE)), QuickstartResult.class);
    assertThat(written.tasks()).hasSize(2);
  }

  @Test
  void startedAgainItTakesWhatIsThere() throws IOException {
    byte[] before = Files.readAllBytes(run.resolve("sparse/metrics.jsonl"));
    Outcome again = execute("--json");
    assertThat(again.code()).isEqualTo(ExitCodes.OK);
    assertThat(again.json().path("tasks")).isEqualTo(first.json().path("tasks"));
    assertThat(Files.readAllBytes(run.resolve("sparse/metrics.jsonl"))).isEqualTo(before);
  }

  @Test
  void doesNotMixConfigurationsInOneFolder() {
    Outcome other = execute("--set=train.lr=0.01");
    assertThat(other.code()).isEqualTo(ExitCodes.BAD_INPUT);
    assertThat(other.err()).contains("another configuration");
  }

  private static Outcome execute(String... more) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    CommandLine commandLine = Main.commandLine();
    commandLine.setOut(new PrintWriter(out, true));
    commandLine.setErr(new PrintWriter(err, true));
    List<String> args =
        new ArrayList<>(
            List.of(
                "quickstart",
                "--preset=nano",
                "--run=" + run,
                "--threads=1",
                "--task=single_double_quote",
                "--task=bracket_counting",
                "--set=train.steps=5",
                "--set=data.corpora.0.bytes=200000",
                "--set=train.batch_size=4",
                "--set=prune.train_pairs=32",
                "--set=prune.final_pairs=16",
                "--set=prune.mean_sequences=8"));
    args.addAll(List.of(more));
    int code = commandLine.execute(args.toArray(String[]::new));
    return new Outcome(code, out.toString(), err.toString());
  }
}
