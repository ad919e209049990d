// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.filigree.Engine;
import dev.filigree.circuit.Circuit;
import dev.filigree.experiment.Experiment;
import dev.filigree.experiment.RunConfig;
import dev.filigree.json.Json;
import dev.filigree.task.Task;
import dev.filigree.task.Tasks;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code filigree prune}. */
@Command(
    name = "prune",
    description =
        "Find the circuit of a task: the nodes and weights of a trained model that do it alone,"
            + " written to circuits/<task>.json in the run folder and printed.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footerHeading = "%nExamples:%n",
    footer = {
      "  filigree prune --task single_double_quote",
      "  filigree prune --task single_double_quote --run runs/tiny --set prune.target_loss=0.1",
      "  filigree prune --task single_double_quote --json > circuit.json"
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:A circuit reaches the target loss.",
      "1:Something else failed, memory for example.",
      "2:The command line or the configuration is wrong.",
      "3:The model has not learnt the task, or no circuit reaches the target loss.",
      "5:The run folder or the checkpoint cannot be used.",
      "6:The native core or the device is missing; see filigree doctor."
    })
final class PruneCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = "--task",
      paramLabel = "NAME",
      required = true,
      completionCandidates = TaskNames.class,
      description = "The task: ${COMPLETION-CANDIDATES}.")
  private String task;

  @Option(
      names = "--set",
      paramLabel = "KEY=VALUE",
      description =
          "Change one value of the run's configuration for this search: prune.target_loss,"
              + " prune.masks.steps, ... Repeatable.")
  private List<String> settings = List.of();

  @Option(
      names = "--checkpoint",
      paramLabel = "STEP",
      description = "The checkpoint to search. Default: the last.")
  private Long checkpoint;

  @Mixin private TaskFileOption ownTasks;

  @Mixin private RunOptions options;

  /** Names for the help. */
  static final class TaskNames implements Iterable<String> {
    @Override
    public Iterator<String> iterator() {
      return Stream.of(Tasks.all(), Tasks.controls())
          .flatMap(List::stream)
          .map(Task::name)
          .iterator();
    }
  }

  @Override
  public Integer call() {
    ownTasks.require(task);
    Experiment experiment = ownTasks.addTo(options.experiment());
    experiment.task(task);
    List<RunConfig.Setting> changes = settings.stream().map(RunConfig.Setting::parse).toList();
    Circuit circuit;
    try (Engine engine = options.engine(experiment);
        ConsoleProgress progress = new ConsoleProgress(spec.commandLine().getErr(), options.json)) {
      circuit = experiment.prune(engine, task, changes, RunOptions.step(checkpoint), progress);
    }
    PrintWriter out = spec.commandLine().getOut();
    Path file = experiment.folder().circuit(task);
    if (options.json) {
      ObjectNode json = Json.object();
      json.put("file", file.toString());
      json.set("circuit", Json.tree(circuit));
      out.println(json);
    } else {
      out.print(circuit.describe());
      out.println();
      out.println("Written to " + file);
      out.flush();
    }
    return circuit.reached() ? ExitCodes.OK : ExitCodes.NOT_LEARNT;
  }
}
