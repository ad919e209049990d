// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.filigree.Engine;
import dev.filigree.experiment.Presets;
import dev.filigree.experiment.Quickstart;
import dev.filigree.experiment.QuickstartResult;
import dev.filigree.experiment.RunConfig;
import dev.filigree.experiment.RunFolder;
import dev.filigree.json.Json;
import dev.filigree.report.Report;
import dev.filigree.task.Tasks;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code filigree quickstart}. */
@Command(
    name = "quickstart",
    description =
        "From a fresh checkout to circuits: train a sparse model, then a dense one to the same"
            + " held-out loss, find and check the circuits of both for every task, print them side"
            + " by side and write a page that shows them. Ctrl-C stops; the same command goes on.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footerHeading = "%nExamples:%n",
    footer = {
      "  filigree quickstart",
      "  filigree quickstart --task single_double_quote --task bracket_counting",
      "  filigree quickstart --preset nano --run runs/try --json"
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:Done; the table says which circuits hold.",
      "1:Something else failed, memory for example.",
      "2:The command line or the configuration is wrong.",
      "4:Training has diverged; the last good checkpoint is kept.",
      "5:A corpus or the folder cannot be used.",
      "6:The native core or the device is missing; see filigree doctor.",
      "130:Stopped with Ctrl-C; the same command goes on."
    })
final class QuickstartCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = "--preset",
      paramLabel = "NAME",
      description = "nano, tiny (default), small, medium or paper: the sparse model.")
  private String preset = Presets.TINY.key();

  @Option(
      names = "--task",
      paramLabel = "NAME",
      completionCandidates = PruneCommand.TaskNames.class,
      description = "A task: ${COMPLETION-CANDIDATES}. Repeatable. Default: ${DEFAULT-VALUE}.")
  private List<String> tasks = Quickstart.TASKS;

  @Option(
      names = "--set",
      paramLabel = "KEY=VALUE",
      description =
          "Change one value of the sparse model's configuration, by its dotted path in run.json."
              + " Repeatable.")
  private List<String> settings = List.of();

  @Mixin private RunOptions options;

  @Override
  public Integer call() {
    tasks.forEach(Tasks::named);
    Path folder = options.newRun("quickstart");
    Presets from = Presets.named(preset);
    RunConfig config =
        from.config().withAll(settings.stream().map(RunConfig.Setting::parse).toList());
    Optional<QuickstartResult> result;
    try (Engine engine = options.engine(null);
        ConsoleProgress progress = new ConsoleProgress(spec.commandLine().getErr(), options.json)) {
      Quickstart quickstart = new Quickstart(engine, folder, config, from, tasks, progress);
      try (StopOnSignal _ = new StopOnSignal(quickstart::stop, spec.commandLine().getErr())) {
        result = quickstart.run();
      }
    }
    PrintWriter out = spec.commandLine().getOut();
    if (result.isEmpty()) {
      spec.commandLine().getErr().println("filigree: stopped; the same command goes on");
      return ExitCodes.INTERRUPTED;
    }
    Path page = folder.resolve(Report.FILE);
    Report.of(folder).write(page);
    if (options.json) {
      ObjectNode json = (ObjectNode) Json.tree(result.get());
      json.put("report", page.toString());
      out.println(json);
    } else {
      out.print(
          QuickstartTable.of(
              result.get(),
              Quickstart.MODELS.stream().map(folder::resolve).map(RunFolder::open).toList()));
      out.printf("The page: %s%n", page);
      out.flush();
    }
    return ExitCodes.OK;
  }
}
