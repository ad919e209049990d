// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.filigree.experiment.Experiment;
import dev.filigree.experiment.Presets;
import dev.filigree.json.Json;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

/** Runs the command line as users do, without a trained model. */
class CommandLineTest {
  @TempDir Path folder;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @ParameterizedTest
  @ValueSource(
      strings = {
        "train",
        "eval",
        "prune",
        "evidence",
        "check",
        "trace",
        "report",
        "generate",
        "runs",
        "tokenize",
        "doctor"
      })
  void everyVerbHasHelpWithExamplesAndExitCodes(String verb) {
    assertThat(run(verb, "--help")).isZero();
    assertThat(out.toString())
        .contains("Usage: filigree " + verb)
        .contains("Examples:")
        .contains("  filigree " + verb)
        .contains("Exit codes:");
    assertThat(err.toString()).isEmpty();
  }

  @Test
  void helpListsTheVerbs() {
    assertThat(run("--help")).isZero();
    assertThat(out.toString())
        .contains(
            "train",
            "eval",
            "prune",
            "evidence",
            "check",
            "trace",
            "check",
            "trace",
            "report",
            "generate",
            "runs",
            "tokenize",
            "doctor",
            "130");
  }

  @Test
  void misspeltVerbAndOptionAreUsageErrorsWithAHint() {
    assertThat(run("evidense")).isEqualTo(ExitCodes.USAGE);
    assertThat(err.toString()).contains("evidense").contains("filigree evidence");
    assertThat(run("train", "--presett", "nano")).isEqualTo(ExitCodes.USAGE);
    assertThat(err.toString()).contains("--preset");
    assertThat(run("prune")).isEqualTo(ExitCodes.USAGE);
    assertThat(err.toString()).contains("--task");
  }

  @Test
  void unknownConfigurationKeyIsNamedWithTheNearest() {
    assertThat(train("--set", "train.stepz=5")).isEqualTo(ExitCodes.USAGE);
    assertThat(err.toString()).contains("train.stepz").contains("\"train.steps\"");
    assertThat(folder.resolve("run")).doesNotExist();
  }

  @Test
  void impossibleConfigurationLeavesNoRunBehind() {
    assertThat(train("--set", "model.d_model=65")).isEqualTo(ExitCodes.USAGE);
    assertThat(train("--set", "train.steps")).isEqualTo(ExitCodes.USAGE);
    assertThat(train("--preset", "huge")).isEqualTo(ExitCodes.USAGE);
    assertThat(err.toString()).contains("nano, tiny, small, medium, paper");
    assertThat(folder.resolve("run")).doesNotExist();
  }

  @Test
  void resumeTakesNoConfiguration() {
    assertThat(run("train", "--resume", "--preset", "nano")).isEqualTo(ExitCodes.USAGE);
    assertThat(err.toString()).contains("--resume");
    assertThat(run("train", "--checkpoint", "5")).isEqualTo(ExitCodes.USAGE);
  }

  @Test
  void wrongDeviceIsAUsageError() {
    assertThat(train("--device", "abacus")).isEqualTo(ExitCodes.USAGE);
    assertThat(err.toString()).contains("abacus");
  }

  @Test
  void missingRunIsBadInput() {
    assertThat(run("eval", "--run", folder.resolve("none").toString()))
        .isEqualTo(ExitCodes.BAD_INPUT);
    assertThat(err.toString()).contains("there is no run in");
  }

  @Test
  void reportIsWrittenIntoItsFolderOrWhereItIsAskedFor() {
    Path run = folder.resolve("run");
    Experiment.create(run, Presets.NANO.config(), Presets.NANO);
    assertThat(run("report", run.toString())).isZero();
    assertThat(out.toString().strip()).isEqualTo(run.resolve("report.html").toString());
    assertThat(run.resolve("report.html")).content().contains("<!doctype html>");

    Path page = folder.resolve("elsewhere").resolve("page.html");
    assertThat(run("report", run.toString(), "--out", page.toString(), "--json")).isZero();
    assertThat(Json.parse(out.toString()).path("report").asText()).isEqualTo(page.toString());
    assertThat(page).exists();
  }

  @Test
  void reportOfNoRunIsBadInput() {
    assertThat(run("report", folder.toString())).isEqualTo(ExitCodes.BAD_INPUT);
    assertThat(err.toString()).contains("there is no run in");
    Experiment.create(folder.resolve("run"), Presets.NANO.config(), Presets.NANO);
    assertThat(run("report", folder.resolve("run").toString(), "--out", "/dev/null/page.html"))
        .isEqualTo(ExitCodes.BAD_INPUT);
    assertThat(err.toString()).contains("cannot write");
  }

  @Test
  void unknownTaskNamesThoseThereAre() {
    assertThat(run("prune", "--task", "nonsense")).isEqualTo(ExitCodes.USAGE);
    assertThat(err.toString()).contains("single_double_quote");
  }

  @Test
  void runsAreListedWithNestedOnesAndCompared() {
    String runs = folder.toString();
    assertThat(run("runs", "--runs", runs)).isZero();
    assertThat(out.toString()).contains("no run");
    Experiment.create(folder.resolve("q/sparse"), Presets.NANO.config(), Presets.NANO);
    Experiment.create(folder.resolve("b"), Presets.NANO.config().with("train.lr", "0.5"));
    assertThat(run("runs", "--runs", runs)).isZero();
    assertThat(out.toString()).containsPattern("(?s)\nb +- .*\nq/sparse +nano ");
    assertThat(run("runs", "--runs", runs, "q/sparse", "b")).isZero();
    assertThat(out.toString()).containsPattern("train.lr +0.05 +0.5").doesNotContain("train.steps");
    assertThat(run("runs", "--runs", runs, "--json", "q/sparse", "b")).isZero();
    JsonNode json = Json.parse(out.toString());
    assertThat(json.path("config")).hasSize(1);
    assertThat(json.at("/config/0/key").asText()).isEqualTo("train.lr");
    assertThat(json.at("/first/loss").isNull()).isTrue();
    assertThat(run("runs", "--runs", runs, "b")).isEqualTo(ExitCodes.USAGE);
    assertThat(run("runs", "--runs", runs, "b", "c")).isEqualTo(ExitCodes.BAD_INPUT);
  }

  @Test
  void jsonIsOneValueInFailure() {
    int code = run("eval", "--json", "--run", folder.resolve("none").toString());
    JsonNode json = Json.parse(out.toString());
    assertThat(json.path("exit_code").asInt()).isEqualTo(code);
    assertThat(json.path("error").asText()).contains("there is no run in");
  }

  @Test
  @Tag("native")
  void runWithoutCheckpointSaysSo() {
    Path run = folder.resolve("run");
    Experiment.create(run, Presets.NANO.config(), Presets.NANO);
    assertThat(run("eval", "--run", run.toString())).isEqualTo(ExitCodes.BAD_INPUT);
    assertThat(err.toString()).contains("no checkpoint");
  }

  @Test
  @Tag("native")
  void emptyCorpusFolderIsBadInput() throws IOException {
    Path empty = Files.createDirectory(folder.resolve("empty"));
    assertThat(train("--corpus", empty.toString())).isEqualTo(ExitCodes.BAD_INPUT);
    assertThat(err.toString()).contains("empty");
  }

  @Test
  @Tag("native")
  void doctorFindsThisMachineHealthy() {
    assertThat(run("doctor", "--json")).isZero();
    JsonNode json = Json.parse(out.toString());
    assertThat(json.path("healthy").asBoolean()).isTrue();
    assertThat(json.path("checks"))
        .extracting(c -> c.path("name").asText())
        .contains("JDK", "Maven", "CMake", "LibTorch", "Native core");
  }

  private int train(String... more) {
    String[] args = new String[more.length + 5];
    args[0] = "train";
    args[1] = "--run";
    args[2] = folder.resolve("run").toString();
    args[3] = "--threads";
    args[4] = "1";
    System.arraycopy(more, 0, args, 5, more.length);
    return run(args);
  }

  private int run(String... args) {
    out.getBuffer().setLength(0);
    err.getBuffer().setLength(0);
    CommandLine commandLine = Main.commandLine();
    commandLine.setOut(new PrintWriter(out, true));
    commandLine.setErr(new PrintWriter(err, true));
    return commandLine.execute(args);
  }
}
