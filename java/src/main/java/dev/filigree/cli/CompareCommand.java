// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.filigree.Engine;
import dev.filigree.experiment.CompareConfig;
import dev.filigree.experiment.CompareConfig.Variant;
import dev.filigree.experiment.CompareResult;
import dev.filigree.experiment.CompareRun;
import dev.filigree.experiment.CompareRun.Estimate;
import dev.filigree.experiment.ConfigException;
import dev.filigree.experiment.Presets;
import dev.filigree.experiment.RunConfig;
import dev.filigree.experiment.RunConfig.Setting;
import dev.filigree.json.Json;
import dev.filigree.report.CompareReport;
import dev.filigree.report.Report;
import dev.filigree.task.Task;
import dev.filigree.task.Tasks;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** {@code filigree compare}. */
@Command(
    name = "compare",
    description =
        "How many times smaller are circuits of sparse models than those of dense ones that predict"
            + " as well? Trains a ladder of dense models and a grid of sparse ones, searches every"
            + " task in all of them in the same way, and writes ratios with intervals and a page."
            + " Ctrl-C stops; the same command goes on. Several processes may work on one folder.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footerHeading = "%nExamples:%n",
    footer = {
      "  filigree compare",
      "  filigree compare --widths 128,256 --kept 1/16,1/64 --dense-widths 32,64,96",
      "  filigree compare --steps 6000,3000,1500 --tasks single_double_quote,for_while",
      "  filigree compare --variant revive:train.sparsity.revive.every=200 --json | jq .edge_ratio"
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:Compared; whether there is a ratio is in the result.",
      "1:Something else failed, memory for example.",
      "2:The command line or the configuration is wrong.",
      "5:A corpus or the folder cannot be used.",
      "6:The native core or the device is missing; see filigree doctor.",
      "130:Stopped with Ctrl-C; the same command goes on."
    })
final class CompareCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = "--preset",
      paramLabel = "NAME",
      description = "nano, tiny (default), small, medium or paper: the middle of the grid.")
  private String preset = Presets.TINY.key();

  @Option(
      names = "--widths",
      paramLabel = "D",
      split = ",",
      description = "Widths of the sparse models. Default: half, once and twice the preset's.")
  private List<Integer> widths;

  @Option(
      names = "--kept",
      paramLabel = "F",
      split = ",",
      converter = Fraction.class,
      description =
          "Fractions of the block matrices that are kept at the preset's width; at another width as"
              + " many weights are. Default: twice, once and half the preset's.")
  private List<Double> kept;

  @Option(
      names = "--dense-widths",
      paramLabel = "D",
      split = ",",
      description =
          "Widths of the dense models. Default: an eighth, three sixteenths, a quarter, three"
              + " eighths and half of the preset's.")
  private List<Integer> denseWidths;

  @Option(
      names = "--steps",
      paramLabel = "N",
      split = ",",
      description =
          "Steps of training; with each number after the first the dense models and the middle of"
              + " the grid are trained once more. Default: the preset's and half of it.")
  private List<Long> steps;

  @Option(
      names = "--tasks",
      paramLabel = "NAME",
      split = ",",
      completionCandidates = PruneCommand.TaskNames.class,
      description = "Tasks: ${COMPLETION-CANDIDATES}. Default: all.")
  private List<String> tasks = Tasks.all().stream().map(Task::name).toList();

  @Option(
      names = "--target",
      paramLabel = "LOSS",
      description = "Loss at which circuits are counted. Default: ${DEFAULT-VALUE}.")
  private double target = CompareConfig.TARGET;

  @Option(
      names = "--curve",
      paramLabel = "LOSS",
      split = ",",
      description =
          "Further losses, for the curve of edges against loss; one search finds the circuits of"
              + " all. Default: ${DEFAULT-VALUE}.")
  private List<Double> curve = CompareConfig.CURVE;

  @Option(
      names = "--dense-set",
      paramLabel = "KEY=VALUE",
      description =
          "Change one value of the dense models' configuration: train.lr=0.01. Repeatable.")
  private List<String> denseSettings = List.of();

  @Option(
      names = "--variant",
      paramLabel = "NAME:KEY=VALUE[,KEY=VALUE]",
      description =
          "Train the middle of the grid once more with these values changed. Repeatable. With"
              + " train.distill.weight it learns from the widest dense model.")
  private List<String> variants = List.of();

  @Option(
      names = "--set",
      paramLabel = "KEY=VALUE",
      description =
          "Change one value of the preset before anything is made of it, by its dotted path in"
              + " run.json. Repeatable.")
  private List<String> settings = List.of();

  @Option(
      names = "--cells",
      paramLabel = "DIR",
      description =
          "Take the models from the folder of another comparison, as far as it has them, and leave"
              + " new ones there. Its own result and circuits stay as they are.")
  private Path cells;

  @Mixin private RunOptions options;

  /** Reads 1/16 and 0.0625. */
  static final class Fraction implements ITypeConverter<Double> {
    @Override
    public Double convert(String text) {
      String[] parts = text.split("/", 2);
      try {
        double value = Double.parseDouble(parts[0]);
        return parts.length == 1 ? value : value / Double.parseDouble(parts[1]);
      } catch (NumberFormatException _) {
        throw new TypeConversionException("\"" + text + "\" is no fraction such as 1/16 or 0.0625");
      }
    }
  }

  @Override
  public Integer call() {
    tasks.forEach(Tasks::named);
    Path folder = options.newRun("compare");
    if (cells != null && !Files.isDirectory(cells.resolve("cells"))) {
      throw new ConfigException(
          "--cells is the folder of a comparison, which has \"cells\" in it; %s has not"
              .formatted(cells));
    }
    PrintWriter err = spec.commandLine().getErr();
    Optional<CompareResult> result;
    try (Engine engine = options.engine(null);
        ConsoleProgress progress = new ConsoleProgress(err, options.json)) {
      CompareRun run =
          new CompareRun(engine, folder, cells == null ? folder : cells, plan(), progress);
      try (StopOnSignal _ = new StopOnSignal(run::stop, err)) {
        result = run.run(estimate -> err.println("filigree: " + sentence(estimate)));
      }
    }
    if (result.isEmpty()) {
      err.println("filigree: stopped; the same command goes on");
      return ExitCodes.INTERRUPTED;
    }
    Path page = folder.resolve(Report.FILE);
    CompareReport.of(folder).write(page);
    PrintWriter out = spec.commandLine().getOut();
    if (options.json) {
      ObjectNode json = (ObjectNode) Json.tree(result.get());
      json.put("report", page.toString());
      out.println(json);
    } else {
      out.print(CompareTable.of(result.get()));
      out.printf("The page: %s%n", page);
      out.flush();
    }
    return ExitCodes.OK;
  }

  private CompareConfig plan() {
    Presets from = Presets.named(preset);
    List<Setting> changes = settings.stream().map(Setting::parse).toList();
    requireFree(changes, "prune.target_loss", "--target", true);
    requireFree(changes, "train.steps", "--steps", steps != null);
    RunConfig base = CompareConfig.base(from).withAll(changes);
    CompareConfig usual = CompareConfig.of(from, base, tasks);
    return new CompareConfig(
        from,
        base,
        widths == null ? usual.widths() : widths,
        kept == null ? usual.kept() : kept,
        denseWidths == null ? usual.denseWidths() : denseWidths,
        steps == null ? usual.steps() : steps,
        tasks,
        target,
        curve,
        denseSettings.stream().map(Setting::parse).toList(),
        variants.stream().map(Variant::parse).toList());
  }

  /** What an option says nobody else may say. */
  private static void requireFree(
      List<Setting> changes, String key, String option, boolean isTaken) {
    if (isTaken && changes.stream().anyMatch(change -> change.key().equals(key))) {
      throw new ConfigException(
          "--set %s has no effect in a comparison: %s says it".formatted(key, option));
    }
  }

  private static String sentence(Estimate estimate) {
    return estimate.cells() == 0
        ? "all %d models are done".formatted(estimate.allCells())
        : ("%d of %d models to make: for one process about %s of training, and %s of searching if"
                + " all do all tasks")
            .formatted(
                estimate.cells(),
                estimate.allCells(),
                ConsoleProgress.time(estimate.trainSeconds()),
                ConsoleProgress.time(estimate.searchSeconds()));
  }
}
