// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.filigree.experiment.RunFolder;
import dev.filigree.experiment.ShippedModel;
import dev.filigree.json.Json;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code filigree ship}. */
@Command(
    name = "ship",
    description =
        "Pack a finished run into one small file: the model without its zeros, tokenizer, circuits,"
            + " evidence and run record. --model FILE uses it in place of a run.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footerHeading = "%nExamples:%n",
    footer = {
      "  filigree ship --run runs/small --out small.zip",
      "  filigree evidence --model small.zip",
      "  filigree ship --run runs/small --out"
          + " java/src/main/resources/dev/filigree/shipped/model.zip"
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:Packed.",
      "1:Something else failed, memory for example.",
      "2:The command line is wrong.",
      "5:The run cannot be used, or the file would be larger than it may be."
    })
final class ShipCommand implements Callable<Integer> {
  private static final double MEGABYTE = 1e6;

  @Spec private CommandSpec spec;

  @Option(
      names = "--out",
      paramLabel = "FILE",
      description = "Where to write it. Default: model.zip in the run folder.")
  private Path out;

  @Option(
      names = "--at-most",
      paramLabel = "MB",
      description = "Largest size, megabytes. Default: ${DEFAULT-VALUE}.")
  private double most = 6;

  @Mixin private FolderOptions options;

  @Override
  public Integer call() {
    RunFolder run = options.experiment().folder();
    Path file = out == null ? run.path().resolve("model.zip") : out;
    long bytes = ShippedModel.write(run, file, Math.round(most * MEGABYTE));
    PrintWriter output = spec.commandLine().getOut();
    if (options.json) {
      ObjectNode json = Json.object();
      json.put("file", file.toString()).put("bytes", bytes);
      json.set("circuits", Json.tree(run.circuits()));
      output.println(json);
    } else {
      output.printf("%s: %.2f MB, %d circuits%n", file, bytes / MEGABYTE, run.circuits().size());
    }
    return ExitCodes.OK;
  }
}
