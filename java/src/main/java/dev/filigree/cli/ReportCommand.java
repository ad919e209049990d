// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.filigree.experiment.Experiment;
import dev.filigree.experiment.RunFolder;
import dev.filigree.json.Json;
import dev.filigree.report.CompareReport;
import dev.filigree.report.Report;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code filigree report}. */
@Command(
    name = "report",
    description =
        "Write one HTML page that shows how a model was trained, the circuits found in it and what"
            + " the checks say. The page needs no network and no other file.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footerHeading = "%nExamples:%n",
    footer = {
      "  filigree report",
      "  filigree report runs/quickstart",
      "  filigree report runs/compare",
      "  filigree report --model shipped --out shipped.html"
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:Written.",
      "1:Something else failed, memory for example.",
      "2:The command line is wrong.",
      "5:The folder or a file in it cannot be used, or the page cannot be written."
    })
final class ReportCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Parameters(
      paramLabel = "DIR",
      arity = "0..1",
      description =
          "A run folder, a folder with the runs sparse and dense, or that of a comparison. Default:"
              + " the newest run in runs/.")
  private Path folder;

  @Option(names = "--run", paramLabel = "DIR", description = "The same, as other verbs call it.")
  private Path run;

  @Option(
      names = "--model",
      paramLabel = "NAME",
      description = "A packed model in place of a folder: shipped, or a file of filigree ship.")
  private String model;

  @Option(
      names = "--out",
      paramLabel = "FILE",
      description = "Where to write the page. Default: report.html in the folder.")
  private Path out;

  @Option(
      names = "--json",
      description = "Print exactly one JSON value on standard output instead of text.")
  private boolean json;

  @Override
  public Integer call() {
    if (Stream.of(folder, run, model).filter(Objects::nonNull).count() > 1) {
      throw new ParameterException(
          spec.commandLine(), "a folder, --run and --model do not go together");
    }
    folder = folder == null ? run : folder;
    if (folder != null && CompareReport.exists(folder)) {
      return comparison();
    }
    Path place = model == null ? folder : Experiment.packed(model).folder().path();
    Report report = place == null ? Report.newest(RunFolder.RUNS) : Report.of(place);
    Path file = out == null ? report.folder().resolve(Report.FILE) : out;
    report.write(file);
    PrintWriter output = spec.commandLine().getOut();
    if (json) {
      ObjectNode result = Json.object();
      result.put("report", file.toString());
      result.set("tasks", Json.tree(report.tasks()));
      output.println(result);
    } else {
      output.println(file);
    }
    return ExitCodes.OK;
  }

  private int comparison() {
    Path file = out == null ? folder.resolve(Report.FILE) : out;
    CompareReport.of(folder).write(file);
    PrintWriter output = spec.commandLine().getOut();
    if (json) {
      output.println(Json.object().put("report", file.toString()));
    } else {
      output.println(file);
    }
    return ExitCodes.OK;
  }
}
