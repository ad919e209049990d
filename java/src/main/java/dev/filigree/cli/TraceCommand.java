// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import dev.filigree.Engine;
import dev.filigree.circuit.Trace;
import dev.filigree.experiment.Experiment;
import dev.filigree.json.Json;
import java.io.PrintWriter;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code filigree trace}. */
@Command(
    name = "trace",
    description =
        "Tell how the circuit of a task gets from the tokens of a prompt to the answer: which token"
            + " wrote which channel, which head moved what from where, which neuron fired, what"
            + " matters. The prompt need not look like those of the task. A circuit that is not"
            + " there yet is looked for first.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footerHeading = "%nExamples:%n",
    footer = {
      "  filigree trace --task single_double_quote --prompt 'print(\"the red house'",
      "  filigree trace --task bracket_counting --prompt 'x = [[1, 2' --answers ']]' ']'",
      "  filigree trace --task for_while --prompt 'for item' --json | jq .heads"
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:Done.",
      "1:Something else failed, memory for example.",
      "2:The command line is wrong, or an answer is not one token.",
      "3:There is no circuit, since the model has not learnt the task.",
      "5:The run folder, its checkpoint or the circuit cannot be used.",
      "6:The native core or the device is missing; see filigree doctor."
    })
final class TraceCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = "--task",
      paramLabel = "NAME",
      required = true,
      completionCandidates = PruneCommand.TaskNames.class,
      description = "The task whose circuit to follow: ${COMPLETION-CANDIDATES}.")
  private String task;

  @Option(
      names = "--prompt",
      paramLabel = "TEXT",
      required = true,
      description =
          "Code that ends where the answer comes. Of one longer than the model's block the end"
              + " counts.")
  private String prompt;

  @Option(
      names = "--answers",
      arity = "2",
      paramLabel = "A B",
      description =
          "The two answers, each one token. Default: those of most examples of the task; needed"
              + " where they differ from prompt to prompt.")
  private List<String> answers;

  @Mixin private TaskFileOption ownTasks;

  @Mixin private RunOptions options;

  @Override
  public Integer call() {
    ownTasks.require(task);
    Experiment experiment = ownTasks.addTo(options.experiment());
    Trace trace;
    try (Engine engine = options.engine(experiment);
        ConsoleProgress progress = new ConsoleProgress(spec.commandLine().getErr(), options.json)) {
      trace = experiment.trace(engine, task, prompt, answers, progress);
    }
    PrintWriter out = spec.commandLine().getOut();
    if (options.json) {
      out.println(Json.tree(trace));
    } else {
      out.print(trace.describe());
      out.flush();
    }
    return ExitCodes.OK;
  }
}
