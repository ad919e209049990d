// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.filigree.Engine;
import dev.filigree.circuit.Evidence;
import dev.filigree.circuit.Grade;
import dev.filigree.experiment.Effort;
import dev.filigree.experiment.Experiment;
import dev.filigree.json.Json;
import dev.filigree.task.Task;
import dev.filigree.task.TaskException;
import dev.filigree.task.Tasks;
import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code filigree evidence}. */
@Command(
    name = "evidence",
    description =
        "Check circuits: does the circuit alone do the task, does the model fail without it and"
            + " only without it, does it stand other interventions, does it answer as the model"
            + " does? Graded, written to evidence/<task>.json in the run folder and printed. A"
            + " circuit that is not there yet is looked for first.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footerHeading = "%nExamples:%n",
    footer = {
      "  filigree evidence",
      "  filigree evidence --task single_double_quote --run runs/tiny",
      "  filigree evidence --task all --full",
      "  filigree evidence --model shipped --again",
      "  filigree evidence --json | jq '.tasks[] | {task, grade, failed, not_run}'"
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:Every circuit has grade C or better: it holds, is sufficient and necessary.",
      "1:Something else failed, memory for example.",
      "2:The command line is wrong.",
      "3:The model has not learnt a task that is named, or a circuit has grade D or F; with --task"
          + " all a task that the model does not do is none to complain of.",
      "5:The run folder, its checkpoint or a circuit cannot be used, or a search diverged; others"
          + " are checked first. Or no task is named and none has a circuit.",
      "6:The native core or the device is missing; see filigree doctor."
    })
final class EvidenceCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = "--task",
      paramLabel = "NAME,...",
      split = ",",
      completionCandidates = PruneCommand.TaskNames.class,
      description =
          "The tasks whose circuits to check: ${COMPLETION-CANDIDATES}; or all: these and those of"
              + " --task-file, with the controls, whether they have a circuit or not. Default:"
              + " those that have one.")
  private List<String> tasks = List.of();

  @Option(
      names = "--full",
      description =
          "Ask the costly questions too, minutes a circuit: searches with other seeds and in an"
              + " untrained model, binarisation, misleading prompts. Grade A needs them.")
  private boolean full;

  @Option(
      names = "--again",
      description =
          "Run every check anew. Otherwise evidence that is there for this very circuit, model and"
              + " examples is printed as it is.")
  private boolean again;

  @Mixin private TaskFileOption ownTasks;

  @Mixin private RunOptions options;

  @Override
  public Integer call() {
    Experiment experiment = ownTasks.addTo(options.experiment());
    List<String> asked =
        tasks.contains(PruneCommand.ALL)
            ? Stream.of(experiment.tasks(), Tasks.controls())
                .flatMap(List::stream)
                .map(Task::name)
                .toList()
            : tasks.stream().distinct().toList();
    Map<String, RuntimeException> failed = new LinkedHashMap<>();
    List<Evidence> found;
    try (Engine engine = options.engine(experiment);
        ConsoleProgress progress = new ConsoleProgress(spec.commandLine().getErr(), options.json)) {
      found =
          experiment.evidence(
              engine, asked, full ? Effort.FULL : Effort.QUICK, again, progress, failed::put);
    }
    if (asked.size() == 1 && !failed.isEmpty()) {
      throw failed.values().iterator().next();
    }
    print(found, failed);
    boolean all = tasks.contains(PruneCommand.ALL);
    // Of all tasks the vocabulary need not express every one, nor the model do it.
    if (failed.values().stream().anyMatch(e -> !(all && e instanceof TaskException))) {
      return ExitCodes.BAD_INPUT;
    }
    boolean good =
        found.stream().allMatch(one -> isGood(one) || all && !one.checks().gate().passed());
    return good ? ExitCodes.OK : ExitCodes.NOT_LEARNT;
  }

  private void print(List<Evidence> found, Map<String, RuntimeException> failed) {
    PrintWriter out = spec.commandLine().getOut();
    failed.forEach(
        (task, e) ->
            spec.commandLine().getErr().println("filigree: " + task + ": " + e.getMessage()));
    if (options.json) {
      ObjectNode json = Json.object();
      json.set("tasks", Json.tree(found));
      json.put("holds", holding(found));
      ArrayNode errors = json.putArray("errors");
      failed.forEach(
          (task, e) -> errors.addObject().put("task", task).put("error", e.getMessage()));
      out.println(json);
      return;
    }
    out.printf(
        "%-22s %5s %6s %6s %7s %7s  %s%n",
        "", "grade", "nodes", "edges", "model", "final", "fails");
    for (Evidence evidence : found) {
      out.printf(
          "%-22s %5s %,6d %,6d %7.3f %7s  %s%n",
          evidence.task(),
          evidence.grade(),
          evidence.nodes(),
          evidence.edges(),
          evidence.modelLoss(),
          evidence.lossFinal() == null ? "-" : "%.3f".formatted(evidence.lossFinal()),
          String.join(", ", evidence.failed()));
    }
    out.printf(
        "%d of %d circuits hold on final examples, %d have grade C or better%n",
        holding(found), found.size(), found.stream().filter(EvidenceCommand::isGood).count());
    for (Evidence evidence : found) {
      out.println();
      out.print(evidence.describe());
    }
    out.flush();
  }

  /** How many circuits do their task on wordings that had no part in the search. */
  private static long holding(List<Evidence> found) {
    return found.stream()
        .map(evidence -> evidence.checks().last())
        .filter(last -> last != null && last.passed())
        .count();
  }

  private static boolean isGood(Evidence evidence) {
    return evidence.grade().compareTo(Grade.C) <= 0;
  }
}
