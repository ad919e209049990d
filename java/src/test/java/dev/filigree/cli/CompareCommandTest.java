// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.filigree.circuit.Circuit;
import dev.filigree.json.Json;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/**
 * Makes a grid of models that have hardly learnt anything: losses and circuits are poor, but there.
 */
@Tag("native")
@Timeout(value = 10, unit = TimeUnit.MINUTES)
class CompareCommandTest {
  /** Guessing meets the higher one; nothing meets the other. */
  private static final List<String> TINY_GRID =
      List.of(
          "--preset=nano",
          "--threads=1",
          "--widths=32,64",
          "--kept=1/4",
          "--dense-widths=16,32",
          "--steps=12,6",
          "--tasks=single_double_quote",
          "--target=1",
          "--curve=0.1",
          "--variant=revive:train.sparsity.revive.every=4",
          "--variant=taught:train.distill.weight=0.5",
          "--set=data.corpora.0.bytes=200000",
          "--set=train.batch_size=4",
          "--set=prune.train_pairs=32",
          "--set=prune.final_pairs=16",
          "--set=prune.mean_sequences=8",
          "--set=prune.fast.masks.steps=10",
          "--json");

  @TempDir static Path folder;

  private static Path run;
  private static Outcome first;

  private record Outcome(int code, String out, String err) {
    JsonNode json() {
      return Json.parse(out);
    }
  }

  @BeforeAll
  static void compare() {
    run = folder.resolve("compare");
    first = execute(run);
  }

  @Test
  void printsOneObjectWithACellForEveryModel() {
    assertThat(first.code()).as(first.err()).isEqualTo(ExitCodes.OK);
    JsonNode json = first.json();
    // Two dense, two widths, two dense and one sparse of fewer steps, two variants.
    assertThat(json.path("cells")).hasSize(9);
    assertThat(json.path("tasks")).hasSize(1);
    for (String key : List.of("edge_ratio", "interval", "node_ratio")) {
      assertThat(json.has(key)).as(key).isTrue();
    }
    for (JsonNode cell : json.path("cells")) {
      assertThat(cell.at("/model/loss").asDouble()).isBetween(1.0, 10.0);
      assertThat(cell.at("/model/searches")).hasSize(1);
      assertThat(
              Files.isRegularFile(run.resolve(cell.at("/model/run").asText()).resolve("run.json")))
          .isTrue();
    }
    for (JsonNode cell : json.path("cells")) {
      JsonNode points = cell.at("/model/searches/0/points");
      assertThat(points.findValuesAsText("target")).containsExactly("0.1", "1.0");
      assertThat(points.findValuesAsText("reached")).containsExactly("false", "true");
    }
    assertThat(json.at("/cells/8/model/variant").asText()).isEqualTo("taught");
    assertThat(json.path("limits")).isNotEmpty();
    assertThat(first.err())
        .contains("9 of 9 models to make: for one process")
        .contains("9 of 9 models are");
  }

  @Test
  void allModelsReadOneTextAndTheTaughtOneNamesItsTeacher() throws IOException {
    JsonNode cells = first.json().path("cells");
    JsonNode teacher = null;
    for (JsonNode cell : cells) {
      JsonNode manifest = manifest(cell);
      assertThat(manifest.path("tokenizer")).isEqualTo(manifest(cells.get(0)).path("tokenizer"));
      assertThat(manifest.path("corpora")).isEqualTo(manifest(cells.get(0)).path("corpora"));
      teacher = manifest.path("teacher");
    }
    assertThat(teacher.path("run").asText()).contains("dense-32-");
    try (Stream<Path> texts = Files.list(run.resolve("text")).filter(Files::isDirectory)) {
      assertThat(texts).hasSize(1);
    }
  }

  private static JsonNode manifest(JsonNode cell) throws IOException {
    return Json.parse(
        Files.readString(run.resolve(cell.at("/model/run").asText()).resolve("run.json")));
  }

  @Test
  void circuitsOfTheRunsAreThoseThatCount() throws IOException {
    for (JsonNode cell : first.json().path("cells")) {
      Path circuits = run.resolve(cell.at("/model/run").asText()).resolve("circuits");
      for (JsonNode search : cell.at("/model/searches")) {
        Circuit circuit = Circuit.read(circuits.resolve(search.path("task").asText() + ".json"));
        assertThat(circuit.targetLoss()).isEqualTo(1);
        JsonNode counted = search.path("points").get(1);
        assertThat(counted.path("target").asDouble()).isEqualTo(1);
        assertThat(circuit.counts().edges()).isEqualTo(counted.path("edges").asInt());
      }
    }
  }

  @Test
  void startedAgainItMakesNothing() throws IOException {
    TreeMap<Path, Long> before = times();
    Outcome again = execute(run);
    assertThat(again.code()).as(again.err()).isEqualTo(ExitCodes.OK);
    assertThat(again.json().path("cells")).isEqualTo(first.json().path("cells"));
    assertThat(again.err()).contains("all 9 models are done");
    assertThat(times()).isEqualTo(before);
  }

  @Test
  void anotherTargetSearchesAgainAndTrainsNothing() throws IOException {
    TreeMap<Path, Long> before = times();
    List<Path> searched = searches();
    Outcome other = execute(run, "--target=0.95");
    assertThat(other.code()).as(other.err()).isEqualTo(ExitCodes.OK);
    assertThat(times()).isEqualTo(before);
    for (JsonNode cell : other.json().path("cells")) {
      JsonNode points = cell.at("/model/searches/0/points");
      assertThat(points.findValuesAsText("target")).containsExactly("0.1", "0.95");
    }
    assertThat(searches()).hasSize(searched.size() + 9);
    // Leave it as it was found; the searches of the first target are still there.
    assertThat(execute(run).json().path("cells")).isEqualTo(first.json().path("cells"));
  }

  @Test
  void modelsOfAnotherComparisonAreTakenAndItsCircuitsStay() throws IOException {
    TreeMap<Path, Long> before = times();
    Path other = folder.resolve("other");
    Outcome shared = execute(other, "--cells=" + run, "--set=prune.fast.edges=false");
    assertThat(shared.code()).as(shared.err()).isEqualTo(ExitCodes.OK);
    assertThat(times()).isEqualTo(before);
    assertThat(other.resolve("cells")).doesNotExist();
    assertThat(other.resolve("report.html")).exists();
    for (JsonNode cell : shared.json().path("cells")) {
      assertThat(other.resolve(cell.at("/model/run").asText()).resolve("run.json")).exists();
    }
    assertThat(shared.json().path("settings").findValuesAsText("key")).contains("prune.fast.edges");
    circuitsOfTheRunsAreThoseThatCount();
    assertThat(execute(run).json().path("cells")).isEqualTo(first.json().path("cells"));
  }

  @Test
  void reportShowsTheComparison() throws IOException {
    Path page = folder.resolve("page.html");
    StringWriter out = new StringWriter();
    CommandLine commandLine = Main.commandLine();
    commandLine.setOut(new PrintWriter(out, true));
    assertThat(commandLine.execute("report", run.toString(), "--out=" + page)).isZero();
    assertThat(Files.readString(page)).contains("Filigree comparison").contains("dense 32");
  }

  @Test
  void severalProcessesShareTheWork() throws Exception {
    Path shared = folder.resolve("shared");
    List<Process> processes = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      List<String> arguments = arguments(shared);
      List<String> words =
          CommandProcess.words(List.of(CommandProcess.ALLOW), arguments.toArray(String[]::new));
      processes.add(
          new ProcessBuilder(words)
              .redirectOutput(folder.resolve("out" + i).toFile())
              .redirectError(folder.resolve("err" + i).toFile())
              .start());
    }
    List<JsonNode> results = new ArrayList<>();
    List<String> complaints = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      assertThat(processes.get(i).waitFor(8, TimeUnit.MINUTES)).isTrue();
      complaints.add(Files.readString(folder.resolve("err" + i)));
      assertThat(processes.get(i).exitValue()).as(complaints.get(i)).isZero();
      results.add(Json.parse(Files.readString(folder.resolve("out" + i))));
    }
    assertThat(results.get(0).path("cells")).isEqualTo(results.get(1).path("cells"));
    // Whoever makes a model says so: each is made once.
    List<Integer> made =
        complaints.stream().map(text -> text.split("filigree: model ", -1).length - 1).toList();
    assertThat(made.get(0) + made.get(1)).isEqualTo(9);
    assertThat(made).allMatch(models -> models > 0);
    for (int i = 0; i < 9; i++) {
      assertThat(results.get(0).at("/cells/" + i + "/model/loss"))
          .isEqualTo(first.json().at("/cells/" + i + "/model/loss"));
    }
  }

  @Test
  void refusesWhatCannotBe() {
    assertThat(execute(folder.resolve("no"), "--kept=2").code()).isEqualTo(ExitCodes.USAGE);
    assertThat(execute(folder.resolve("no"), "--widths=40").err())
        .contains("whole number of heads");
    assertThat(execute(folder.resolve("no"), "--kept=a/b").err()).contains("no fraction");
    assertThat(execute(folder.resolve("no"), "--curve=0").err()).contains("is above 0");
    assertThat(execute(folder.resolve("no"), "--dense-set=train.steps=3").err())
        .contains("all models of a comparison have it in common");
    assertThat(execute(folder.resolve("no"), "--model=shipped").code()).isEqualTo(ExitCodes.USAGE);
    assertThat(execute(folder.resolve("no"), "--cells=" + run.resolve("cells")).err())
        .contains("--cells is the folder of a comparison");
    assertThat(execute(folder.resolve("no"), "--set=prune.target_loss=0.2").err())
        .contains("--target says it");
    assertThat(execute(folder.resolve("no"), "--set=train.steps=9").err())
        .contains("--steps says it");
  }

  /** Times of the last change to the weights of every model. */
  private static TreeMap<Path, Long> times() throws IOException {
    TreeMap<Path, Long> times = new TreeMap<>();
    try (Stream<Path> files = Files.walk(run.resolve("cells"))) {
      for (Path file : files.filter(f -> f.endsWith("model.safetensors")).toList()) {
        times.put(file, Files.getLastModifiedTime(file).toMillis());
      }
    }
    return times;
  }

  private static List<Path> searches() throws IOException {
    try (Stream<Path> files = Files.walk(run.resolve("cells"))) {
      return files
          .filter(file -> file.getParent().endsWith("searches"))
          .filter(file -> !file.toString().endsWith(".circuit.json"))
          .toList();
    }
  }

  private static List<String> arguments(Path run, String... more) {
    List<String> args = new ArrayList<>(List.of("compare", "--run=" + run));
    for (String usual : TINY_GRID) {
      String key = usual.substring(0, Math.max(usual.indexOf('='), 0));
      if (key.equals("--set")
          || key.equals("--variant")
          || Stream.of(more).noneMatch(m -> m.startsWith(key + "="))) {
        args.add(usual);
      }
    }
    args.addAll(List.of(more));
    return args;
  }

  private static Outcome execute(Path run, String... more) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    CommandLine commandLine = Main.commandLine();
    commandLine.setOut(new PrintWriter(out, true));
    commandLine.setErr(new PrintWriter(err, true));
    int code = commandLine.execute(arguments(run, more).toArray(String[]::new));
    return new Outcome(code, out.toString(), err.toString());
  }
}
