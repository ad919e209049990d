// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.filigree.Engine;
import dev.filigree.circuit.Checks;
import dev.filigree.experiment.EvalRun;
import dev.filigree.experiment.Experiment;
import dev.filigree.experiment.TaskScore;
import dev.filigree.json.Json;
import java.io.PrintWriter;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code filigree eval}. */
@Command(
    name = "eval",
    description =
        "Measure the loss of a checkpoint on all held-out text, by corpus; or how well it does"
            + " every task.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footerHeading = "%nExamples:%n",
    footer = {
      "  filigree eval",
      "  filigree eval --run runs/tiny --checkpoint 1000",
      "  filigree eval --tasks",
      "  filigree eval --json | jq .test_xent"
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:Measured.",
      "1:Something else failed, memory for example.",
      "2:The command line is wrong.",
      "5:The run folder or the checkpoint cannot be used.",
      "6:The native core or the device is missing; see filigree doctor."
    })
final class EvalCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = "--checkpoint",
      paramLabel = "STEP",
      description = "The checkpoint to measure. Default: the last.")
  private Long checkpoint;

  @Option(
      names = "--tasks",
      description =
          "The two-way loss of the whole model on every task and control instead, calibrated on the"
              + " training examples: guessing is 0.693.")
  private boolean tasks;

  @Mixin private TaskFileOption ownTasks;

  @Mixin private RunOptions options;

  @Override
  public Integer call() {
    return tasks ? scoreTasks() : measureLoss();
  }

  private int scoreTasks() {
    Experiment experiment = ownTasks.addTo(options.experiment());
    List<TaskScore> scores;
    try (Engine engine = options.engine(experiment);
        ConsoleProgress progress = new ConsoleProgress(spec.commandLine().getErr(), options.json)) {
      scores = experiment.taskScores(engine, RunOptions.step(checkpoint), progress);
    }
    PrintWriter out = spec.commandLine().getOut();
    if (options.json) {
      ObjectNode json = Json.object();
      json.put("run", experiment.folder().path().toString());
      json.set("tasks", Json.tree(scores));
      out.println(json);
      return ExitCodes.OK;
    }
    out.printf("%-26s  %6s %6s  %6s%n", "task", "valid.", "final", "right");
    for (TaskScore score : scores) {
      if (score.model() == null) {
        out.printf("%-26s  %s%n", score.task(), "the vocabulary cannot express it");
      } else {
        out.printf(
            "%-26s  %6.3f %6.3f  %5.1f%%  %s%n",
            score.task(),
            score.model().validation().loss(),
            score.model().last().loss(),
            100 * score.model().last().accuracy(),
            score.learnt() ? "does it" : "");
      }
    }
    out.printf(
        "%d of %d tasks done: a loss of at most %.2f on validation and on final examples%n",
        scores.stream().filter(score -> score.learnt() && !score.control()).count(),
        scores.stream().filter(score -> !score.control()).count(),
        Checks.GATE_LIMIT);
    return ExitCodes.OK;
  }

  private int measureLoss() {
    Experiment experiment = options.experiment();
    EvalRun.Result result;
    try (Engine engine = options.engine(experiment)) {
      result = experiment.evaluate(engine, RunOptions.step(checkpoint));
    }
    PrintWriter out = spec.commandLine().getOut();
    if (options.json) {
      ObjectNode json = Json.object();
      json.put("run", experiment.folder().path().toString());
      json.put("step", result.step());
      json.put("test_xent", result.loss());
      json.set("test_xent_by_corpus", Json.tree(result.losses()));
      json.put("parameters", result.parameters());
      json.put("nonzeros", result.nonzeros());
      out.println(json);
    } else {
      out.printf(
          "%s, step %,d: %,d of %,d parameters are not zero%n",
          experiment.folder().path(), result.step(), result.nonzeros(), result.parameters());
      out.printf("  held-out loss       %.4f nats per token%n", result.loss());
      result.losses().forEach((corpus, loss) -> out.printf("    %-17s %.4f%n", corpus, loss));
    }
    return ExitCodes.OK;
  }
}
