// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.filigree.Engine;
import dev.filigree.circuit.Circuit;
import dev.filigree.experiment.CircuitSearch;
import dev.filigree.experiment.Experiment;
import dev.filigree.experiment.PruneMethod;
import dev.filigree.experiment.PruneRun;
import dev.filigree.experiment.RunConfig.Setting;
import dev.filigree.json.Json;
import dev.filigree.task.Task;
import dev.filigree.task.TaskException;
import dev.filigree.task.Tasks;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
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
      "  filigree prune --task all --run runs/tiny --json",
      "  filigree prune --task bracket_counting --method published",
      "  filigree prune --task bracket_counting --targets 0.02,0.05,0.1,0.2",
      "  filigree prune --task if_equals --set prune.target_loss=0.05",
      "  filigree prune --task control_nonsense,control_mapping,control_shuffled --unlearnt"
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:A circuit of every task reaches the target loss.",
      "1:Something else failed, memory for example.",
      "2:The command line or the configuration is wrong.",
      "3:The model has not learnt a task, or no circuit reaches the target loss; with --task all"
          + " the first does not count.",
      "5:The run folder or the checkpoint cannot be used.",
      "6:The native core or the device is missing; see filigree doctor."
    })
final class PruneCommand implements Callable<Integer> {
  static final String ALL = "all";

  @Spec private CommandSpec spec;

  @Option(
      names = "--task",
      paramLabel = "NAME,...",
      split = ",",
      required = true,
      completionCandidates = TaskNames.class,
      description =
          "The tasks: ${COMPLETION-CANDIDATES}; or all: these and those of"
              + " --task-file, without the controls.")
  private List<String> tasks;

  @Option(
      names = "--method",
      paramLabel = "METHOD",
      description =
          "fast, or published: the algorithm of the paper, run over and over with other"
              + " hyper-parameters. Default: what the run says, fast unless it was changed.")
  private String method;

  @Option(
      names = "--targets",
      paramLabel = "LOSS,...",
      split = ",",
      description =
          "Find a circuit for each of these losses in one search and print them side by side; they"
              + " are written to curves/<task>.json, and circuits/ stays as it is.")
  private List<Double> targets = List.of();

  @Option(
      names = "--unlearnt",
      description =
          "Search tasks that the whole model does not do too: what is found says how much a search"
              + " alone can teach. Meant for the controls.")
  private boolean unlearnt;

  @Option(
      names = "--set",
      paramLabel = "KEY=VALUE",
      description =
          "Change one value of the run's configuration for this search: prune.target_loss,"
              + " prune.options.frozen_norms, ... Repeatable.")
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

  /** What became of one task: circuits, one a target, or why there are none. */
  private record Outcome(String task, Path file, List<Circuit> circuits, String reason) {}

  @Override
  public Integer call() {
    boolean all = tasks.contains(ALL);
    if (targets.stream().anyMatch(target -> !(target > 0))) {
      throw new ParameterException(spec.commandLine(), "--targets are above 0");
    }
    if (!all) {
      tasks.forEach(ownTasks::require);
    }
    Experiment experiment = ownTasks.addTo(options.experiment());
    List<String> names =
        all
            ? experiment.tasks().stream().map(Task::name).toList()
            : tasks.stream().distinct().toList();
    names.forEach(experiment::task);
    List<Setting> changes = new ArrayList<>(settings.stream().map(Setting::parse).toList());
    if (method != null) {
      changes.add(new Setting("prune.method", PruneMethod.named(method).key()));
    }
    boolean several = all || names.size() > 1;
    List<Outcome> outcomes = new ArrayList<>();
    try (Engine engine = options.engine(experiment);
        ConsoleProgress progress = new ConsoleProgress(spec.commandLine().getErr(), options.json);
        CircuitSearch search =
            experiment.circuits(engine, changes, RunOptions.step(checkpoint), progress)) {
      for (String name : names) {
        try {
          outcomes.add(find(search, experiment, name));
        } catch (PruneRun.NotLearntException | TaskException e) {
          if (!several) {
            throw e;
          }
          progress.phase(e.getMessage());
          outcomes.add(new Outcome(name, null, List.of(), e.getMessage()));
        }
      }
    }
    print(outcomes, several);
    boolean reached =
        outcomes.stream().flatMap(o -> o.circuits().stream()).allMatch(Circuit::reached);
    boolean learnt = outcomes.stream().noneMatch(o -> o.circuits().isEmpty());
    return reached && (learnt || all) ? ExitCodes.OK : ExitCodes.NOT_LEARNT;
  }

  private Outcome find(CircuitSearch search, Experiment experiment, String task) {
    if (targets.isEmpty()) {
      Circuit circuit =
          unlearnt ? search.prune(task, Double.POSITIVE_INFINITY) : search.prune(task);
      return new Outcome(task, experiment.folder().circuit(task), List.of(circuit), null);
    }
    double modelLimit = unlearnt ? Double.POSITIVE_INFINITY : Collections.min(targets);
    List<Circuit> circuits = search.curve(task, targets, modelLimit);
    return new Outcome(task, experiment.folder().curve(task), circuits, null);
  }

  private void print(List<Outcome> outcomes, boolean several) {
    PrintWriter out = spec.commandLine().getOut();
    if (options.json) {
      List<ObjectNode> rows = outcomes.stream().map(this::json).toList();
      if (several) {
        ObjectNode json = Json.object();
        ArrayNode list = json.putArray("tasks");
        rows.forEach(list::add);
        out.println(json);
      } else {
        out.println(rows.getFirst());
      }
    } else if (several || !targets.isEmpty()) {
      table(out, outcomes);
    } else {
      out.print(outcomes.getFirst().circuits().getFirst().describe());
      out.println();
      out.println("Written to " + outcomes.getFirst().file());
    }
    out.flush();
  }

  private ObjectNode json(Outcome outcome) {
    ObjectNode json = Json.object();
    json.put("task", outcome.task());
    json.put("file", outcome.file() == null ? null : outcome.file().toString());
    if (outcome.reason() != null) {
      json.put("reason", outcome.reason());
    } else if (targets.isEmpty()) {
      json.set("circuit", Json.tree(outcome.circuits().getFirst()));
    } else {
      json.set("circuits", Json.tree(outcome.circuits()));
    }
    return json;
  }

  private static void table(PrintWriter out, List<Outcome> outcomes) {
    out.printf(
        "%-26s %7s %6s %6s %9s %8s %7s %7s%n",
        "", "target", "nodes", "edges", "extended", "weights", "valid.", "final");
    for (Outcome outcome : outcomes) {
      if (outcome.reason() != null) {
        out.printf("%-26s no circuit: the model does not do it%n", outcome.task());
      }
      for (Circuit circuit : outcome.circuits()) {
        out.printf(
            "%-26s %7.3f %,6d %,6d %,9d %,8d %7.3f %7.3f%s%n",
            circuit.task(),
            circuit.targetLoss(),
            circuit.counts().nodes(),
            circuit.counts().edges(),
            circuit.counts().extendedEdges(),
            circuit.counts().weights(),
            circuit.losses().validation().circuit().loss(),
            circuit.losses().last().circuit().loss(),
            circuit.reached() ? "" : "  target missed");
      }
    }
  }
}
