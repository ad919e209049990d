// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.filigree.experiment.RunComparison;
import dev.filigree.experiment.RunFolder;
import dev.filigree.experiment.RunSummary;
import dev.filigree.experiment.RunSummary.Size;
import dev.filigree.json.Json;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code filigree runs}. */
@Command(
    name = "runs",
    description = "List the runs, or compare two of them.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footerHeading = "%nExamples:%n",
    footer = {
      "  filigree runs",
      "  filigree runs quickstart/sparse quickstart/dense",
      "  filigree runs --json | jq '.runs[] | {name, loss}'"
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:Listed or compared, also when there is no run.",
      "1:Something else failed, memory for example.",
      "2:The command line is wrong.",
      "5:A run is missing or damaged."
    })
final class RunsCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Parameters(
      arity = "0..*",
      paramLabel = "RUN",
      description = "Two runs to compare: folders, or names as listed. Default: list all.")
  private List<String> names = List.of();

  @Option(
      names = "--runs",
      paramLabel = "DIR",
      description = "Folder of the runs. Default: ${DEFAULT-VALUE}.")
  private Path runs = RunFolder.RUNS;

  @Option(
      names = "--json",
      description = "Print exactly one JSON value on standard output instead of text.")
  private boolean json;

  @Override
  public Integer call() {
    switch (names.size()) {
      case 0 -> list();
      case 2 -> compare(RunComparison.of(runs, open(names.get(0)), open(names.get(1))));
      default ->
          throw new ParameterException(
              spec.commandLine(), "two runs can be compared, not " + names.size());
    }
    return ExitCodes.OK;
  }

  private RunFolder open(String name) {
    Path below = runs.resolve(name);
    return RunFolder.open(Files.exists(below) ? below : Path.of(name));
  }

  private void list() {
    PrintWriter out = spec.commandLine().getOut();
    List<RunSummary> found =
        RunFolder.all(runs).stream().map(run -> RunSummary.of(runs, run)).toList();
    if (json) {
      ObjectNode all = Json.object();
      all.set("runs", Json.tree(found));
      out.println(all);
      return;
    }
    if (found.isEmpty()) {
      out.printf("There is no run below %s; ./filigree train makes one.%n", runs);
      return;
    }
    String row = "%-22s %-7s %8s %9s %11s %8s  %s%n";
    out.printf(row, "", "preset", "step", "loss", "nonzeros", "circuits", "created");
    for (RunSummary run : found) {
      out.printf(
          row,
          run.name(),
          run.preset() == null ? "-" : run.preset(),
          whole(run.step()),
          loss(run.loss()),
          whole(run.nonzeros()),
          run.circuits().size(),
          run.created());
    }
  }

  private void compare(RunComparison both) {
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      out.println(Json.tree(both));
      return;
    }
    RunSummary first = both.first();
    RunSummary second = both.second();
    int longest = both.config().stream().mapToInt(change -> change.key().length()).max().orElse(0);
    String row = "%-" + Math.max(32, longest + 2) + "s %22s %22s%n";
    out.printf(row, "", first.name(), second.name());
    out.printf(row, "step", whole(first.step()), whole(second.step()));
    out.printf(row, "held-out loss", loss(first.loss()), loss(second.loss()));
    TreeSet<String> corpora = new TreeSet<>(first.losses().keySet());
    corpora.addAll(second.losses().keySet());
    for (String corpus : corpora) {
      out.printf(
          row, "  " + corpus, loss(first.losses().get(corpus)), loss(second.losses().get(corpus)));
    }
    out.printf(row, "nonzero weights", whole(first.nonzeros()), whole(second.nonzeros()));
    TreeSet<String> tasks = new TreeSet<>(first.circuits().keySet());
    tasks.addAll(second.circuits().keySet());
    if (!tasks.isEmpty()) {
      out.printf("%ncircuits: nodes, edges, final loss%n");
    }
    for (String task : tasks) {
      out.printf(
          row, "  " + task, size(first.circuits().get(task)), size(second.circuits().get(task)));
    }
    out.printf("%nconfiguration: %s%n", both.config().isEmpty() ? "the same" : "what differs");
    for (RunComparison.Change change : both.config()) {
      out.printf(row, "  " + change.key(), value(change.first()), value(change.second()));
    }
  }

  private static String whole(Long value) {
    return value == null ? "-" : "%,d".formatted(value);
  }

  private static String loss(Double value) {
    return value == null ? "-" : "%.4f".formatted(value);
  }

  private static String size(Size size) {
    return size == null ? "-" : "%,d  %,d  %.3f".formatted(size.nodes(), size.edges(), size.loss());
  }

  private static String value(JsonNode value) {
    return value == null ? "-" : value.toString();
  }
}
