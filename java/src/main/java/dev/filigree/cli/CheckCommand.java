// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.filigree.Engine;
import dev.filigree.EngineException;
import dev.filigree.circuit.Drift;
import dev.filigree.experiment.CheckRun;
import dev.filigree.experiment.Effort;
import dev.filigree.experiment.Experiment;
import dev.filigree.experiment.RunException;
import dev.filigree.experiment.RunFolder;
import dev.filigree.json.Json;
import dev.filigree.task.TaskException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code filigree check}. */
@Command(
    name = "check",
    description =
        "Ask whether circuits still explain another checkpoint of their model: run the evidence"
            + " there, compare it with what was recorded, say what drifted. Nothing in the run is"
            + " changed.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footerHeading = "%nExamples:%n",
    footer = {
      "  filigree check runs/tiny/circuits/for_while.json --checkpoint 5500",
      "  filigree check runs/tiny/circuits/*.json --checkpoint runs/next/checkpoints/00006000",
      "  filigree check runs/tiny/circuits/*.json --checkpoint runs/next --junit-xml check.xml",
      "  filigree check --model shipped --checkpoint runs/next"
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:Nothing drifted.",
      "1:Something else failed, memory for example.",
      "2:The command line is wrong.",
      "5:A circuit, the run or the checkpoint cannot be used, or a search of --full diverged; other"
          + " circuits are checked first.",
      "6:The native core or the device is missing; see filigree doctor.",
      "7:A circuit drifted."
    })
final class CheckCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Parameters(
      paramLabel = "CIRCUIT",
      arity = "0..*",
      description =
          "Files of circuits, all of one run: RUN/circuits/TASK.json. Default: all circuits of the"
              + " run or model.")
  private List<Path> circuits = List.of();

  @Option(
      names = "--checkpoint",
      paramLabel = "CHECKPOINT",
      required = true,
      description =
          "What to look at: a folder such as RUN/checkpoints/00002000, a run, whose last checkpoint"
              + " is taken, or a step of the circuits' own run.")
  private String checkpoint;

  @Option(
      names = "--tolerance",
      paramLabel = "NATS",
      description = "How much a loss may rise before it counts as drift. Default: 0.10.")
  private double tolerance = Drift.LOSS_TOLERANCE;

  @Option(
      names = "--full",
      description = "Run the costly checks too, see filigree evidence --full.")
  private boolean full;

  @Option(
      names = "--junit-xml",
      paramLabel = "FILE",
      description = "Write the result in JUnit's form too, for a CI server.")
  private Path junitXml;

  @Mixin private TaskFileOption ownTasks;

  @Mixin private RunOptions options;

  @Override
  public Integer call() {
    if (!(tolerance >= 0)) {
      throw new IllegalArgumentException("--tolerance is at least 0, not " + tolerance);
    }
    Experiment experiment =
        options.isNamed() || circuits.isEmpty()
            ? options.experiment()
            : Experiment.open(CheckRun.runOf(circuits.getFirst()));
    RunFolder folder = experiment.folder();
    List<Path> files =
        circuits.isEmpty()
            ? folder.someCircuits().stream().map(folder::circuit).toList()
            : circuits;
    CheckRun check = CheckRun.of(folder.path(), checkpoint);
    List<JunitXml.Suite> suites = new ArrayList<>();
    try (Engine engine = options.engine(experiment);
        ConsoleProgress progress = new ConsoleProgress(spec.commandLine().getErr(), options.json);
        CheckRun.Session session = check.open(engine, ownTasks.read(check.folder()), progress)) {
      for (Path circuit : files) {
        suites.add(check(session, circuit, progress));
      }
    }
    if (junitXml != null) {
      JunitXml.write(junitXml, suites);
    }
    List<Drift> drifts =
        suites.stream().map(JunitXml.Suite::drift).filter(Objects::nonNull).toList();
    boolean drifted = drifts.stream().anyMatch(Drift::drifted);
    print(check, suites, drifts, drifted);
    if (drifts.size() < suites.size()) {
      return ExitCodes.BAD_INPUT;
    }
    return drifted ? ExitCodes.DRIFTED : ExitCodes.OK;
  }

  /** A circuit that cannot be checked says so, and the others are checked all the same. */
  private JunitXml.Suite check(CheckRun.Session session, Path circuit, ConsoleProgress progress) {
    long begin = System.nanoTime();
    try {
      Drift drift = session.check(circuit, full ? Effort.FULL : Effort.QUICK, tolerance);
      return JunitXml.Suite.of(drift, seconds(begin));
    } catch (RunException | TaskException | EngineException.Diverged e) {
      progress.phase(e.getMessage());
      return JunitXml.Suite.failed(circuit, e.getMessage(), seconds(begin));
    }
  }

  private static double seconds(long begin) {
    return (System.nanoTime() - begin) / 1e9;
  }

  private void print(
      CheckRun check, List<JunitXml.Suite> suites, List<Drift> drifts, boolean drifted) {
    PrintWriter out = spec.commandLine().getOut();
    List<JunitXml.Suite> failed = suites.stream().filter(suite -> suite.drift() == null).toList();
    if (options.json) {
      ObjectNode json = Json.object();
      json.put("checkpoint", check.checkpoint().path().toString());
      json.put("drifted", drifted);
      json.set("circuits", Json.tree(drifts));
      ArrayNode errors = json.putArray("errors");
      failed.forEach(
          suite -> errors.addObject().put("file", suite.name()).put("error", suite.error()));
      out.println(json);
      return;
    }
    out.printf("Checkpoint %s%n%n", check.checkpoint().path());
    out.printf(
        "%-22s %-8s %16s %16s %14s  %s%n",
        "", "", "model's loss", "circuit's loss", "edges", "grade now");
    for (Drift drift : drifts) {
      out.printf(
          "%-22s %-8s %16s %16s %14s  %s%n",
          drift.task(),
          drift.drifted() ? "DRIFTED" : "holds",
          change(drift, "model_loss", "%.3f -> %.3f"),
          change(drift, "loss_final", "%.3f -> %.3f"),
          change(drift, "edges", "%.0f -> %.0f"),
          drift.evidence().grade());
    }
    failed.forEach(suite -> out.printf("%-22s cannot be checked%n", suite.name()));
    for (Drift drift : drifts) {
      if (drift.drifted()) {
        out.printf("%n%s drifted:%n", drift.task());
        drift.beyond().forEach(item -> out.printf("  %s%n", item.message()));
      }
      if (drift.items().stream().anyMatch(Drift.Item::notRun)) {
        out.printf(
            "%n%s: not run, but recorded: %s%n",
            drift.task(),
            drift.items().stream()
                .filter(Drift.Item::notRun)
                .map(item -> item.name().substring(Drift.CHECK.length()))
                .collect(Collectors.joining(", ")));
      }
    }
    failed.forEach(suite -> out.printf("%n%s: %s%n", suite.name(), suite.error()));
    out.flush();
  }

  private static String change(Drift drift, String name, String format) {
    Drift.Change change =
        drift.items().stream()
            .filter(item -> item.name().equals(name))
            .map(Drift.Change.class::cast)
            .findFirst()
            .orElseThrow();
    return format.formatted(change.recorded().doubleValue(), change.now().doubleValue());
  }
}
