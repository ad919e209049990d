// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import dev.filigree.TaskStats;
import dev.filigree.TrainConfig;
import dev.filigree.circuit.Checks;
import dev.filigree.circuit.Circuit;
import dev.filigree.circuit.Circuit.Losses;
import dev.filigree.circuit.Circuit.Pair;
import dev.filigree.circuit.Evidence;
import dev.filigree.circuit.Evidence.Prompt;
import dev.filigree.circuit.Grade;
import dev.filigree.data.Tokenizer;
import dev.filigree.experiment.RunConfig;
import dev.filigree.experiment.RunFolder;
import dev.filigree.json.Json;
import dev.filigree.task.ExampleBuilder;
import dev.filigree.task.Split;
import dev.filigree.task.Task;
import dev.filigree.task.TaskFile;
import dev.filigree.task.Tasks;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import picocli.CommandLine;

/** Runs the verbs on a model that was trained for a few steps: it can do nothing, they must. */
@Tag("native")
class RunCommandsTest {
  private static final int STEPS = 4;

  @TempDir static Path folder;

  private static Path run;
  private static Outcome trained;

  /** What a command left: its exit code, its output as one JSON value, its complaints. */
  private record Outcome(int code, JsonNode json, String err) {}

  @BeforeAll
  static void train() {
    run = folder.resolve("run");
    trained = train(run);
  }

  @Test
  void trainReportsWhatItDid() {
    assertThat(trained.code()).as(trained.err()).isEqualTo(ExitCodes.OK);
    assertThat(trained.json().path("finished").asBoolean()).isTrue();
    assertThat(trained.json().path("step").asInt()).isEqualTo(STEPS);
    assertThat(trained.json().at("/test_xent_by_corpus/tinypython").asDouble()).isPositive();
  }

  @Test
  void evalReportsTheLossOfEveryCorpus() {
    Outcome outcome = execute("eval", "--run", run.toString());
    assertThat(outcome.code()).as(outcome.err()).isEqualTo(ExitCodes.OK);
    assertThat(outcome.json().path("step").asInt()).isEqualTo(STEPS);
    assertThat(outcome.json().at("/test_xent_by_corpus/tinypython").asDouble()).isPositive();
    assertThat(outcome.json().path("nonzeros").asLong())
        .isPositive()
        .isLessThan(outcome.json().path("parameters").asLong());
  }

  @Test
  void evalScoresTheModelOnEveryTask() throws IOException {
    Path file = marksOfMyOwn();
    Outcome outcome = execute("eval", "--tasks", "--task-file=" + file, "--run", run.toString());
    assertThat(outcome.code()).as(outcome.err()).isEqualTo(ExitCodes.OK);
    JsonNode tasks = outcome.json().path("tasks");
    assertThat(tasks.valueStream().map(task -> task.path("task").asText()))
        .containsExactlyElementsOf(
            Stream.of(
                    Tasks.all().stream().map(Task::name),
                    Stream.of("my_marks"),
                    Tasks.controls().stream().map(Task::name))
                .flatMap(names -> names)
                .toList());
    assertThat(tasks.valueStream().filter(task -> task.path("control").asBoolean()))
        .hasSize(Tasks.controls().size());
    for (JsonNode task : tasks) {
      assertThat(task.path("learnt").asBoolean(true)).isFalse();
      // Either it is scored, or it says why it cannot be.
      assertThat(task.path("model").isNull()).isEqualTo(task.path("reason").isTextual());
    }
    assertThat(tasks.at("/0/model/validation/loss").asDouble()).isBetween(0.5, 0.75);
  }

  @Test
  void circuitsAreFoundOfTasksOfOnesOwn() throws IOException {
    Path file = marksOfMyOwn();
    Path circuit = run.resolve("circuits/my_marks.json");
    try {
      Outcome found =
          execute(
              "prune",
              "--task=my_marks",
              "--task-file=" + file,
              "--run=" + run,
              "--set=prune.target_loss=1");
      assertThat(found.code()).as(found.err()).isEqualTo(ExitCodes.OK);
      assertThat(found.json().at("/circuit/task").asText()).isEqualTo("my_marks");
      assertThat(circuit).isRegularFile();

      Outcome checked =
          execute("evidence", "--task=my_marks", "--task-file=" + file, "--run=" + run);
      assertThat(checked.code()).as(checked.err()).isEqualTo(ExitCodes.NOT_LEARNT);
      assertThat(checked.json().at("/tasks/0/task").asText()).isEqualTo("my_marks");

      Outcome without = execute("evidence", "--task=my_marks", "--run=" + run);
      assertThat(without.code()).isEqualTo(ExitCodes.USAGE);
      assertThat(without.err()).contains("there is no task 'my_marks'", "--task-file");
    } finally {
      Files.deleteIfExists(circuit);
      Files.deleteIfExists(run.resolve("evidence/my_marks.json"));
    }
  }

  /** The pairs of a task of Filigree under a name of one's own. */
  private static Path marksOfMyOwn() throws IOException {
    ExampleBuilder builder =
        new ExampleBuilder(
            Tasks.named("single_double_quote"), Tokenizer.load(run.resolve("tokenizer")), 64);
    StringBuilder lines = new StringBuilder();
    for (Split split : Split.values()) {
      lines.append(
          builder
              .build(split, TaskFile.LEAST_PAIRS, 1)
              .toJsonLines()
              .replace("\"task\":\"single_double_quote\"", "\"task\":\"my_marks\""));
    }
    return Files.writeString(folder.resolve("marks.jsonl"), lines);
  }

  @Test
  void pruneOfAModelThatHasNotLearntTheTaskSaysItsLoss() {
    Outcome outcome = prune();
    assertThat(outcome.code()).isEqualTo(ExitCodes.NOT_LEARNT);
    assertThat(outcome.err()).contains("has not learnt single_double_quote");
    assertThat(outcome.json().at("/model/validation/loss").asDouble()).isGreaterThan(0.15);
    assertThat(outcome.json().path("exit_code").asInt()).isEqualTo(ExitCodes.NOT_LEARNT);
  }

  @Test
  void pruneSearchesWhatTheModelDoesNotDoWhenTold() throws IOException {
    Outcome outcome = prune("--unlearnt");
    assertThat(outcome.code()).as(outcome.err()).isEqualTo(ExitCodes.NOT_LEARNT);
    assertThat(outcome.err()).doesNotContain("has not learnt");
    Circuit circuit = Circuit.read(Path.of(outcome.json().path("file").asText()));
    assertThat(circuit.reached()).isFalse();
    assertThat(circuit.losses().validation().circuit().loss()).isGreaterThan(0.15);
  }

  @Test
  void pruneWritesTheCircuitThatItPrints() throws IOException {
    // Guessing meets this target.
    Outcome outcome = prune("--set", "prune.target_loss=1");
    assertThat(outcome.code()).as(outcome.err()).isEqualTo(ExitCodes.OK);
    Circuit circuit = Circuit.read(Path.of(outcome.json().path("file").asText()));
    assertThat(outcome.json().path("circuit")).isEqualTo(Json.parse(circuit.toJson()));
    assertThat(circuit.source().step()).isEqualTo(STEPS);
    assertThat(circuit.nodes()).hasSizeLessThan(10);
    assertThat(circuit.counts().extendedEdges())
        .isGreaterThanOrEqualTo(
            circuit.edges().size() + circuit.embeddings().size() + circuit.unembeddings().size());
  }

  @Test
  void benchPruneMeasuresBothMethodsAndTakesWhatItsRecordHas() {
    String[] command = {
      "bench",
      "prune",
      "--run=" + run,
      "--task=single_double_quote",
      "--runs=1",
      "--set=prune.target_loss=1",
      "--set=prune.published.masks.steps=2",
      "--out=" + folder.resolve("bench-prune.json")
    };
    Outcome outcome = execute(command);
    assertThat(outcome.code()).as(outcome.err()).isEqualTo(ExitCodes.OK);
    JsonNode row = outcome.json().at("/tasks/0");
    assertThat(row.path("task").asText()).isEqualTo("single_double_quote");
    for (String method : List.of("fast", "published")) {
      JsonNode found = row.path(method);
      assertThat(found.path("seconds").asDouble()).as(method).isPositive();
      assertThat(found.path("nodes").isInt()).as(method).isTrue();
      assertThat(found.path("edges").isInt()).as(method).isTrue();
      assertThat(found.path("loss_final").asDouble()).as(method).isBetween(0.0, 1.0);
      assertThat(found.path("reached").asBoolean()).as(method).isTrue();
    }
    assertThat(outcome.json().at("/totals/seconds_ratio").asDouble()).isPositive();
    // Were it measured again, the seconds would differ.
    assertThat(execute(command).json()).isEqualTo(outcome.json());
  }

  @Test
  void pruneRunsThePublishedMethodAsOftenAsItIsTold() throws IOException {
    Outcome outcome =
        prune(
            "--method=published",
            "--set=prune.published.runs=2",
            "--set=prune.published.masks.steps=2",
            "--set=prune.target_loss=1");
    assertThat(outcome.code()).as(outcome.err()).isEqualTo(ExitCodes.OK);
    assertThat(outcome.err()).contains("run 2 of 2");
    Circuit circuit = Circuit.read(Path.of(outcome.json().path("file").asText()));
    assertThat(circuit.method().name()).isEqualTo("published");
    assertThat(circuit.counts().edges())
        .as("it leaves out no edge")
        .isEqualTo(circuit.counts().weights());

    Outcome unknown = prune("--method=slow");
    assertThat(unknown.code()).isEqualTo(ExitCodes.USAGE);
    assertThat(unknown.err()).contains("\"slow\"", "fast and published");
  }

  @Test
  void pruneFindsAWholeCurveOfCircuits() throws IOException {
    Outcome outcome = prune("--targets=1,0.9", "--set=prune.target_loss=1");
    assertThat(outcome.code()).as(outcome.err()).isEqualTo(ExitCodes.OK);
    assertThat(outcome.json().path("file").asText()).endsWith("curves/single_double_quote.json");
    JsonNode written = Json.parse(Files.readString(Path.of(outcome.json().path("file").asText())));
    assertThat(written.path("circuits")).isEqualTo(outcome.json().path("circuits"));
    assertThat(written.path("circuits").valueStream().map(c -> c.path("target_loss").asDouble()))
        .containsExactly(1.0, 0.9);
    assertThat(prune("--targets=0").code()).isEqualTo(ExitCodes.USAGE);

    Outcome published =
        prune(
            "--targets=1,0.9",
            "--method=published",
            "--set=prune.published.runs=2",
            "--set=prune.published.masks.steps=2",
            "--set=prune.target_loss=1");
    assertThat(published.code()).as(published.err()).isEqualTo(ExitCodes.OK);
    assertThat(published.err()).as("one search for both").containsOnlyOnce("run 2 of 2");
    assertThat(published.json().path("circuits")).hasSize(2);
  }

  @Test
  void circuitsUnderFrozenNormsAreCheckedUnderThem() throws IOException {
    String frozen = "--set=prune.options.frozen_norms=true";
    Outcome outcome = prune(frozen, "--set=prune.target_loss=1");
    assertThat(outcome.code()).as(outcome.err()).isEqualTo(ExitCodes.OK);
    assertThat(outcome.json().at("/circuit/method/options/frozen_norms").asBoolean()).isTrue();
    Outcome evidence = execute("evidence", "--task=single_double_quote", "--run", run.toString());
    assertThat(evidence.code()).as(evidence.err()).isEqualTo(ExitCodes.NOT_LEARNT);
    assertThat(evidence.json().at("/tasks/0/loss_final").asDouble())
        .isCloseTo(
            outcome.json().at("/circuit/losses/final/circuit/loss").asDouble(), within(1e-5));
  }

  @Test
  void circuitsListTheTokensThatTheyTellApart() throws IOException {
    Outcome outcome = prune("--set=prune.tokens=true", "--set=prune.target_loss=1");
    assertThat(outcome.code()).as(outcome.err()).isEqualTo(ExitCodes.OK);
    // Guessing meets the target, so there is nothing to tell apart.
    assertThat(outcome.json().at("/circuit/tokens").isArray()).isTrue();
    assertThat(outcome.json().at("/circuit/tokens")).isEmpty();
    Outcome evidence = execute("evidence", "--task=single_double_quote", "--run", run.toString());
    assertThat(evidence.json().at("/tasks/0/loss_final").asDouble())
        .isCloseTo(
            outcome.json().at("/circuit/losses/final/circuit/loss").asDouble(), within(1e-5));

    Outcome without = prune("--set=prune.target_loss=1");
    assertThat(without.json().at("/circuit/tokens").isNull()).isTrue();
  }

  @Test
  void pruneOfAllTasksSaysWhichTheModelDoesNotDo() throws IOException {
    Outcome outcome = execute("prune", "--task=all", "--run=" + run, "--set=prune.train_pairs=32");
    assertThat(outcome.code()).as(outcome.err()).isEqualTo(ExitCodes.OK);
    assertThat(outcome.json().path("tasks")).hasSize(Tasks.all().size());
    assertThat(outcome.json().path("tasks"))
        .allSatisfy(task -> assertThat(task.path("reason").isTextual()).isTrue());

    Outcome withOwn =
        execute(
            "prune",
            "--task=all",
            "--task-file=" + marksOfMyOwn(),
            "--run=" + run,
            "--set=prune.train_pairs=32");
    assertThat(withOwn.json().path("tasks").valueStream().map(task -> task.path("task").asText()))
        .endsWith("my_marks")
        .hasSize(Tasks.all().size() + 1);
  }

  @Test
  void bothMethodsAreTimedOnTheSameTask() {
    List<String> args =
        List.of(
            "bench",
            "prune",
            "--run=" + run,
            "--task=single_double_quote,set_or_string",
            "--runs=2",
            "--set=prune.target_loss=1",
            "--set=prune.fast.masks.steps=2",
            "--set=prune.published.masks.steps=2",
            "--set=prune.train_pairs=32",
            "--set=prune.mean_sequences=8");
    Outcome table = execute(args.toArray(String[]::new));
    assertThat(table.code()).as(table.err()).isEqualTo(ExitCodes.OK);
    JsonNode json = table.json();
    assertThat(json.path("runs").asInt()).isEqualTo(2);
    assertThat(json.path("tasks").size() + json.path("skipped").size()).isEqualTo(2);
    assertThat(json.path("tasks")).isNotEmpty();
    for (JsonNode task : json.path("tasks")) {
      for (String method : List.of("fast", "published")) {
        JsonNode found = task.path(method);
        assertThat(found.path("seconds").asDouble()).isPositive();
        assertThat(found.path("reached").asBoolean()).isTrue();
        assertThat(found.path("loss_final").asDouble()).isLessThan(1.1);
        assertThat(found.path("edges").asInt()).isLessThanOrEqualTo(found.path("weights").asInt());
      }
    }
    assertThat(json.at("/totals/seconds_ratio").asDouble()).isPositive();
  }

  @Test
  void trainingEndsAtTheLossItIsToStopAt() {
    Path early = folder.resolve("early");
    Outcome outcome = train(early, "--set=run.stop_loss=6.2", "--set=run.eval_every=1");
    assertThat(outcome.code()).as(outcome.err()).isEqualTo(ExitCodes.OK);
    assertThat(outcome.json().path("finished").asBoolean()).isTrue();
    int step = outcome.json().path("step").asInt();
    assertThat(step).isBetween(1, 1_499);
    double loss = outcome.json().path("test_xent").asDouble();
    assertThat(loss).isBetween(5.0, 6.2);

    Outcome resumed = execute("train", "--resume", "--run=" + early);
    assertThat(resumed.json().path("step").asInt()).isEqualTo(step);
    assertThat(resumed.json().path("test_xent").asDouble()).isEqualTo(loss);
  }

  @Test
  void anOrdinaryTransformerOfAnotherWidthIsTrained() throws IOException {
    Path dense = folder.resolve("dense");
    Outcome outcome = train(dense, "--dense=32", "--set=train.steps=2");
    assertThat(outcome.code()).as(outcome.err()).isEqualTo(ExitCodes.OK);
    RunConfig config = RunFolder.open(dense).config();
    assertThat(config.model().dModel()).isEqualTo(32);
    assertThat(config.model().afrac()).isNull();
    assertThat(config.train().sparsity().fractions()).isEqualTo(TrainConfig.Fractions.DENSE);
    assertThat(config.train().steps()).isEqualTo(2);
    assertThat(config.data()).isEqualTo(RunFolder.open(run).config().data());

    Outcome none = train(folder.resolve("none"), "--dense=0");
    assertThat(none.code()).isEqualTo(ExitCodes.USAGE);
    assertThat(none.err()).contains("a dense width is at least 1");
  }

  @Test
  void aModelLearnsFromTheOneItsTeacherIs() throws IOException {
    Path taught = folder.resolve("taught");
    String teacher = "--teacher=" + run;
    String weight = "--set=train.distill.weight=0.5";
    Outcome none = train(taught, "--set=train.steps=4", weight);
    assertThat(none.code()).isEqualTo(ExitCodes.USAGE);
    assertThat(none.err()).contains("--teacher");
    Outcome idle = train(taught, "--set=train.steps=4", teacher);
    assertThat(idle.err()).contains("train.distill.weight is 0");
    assertThat(taught).doesNotExist();

    Outcome outcome = train(taught, "--set=train.steps=4", weight, teacher);
    assertThat(outcome.code()).as(outcome.err()).isEqualTo(ExitCodes.OK);
    JsonNode manifest = Json.parse(Files.readString(taught.resolve("run.json")));
    assertThat(manifest.at("/teacher/step").asInt()).isEqualTo(STEPS);
    Outcome resumed = execute("train", "--resume", "--checkpoint=2", "--run=" + taught);
    assertThat(resumed.code()).as(resumed.err()).isEqualTo(ExitCodes.OK);
    assertThat(resumed.json().path("test_xent")).isEqualTo(outcome.json().path("test_xent"));
  }

  @Test
  void evidenceIsWrittenAsItIsPrintedAndFailsWithTheModel() throws IOException {
    assertThat(prune("--set", "prune.target_loss=1").code()).isEqualTo(ExitCodes.OK);
    Outcome outcome = execute("evidence", "--run", run.toString());
    // The model fails the gate.
    assertThat(outcome.code()).as(outcome.err()).isEqualTo(ExitCodes.NOT_LEARNT);
    JsonNode tasks = outcome.json().path("tasks");
    assertThat(tasks).hasSize(1);
    Evidence evidence = Evidence.read(run.resolve("evidence/single_double_quote.json"));
    assertThat(tasks.get(0)).isEqualTo(Json.parse(evidence.toJson()));
    assertThat(outcome.json().path("holds").asInt())
        .isEqualTo(evidence.checks().last().passed() ? 1 : 0);
    Circuit circuit = Circuit.read(run.resolve("circuits/single_double_quote.json"));
    assertThat(evidence.source()).isEqualTo(circuit.source());
    assertThat(evidence.nodes()).isEqualTo(circuit.counts().nodes());
    assertThat(evidence.model().last()).isEqualTo(circuit.losses().last().model());
    // The core scores in doubles, the evidence from differences in floats.
    assertThat(evidence.lossValidation())
        .isCloseTo(circuit.losses().validation().circuit().loss(), within(1e-5));
    assertThat(evidence.lossFinal())
        .isCloseTo(circuit.losses().last().circuit().loss(), within(1e-5));
    assertThat(evidence.grade()).isEqualTo(Grade.F);
    assertThat(evidence.failed()).contains("gate");
    assertThat(evidence.notRun()).containsExactly("seeds", "random_init", "variants");
    assertThat(tasks.at("/0/checks/seeds").isNull()).isTrue();
    assertThat(tasks.at("/0/grade").asText()).isEqualTo("F");
    Checks checks = evidence.checks();
    assertThat(checks.faithful().sequences()).isEqualTo(256);
    assertThat(checks.ablations().nodes()).hasSameSizeAs(circuit.nodes());
    assertThat(checks.relaxation().steps()).hasSize(3);
    assertThat(checks.resample().draws()).hasSize(2);
    assertThat(evidence.examples()).hasSize(6).extracting(Prompt::template).doesNotHaveDuplicates();
  }

  @Test
  void evidenceIsTakenAsItIsUntilItIsAskedAnew() throws IOException {
    assertThat(prune("--set", "prune.target_loss=1").code()).isEqualTo(ExitCodes.OK);
    JsonNode first = execute("evidence", "--run", run.toString()).json();
    Path file = run.resolve("evidence/single_double_quote.json");
    FileTime old = FileTime.fromMillis(0);
    Files.setLastModifiedTime(file, old);
    assertThat(execute("evidence", "--run", run.toString()).json()).isEqualTo(first);
    assertThat(Files.getLastModifiedTime(file)).isEqualTo(old);
    assertThat(execute("evidence", "--again", "--run", run.toString()).json()).isEqualTo(first);
    assertThat(Files.getLastModifiedTime(file)).isGreaterThan(old);
    // What is there stays until something can take its place.
    Outcome nowhere = execute("evidence", "--again", "--device=cuda:99", "--run", run.toString());
    assertThat(nowhere.code()).isEqualTo(ExitCodes.UNAVAILABLE);
    assertThat(file).exists();
    Files.writeString(file, "{}");
    assertThat(execute("evidence", "--run", run.toString()).json()).isEqualTo(first);
  }

  @Test
  void evidenceOfAllTasksComplainsOfNoneThatTheModelDoesNotDo() throws IOException {
    Files.deleteIfExists(run.resolve("circuits/single_double_quote.json"));
    Outcome all = execute("evidence", "--task=all", "--run", run.toString());
    assertThat(all.code()).as(all.err()).isEqualTo(ExitCodes.OK);
    JsonNode tasks = all.json().path("tasks");
    JsonNode errors = all.json().path("errors");
    assertThat(tasks.size() + errors.size())
        .isEqualTo(Tasks.all().size() + Tasks.controls().size());
    assertThat(tasks.valueStream())
        .allMatch(task -> task.path("grade").asText().equals("F"))
        .anyMatch(task -> task.path("task").asText().equals("control_nonsense"));
    Outcome one = execute("evidence", "--task=single_double_quote", "--run", run.toString());
    assertThat(one.code()).isEqualTo(ExitCodes.NOT_LEARNT);
  }

  @Test
  void askingAnewForNoTaskRemovesNothing() throws IOException {
    Files.createDirectories(run.resolve("evidence"));
    Path other = Files.writeString(run.resolve("other.json"), "{}");
    Outcome outcome = execute("evidence", "--again", "--task=../other", "--run", run.toString());
    assertThat(outcome.err()).contains("there is no task '../other'");
    assertThat(other).exists();
    Files.delete(other);
  }

  @Test
  void fullEvidenceRunsEveryCheck() throws IOException {
    assertThat(prune("--set", "prune.target_loss=1").code()).isEqualTo(ExitCodes.OK);
    Outcome outcome = execute("evidence", "--full", "--run", run.toString());
    assertThat(outcome.code()).as(outcome.err()).isEqualTo(ExitCodes.NOT_LEARNT);
    Evidence evidence = Evidence.read(run.resolve("evidence/single_double_quote.json"));
    assertThat(evidence.notRun()).isEmpty();
    Checks checks = evidence.checks();
    assertThat(checks.seeds().found())
        .hasSize(5)
        .extracting(Checks.Seeds.Found::seed)
        .doesNotHaveDuplicates();
    assertThat(checks.seeds().agreement()).isBetween(0.0, 1.0);
    assertThat(checks.randomInit().modelLoss().mean()).isGreaterThan(0.5);
    assertThat(checks.variants().variants()).isEmpty();
    assertThat(checks.variants().passed()).isNull();
    assertThat(checks.ablations().others())
        .hasSizeBetween(1, 20)
        .isSortedAccordingTo(Comparator.comparing(delta -> -delta.model().mean()));
  }

  @Test
  void checkOfTheSameCheckpointFindsNoDriftAndOfAnEarlierOneComparesIt() throws Exception {
    assertThat(prune("--set", "prune.target_loss=1").code()).isEqualTo(ExitCodes.OK);
    Path circuit = run.resolve("circuits/single_double_quote.json");
    Outcome evidence = execute("evidence", "--run", run.toString());
    assertThat(evidence.code()).as(evidence.err()).isEqualTo(ExitCodes.NOT_LEARNT);
    Path xml = folder.resolve("check.xml");
    Outcome same =
        execute("check", circuit.toString(), "--checkpoint=" + STEPS, "--junit-xml=" + xml);
    assertThat(same.code()).as(same.err()).isEqualTo(ExitCodes.OK);
    assertThat(same.json().path("drifted").asBoolean(true)).isFalse();
    JsonNode found = same.json().at("/circuits/0");
    assertThat(found.path("task").asText()).isEqualTo("single_double_quote");
    assertThat(found.path("checked").path("model_hash"))
        .isEqualTo(found.path("recorded").path("model_hash"));
    Element suite = suites(xml).getFirst();
    assertThat(suite.getAttribute("name")).isEqualTo("single_double_quote");
    assertThat(suite.getAttribute("failures")).isEqualTo("0");
    assertThat(suite.getElementsByTagName("testcase").getLength())
        .isEqualTo(Integer.parseInt(suite.getAttribute("tests")))
        .isEqualTo(found.path("items").size());

    Path early = run.resolve("checkpoints/00000002");
    Outcome other = execute("check", circuit.toString(), "--checkpoint=" + early);
    assertThat(other.json().at("/circuits/0/checked/step").asLong()).isEqualTo(2);
    assertThat(other.json().at("/circuits/0/checked/model_hash"))
        .isNotEqualTo(found.path("recorded").path("model_hash"));
    assertThat(other.code())
        .isEqualTo(other.json().path("drifted").asBoolean() ? ExitCodes.DRIFTED : ExitCodes.OK);
  }

  @Test
  void benchPruneGoesOnWithWhatItHasMeasured() {
    Path file = folder.resolve("prune.json");
    JsonNode first = benchPrune(file, "1");
    assertThat(first.at("/fast/seconds").asDouble()).isPositive();
    assertThat(first.at("/published/seconds").asDouble()).isPositive();
    JsonNode other = benchPrune(file, "0.9"); // which leaves the first row where it is
    assertThat(other.at("/fast/made_by")).isNotEqualTo(first.at("/fast/made_by"));
    assertThat(benchPrune(file, "1")).isEqualTo(first);
    assertThat(benchPrune(file, "0.9")).isEqualTo(other);
    // Another setting of one method leaves what the other one found.
    JsonNode half = benchPrune(file, "1", "--set=prune.fast.margin=0.9");
    assertThat(half.path("published")).isEqualTo(first.path("published"));
    assertThat(half.at("/fast/made_by")).isNotEqualTo(first.at("/fast/made_by"));
  }

  /** The one row of a bench of one task. */
  private static JsonNode benchPrune(Path file, String target, String... more) {
    List<String> args =
        new ArrayList<>(
            List.of(
                "bench",
                "prune",
                "--task=single_double_quote",
                "--runs=1",
                "--run=" + run,
                "--out=" + file,
                "--set=prune.fast.masks.steps=2",
                "--set=prune.published.masks.steps=2",
                "--set=prune.train_pairs=32",
                "--set=prune.mean_sequences=8",
                "--set=prune.target_loss=" + target));
    args.addAll(List.of(more));
    Outcome outcome = execute(args.toArray(String[]::new));
    assertThat(outcome.code()).as(outcome.err()).isEqualTo(ExitCodes.OK);
    assertThat(outcome.json().path("tasks")).hasSize(1);
    return outcome.json().at("/tasks/0");
  }

  @Test
  void checkFitsACircuitNoCalibrationThatItWasFoundWithout() {
    Outcome found = prune("--set=prune.options.calibrate=false", "--set=prune.target_loss=1");
    assertThat(found.code()).as(found.err()).isEqualTo(ExitCodes.OK);
    String circuit = found.json().path("file").asText();
    Outcome outcome = execute("check", circuit, "--checkpoint=" + STEPS);
    assertThat(outcome.json().at("/circuits/0/items").valueStream())
        .filteredOn(item -> item.path("name").asText().equals("loss_final"))
        .singleElement()
        .satisfies(
            item ->
                assertThat(Double.parseDouble(item.path("now").asText()))
                    .isCloseTo(Double.parseDouble(item.path("recorded").asText()), within(1e-5)));
  }

  @Test
  void checkReportsDriftInItsExitCodeItsTextAndItsXml() throws Exception {
    assertThat(prune("--set", "prune.target_loss=1").code()).isEqualTo(ExitCodes.OK);
    Path circuit = run.resolve("circuits/single_double_quote.json");
    Files.deleteIfExists(run.resolve("evidence/single_double_quote.json"));
    Circuit recorded = Circuit.read(circuit);
    // Recorded as if the circuit had been nearly perfect: guessing is drift.
    String text =
        circuit(
            recorded,
            new Losses(
                new Pair(
                    better(recorded.losses().validation().circuit()),
                    better(recorded.losses().validation().model())),
                new Pair(
                    better(recorded.losses().last().circuit()),
                    better(recorded.losses().last().model()))));
    Files.writeString(circuit, text);
    Path xml = folder.resolve("drift.xml");
    Outcome outcome =
        execute("check", circuit.toString(), "--checkpoint=" + STEPS, "--junit-xml=" + xml);
    assertThat(outcome.code()).as(outcome.err()).isEqualTo(ExitCodes.DRIFTED);
    assertThat(outcome.json().path("drifted").asBoolean()).isTrue();
    Element suite = suites(xml).getFirst();
    assertThat(Integer.parseInt(suite.getAttribute("failures"))).isGreaterThanOrEqualTo(3);
    Element failure = (Element) suite.getElementsByTagName("failure").item(0);
    assertThat(failure.getAttribute("message")).contains("model_loss was 0.010 and is 0.");

    // Without evidence of the run the absolute limits hold.
    assertThat(outcome.json().at("/circuits/0/items"))
        .anySatisfy(
            item -> {
              assertThat(item.path("name").asText()).isEqualTo("check:gate");
              assertThat(item.path("drifted").asBoolean()).isTrue();
            });
    Outcome tolerant =
        execute("check", circuit.toString(), "--checkpoint=" + STEPS, "--tolerance=9");
    assertThat(tolerant.json().at("/circuits/0/items/0/drifted").asBoolean(true)).isFalse();
  }

  @Test
  void checkSaysWhatItCannotUse() throws Exception {
    assertThat(prune("--set", "prune.target_loss=1").code()).isEqualTo(ExitCodes.OK);
    Path circuit = run.resolve("circuits/single_double_quote.json");
    Outcome none = execute("check", circuit.toString(), "--checkpoint=77");
    assertThat(none.code()).isEqualTo(ExitCodes.BAD_INPUT);
    assertThat(none.err()).contains("there is no checkpoint of step 77");
    assertThat(execute("check", circuit.toString(), "--checkpoint=" + folder).err())
        .contains("is no checkpoint, run or step");
    assertThat(execute("check", circuit.toString(), "--checkpoint=/").err())
        .contains("is no checkpoint, run or step");
    assertThat(execute("check", "/", "--checkpoint=4").code()).isEqualTo(ExitCodes.BAD_INPUT);
    Path other = Files.createDirectories(folder.resolve("other/circuits"));
    Files.copy(run.resolve("run.json"), other.resolveSibling("run.json"));
    Path ofOther = Files.copy(circuit, other.resolve(circuit.getFileName()));
    Outcome mixed =
        execute("check", circuit.toString(), ofOther.toString(), "--checkpoint=" + STEPS);
    assertThat(mixed.code()).isEqualTo(ExitCodes.BAD_INPUT);
    assertThat(mixed.json().path("circuits")).hasSize(1);
    assertThat(mixed.json().at("/errors/0/error").asText()).contains("of one run at a time");
    Path elsewhere = Files.copy(circuit, folder.resolve("copy.json"));
    assertThat(execute("check", elsewhere.toString(), "--checkpoint=4").err())
        .contains("lies in no run");
    Outcome named = execute("check", elsewhere.toString(), "--run=" + run, "--checkpoint=" + STEPS);
    assertThat(named.code()).as(named.err()).isEqualTo(ExitCodes.DRIFTED); // fails the gate
    Path broken = Files.writeString(run.resolve("circuits/broken.json"), "{}");
    try {
      Path xml = folder.resolve("partly.xml");
      Outcome partly =
          execute(
              "check",
              broken.toString(),
              circuit.toString(),
              "--checkpoint=" + STEPS,
              "--junit-xml=" + xml);
      assertThat(partly.code()).isEqualTo(ExitCodes.BAD_INPUT);
      assertThat(partly.json().path("circuits")).hasSize(1);
      assertThat(partly.json().at("/errors/0/file").asText()).isEqualTo("broken.json");
      assertThat(suites(xml))
          .extracting(suite -> suite.getAttribute("errors"))
          .containsExactly("1", "0");
    } finally {
      Files.delete(broken);
    }
    Circuit found = Circuit.read(circuit);
    long nodes = found.counts().modelNodes();
    String larger =
        found.toJson().replace("\"model_nodes\" : " + nodes, "\"model_nodes\" : " + (nodes + 1));
    Path foreign = Files.writeString(folder.resolve("foreign.json"), larger);
    Outcome refused = execute("check", foreign.toString(), "--run=" + run, "--checkpoint=" + STEPS);
    assertThat(refused.code()).isEqualTo(ExitCodes.BAD_INPUT);
    assertThat(refused.err()).contains("another architecture");
  }

  @Test
  void traceTellsTheStoryOfAnyPrompt() throws IOException {
    assertThat(prune("--set", "prune.target_loss=1").code()).isEqualTo(ExitCodes.OK);
    Outcome outcome =
        execute("trace", "--task=single_double_quote", "--run=" + run, "--prompt=print(\"the red");
    assertThat(outcome.code()).as(outcome.err()).isEqualTo(ExitCodes.OK);
    JsonNode trace = outcome.json();
    int tokens = trace.path("tokens").size();
    assertThat(tokens).isPositive();
    assertThat(trace.path("answers")).hasSize(2);
    assertThat(trace.at("/circuit/probability").asDouble()).isBetween(0.0, 1.0);
    trace
        .path("nodes")
        .forEach(node -> assertThat(node.path("peak").asInt()).isBetween(0, tokens - 1));

    Outcome chosen =
        execute(
            "trace",
            "--task=single_double_quote",
            "--run=" + run,
            "--prompt=" + "x = 1\n".repeat(60),
            "--answers",
            "a",
            "b");
    assertThat(chosen.code()).as(chosen.err()).isEqualTo(ExitCodes.OK);
    assertThat(chosen.json().path("answers"))
        .extracting(JsonNode::asText)
        .containsExactly("a", "b");
    assertThat(chosen.json().path("tokens")).hasSize(64); // the end of a long prompt

    Outcome two =
        execute(
            "trace",
            "--task=single_double_quote",
            "--run=" + run,
            "--prompt=x",
            "--answers",
            "a",
            "return nothing");
    assertThat(two.code()).isEqualTo(ExitCodes.USAGE);
    assertThat(two.err()).contains("is not one token");
    // One that is not there is looked for, which the model has to do the task for.
    Files.delete(run.resolve("circuits/single_double_quote.json"));
    Outcome none = execute("trace", "--task=single_double_quote", "--run=" + run, "--prompt=x");
    assertThat(none.code()).isEqualTo(ExitCodes.NOT_LEARNT);
    assertThat(none.err()).contains("single_double_quote");
  }

  private static TaskStats better(TaskStats stats) {
    return new TaskStats(
        stats.nodes(),
        stats.sequences(),
        0.01,
        stats.rawLoss(),
        stats.fullLoss(),
        stats.accuracy(),
        stats.scale(),
        stats.shift());
  }

  private static String circuit(Circuit circuit, Losses losses) {
    return new Circuit(
            circuit.format(),
            circuit.task(),
            circuit.source(),
            circuit.seed(),
            circuit.method(),
            circuit.targetLoss(),
            circuit.reached(),
            circuit.counts(),
            circuit.calibration(),
            losses,
            circuit.nodes(),
            circuit.edges(),
            circuit.embeddings(),
            circuit.unembeddings(),
            circuit.tokens(),
            circuit.config())
        .toJson();
  }

  private static List<Element> suites(Path xml) throws Exception {
    NodeList suites =
        DocumentBuilderFactory.newInstance()
            .newDocumentBuilder()
            .parse(xml.toFile())
            .getElementsByTagName("testsuite");
    List<Element> all = new ArrayList<>();
    for (int i = 0; i < suites.getLength(); i++) {
      all.add((Element) suites.item(i));
    }
    return all;
  }

  @Test
  void evidenceOfATaskWithoutACircuitSaysThatTheModelFailsTheGate() {
    Outcome outcome = execute("evidence", "--task=set_or_string", "--run", run.toString());
    assertThat(outcome.code()).as(outcome.err()).isEqualTo(ExitCodes.NOT_LEARNT);
    assertThat(outcome.json().at("/tasks/0/checks/gate/passed").asBoolean(true)).isFalse();
    assertThat(outcome.json().at("/tasks/0/nodes").asInt(-1)).isZero();
    assertThat(outcome.json().at("/tasks/0/checks/sufficient").isNull()).isTrue();
  }

  @Test
  void evidenceOfACircuitOfAnotherModelIsRefused() throws IOException {
    assertThat(prune("--set", "prune.target_loss=1").code()).isEqualTo(ExitCodes.OK);
    Path file = run.resolve("circuits/single_double_quote.json");
    Circuit circuit = Circuit.read(file);
    String text = circuit.toJson();
    try {
      Files.writeString(file, text.replace(circuit.source().modelHash(), "0".repeat(64)));
      Outcome outcome = execute("evidence", "--run", run.toString());
      assertThat(outcome.code()).isEqualTo(ExitCodes.BAD_INPUT);
      assertThat(outcome.err()).contains("another model").contains("prune --task");

      Files.writeString(file, text.replace(circuit.source().taskHashes().last(), "1".repeat(64)));
      outcome = execute("evidence", "--run", run.toString());
      assertThat(outcome.code()).isEqualTo(ExitCodes.BAD_INPUT);
      assertThat(outcome.err()).contains("other final examples");
    } finally {
      Files.delete(file);
    }
    Outcome none = execute("evidence", "--run", run.toString());
    assertThat(none.code()).isEqualTo(ExitCodes.BAD_INPUT);
    assertThat(none.err()).contains("no circuit");
  }

  @Test
  void generateIsGreedyAtTemperatureZeroAndFollowsTheSeedElsewhere() {
    JsonNode greedy = generate("def f(", "--temperature=0");
    assertThat(greedy.path("tokens")).hasSizeLessThanOrEqualTo(12).isNotEmpty();
    assertThat(generate("def f(", "--temperature=0", "--seed=9")).isEqualTo(greedy);
    assertThat(generate("def f(", "--temperature=5", "--top-k=1")).isEqualTo(greedy);
    JsonNode sampled = generate("def f(", "--temperature=2", "--seed=3");
    assertThat(generate("def f(", "--temperature=2", "--seed=3")).isEqualTo(sampled);
    assertThat(generate("def f(", "--temperature=2", "--seed=4")).isNotEqualTo(sampled);
  }

  @Test
  void generateTakesEmptyAndLongPromptsAndTheEndOfText() {
    // An empty prompt is the beginning of a document.
    assertThat(generate("", "--temperature=0").path("tokens"))
        .isEqualTo(generate("<|endoftext|>", "--temperature=0").path("tokens"));
    Outcome long_ =
        execute("generate", "--run=" + run, "--tokens=3", "--prompt=" + "x = 1\n".repeat(60));
    assertThat(long_.code()).isEqualTo(ExitCodes.OK);
    assertThat(long_.err()).contains("the model sees the last 64");
    assertThat(execute("generate", "--run=" + run, "--prompt=x", "--temperature=-1").code())
        .isEqualTo(ExitCodes.USAGE);
  }

  private static JsonNode generate(String prompt, String... more) {
    List<String> args =
        new ArrayList<>(List.of("generate", "--run=" + run, "--tokens=12", "--prompt=" + prompt));
    args.addAll(List.of(more));
    Outcome outcome = execute(args.toArray(String[]::new));
    assertThat(outcome.code()).as(outcome.err()).isEqualTo(ExitCodes.OK);
    return outcome.json();
  }

  @Test
  void divergedTrainingNamesTheTensorAndTheCheckpoint() {
    Outcome outcome =
        train(folder.resolve("diverged"), "--set", "train.lr=1e11", "--set", "train.steps=200");
    assertThat(outcome.code()).as(outcome.err()).isEqualTo(ExitCodes.DIVERGED);
    assertThat(outcome.err())
        .containsPattern("not finite (at|after) step \\d+")
        .contains("checkpoint")
        .contains("--set train.lr=");
  }

  private static Outcome train(Path run, String... more) {
    List<String> args =
        new ArrayList<>(
            List.of(
                "train",
                "--preset=nano",
                "--run=" + run,
                "--set=data.corpora.0.bytes=200000",
                "--set=train.batch_size=4",
                "--set=run.checkpoint_every=2"));
    args.addAll(more.length == 0 ? List.of("--set=train.steps=" + STEPS) : List.of(more));
    return execute(args.toArray(String[]::new));
  }

  private static Outcome prune(String... more) {
    List<String> args =
        new ArrayList<>(
            List.of(
                "prune",
                "--task=single_double_quote",
                "--run=" + run,
                "--set=prune.fast.masks.steps=2",
                "--set=prune.train_pairs=32",
                "--set=prune.mean_sequences=8"));
    args.addAll(List.of(more));
    return execute(args.toArray(String[]::new));
  }

  private static Outcome execute(String... args) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    CommandLine commandLine = Main.commandLine();
    commandLine.setOut(new PrintWriter(out, true));
    commandLine.setErr(new PrintWriter(err, true));
    List<String> all = new ArrayList<>(List.of(args));
    all.add("--json");
    all.add("--threads=1");
    int code = commandLine.execute(all.toArray(String[]::new));
    return new Outcome(code, Json.parse(out.toString()), err.toString());
  }
}
