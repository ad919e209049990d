// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import dev.filigree.Engine;
import dev.filigree.experiment.CircuitSearch;
import dev.filigree.experiment.Experiment;
import dev.filigree.experiment.PruneBench;
import dev.filigree.experiment.PruneBench.Found;
import dev.filigree.experiment.PruneBench.Row;
import dev.filigree.experiment.PruneBench.Sum;
import dev.filigree.experiment.RunConfig.Setting;
import dev.filigree.json.Json;
import dev.filigree.task.Task;
import dev.filigree.task.Tasks;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code filigree bench prune}. */
@Command(
    name = "prune",
    description =
        "Time both pruning methods on every task that a model does, and compare their circuits on"
            + " the whole model. The published one makes a search of --runs runs for each task,"
            + " which takes minutes.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footerHeading = "%nExamples:%n",
    footer = {
      "  filigree bench prune",
      "  filigree bench prune --run runs/tiny --task bracket_counting --runs 4 --json",
      "  filigree bench prune --out prune.json    # stopped, the same command goes on"
    })
final class BenchPruneCommand implements Callable<Integer> {
  private static final String DEFAULT_RUN = "quickstart/sparse";

  @Spec private CommandSpec spec;

  @Option(
      names = "--task",
      paramLabel = "NAME,...",
      split = ",",
      description = "The tasks. Default: all.")
  private List<String> tasks = Tasks.all().stream().map(Task::name).toList();

  @Option(
      names = "--runs",
      paramLabel = "N",
      description = "Runs of the published method for a task (default ${DEFAULT-VALUE}).")
  private int runs = 32;

  @Option(
      names = "--out",
      paramLabel = "FILE",
      description =
          "Write the result here after every task. What it has of the same model and search is not"
              + " measured again.")
  private Path out;

  @Option(
      names = "--set",
      paramLabel = "KEY=VALUE",
      description = "Change one value of the run's configuration, below prune. Repeatable.")
  private List<String> settings = List.of();

  @Mixin private RunOptions options;

  @Override
  public Integer call() {
    if (runs < 1) {
      throw new ParameterException(spec.commandLine(), "--runs is at least 1");
    }
    List<Task> chosen = tasks.stream().distinct().map(Tasks::named).toList();
    Experiment experiment = options.experiment(DEFAULT_RUN);
    PruneBench.Result result;
    try (Engine engine = options.engine(experiment);
        ConsoleProgress progress = new ConsoleProgress(spec.commandLine().getErr(), options.json);
        CircuitSearch search =
            experiment.circuits(
                engine,
                settings.stream().map(Setting::parse).toList(),
                OptionalLong.empty(),
                progress)) {
      result = new PruneBench(search, runs, out).run(chosen);
    }
    PrintWriter output = spec.commandLine().getOut();
    if (options.json) {
      output.println(Json.tree(result));
    } else {
      print(output, result);
    }
    output.flush();
    return ExitCodes.OK;
  }

  private static void print(PrintWriter out, PruneBench.Result result) {
    out.printf(
        "%-26s %-12s %8s %6s %6s %8s %7s %7s%n",
        "", "method", "seconds", "nodes", "edges", "weights", "valid.", "final");
    for (Row row : result.tasks()) {
      print(out, row.task(), "fast", row.fast());
      print(out, "", "published", row.published());
    }
    if (result.totals() != null) {
      print(out, "all", "fast", result.totals().fast());
      print(out, "(sum; geometric means)", "published", result.totals().published());
      out.printf("published / fast, seconds: %.1f%n", result.totals().secondsRatio());
    }
    if (!result.skipped().isEmpty()) {
      out.println(
          "Not done by the model, or not to be expressed by its vocabulary: "
              + String.join(", ", result.skipped()));
    }
  }

  private static void print(PrintWriter out, String task, String method, Found found) {
    out.printf(
        "%-26s %-12s %8.2f %,6d %,6d %,8d %7.3f %7.3f%s%n",
        task,
        method,
        found.seconds(),
        found.nodes(),
        found.edges(),
        found.weights(),
        found.lossValidation(),
        found.lossFinal(),
        found.reached() ? found.holds() ? "" : "  does not hold" : "  target missed");
  }

  private static String mean(Double size) {
    return size == null ? "-" : "%,.1f".formatted(size);
  }

  private static void print(PrintWriter out, String task, String method, Sum sum) {
    out.printf(
        "%-26s %-12s %8.2f %6s %6s %8s  %d hold%n",
        task,
        method,
        sum.seconds(),
        mean(sum.nodes()),
        mean(sum.edges()),
        mean(sum.weights()),
        sum.holds());
  }
}
