// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.filigree.Engine;
import dev.filigree.experiment.EvalRun;
import dev.filigree.experiment.Experiment;
import dev.filigree.json.Json;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code filigree eval}. */
@Command(
    name = "eval",
    description = "Measure the loss of a checkpoint on all held-out text, by corpus.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footerHeading = "%nExamples:%n",
    footer = {
      "  filigree eval",
      "  filigree eval --run runs/tiny --checkpoint 1000",
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

  @Mixin private RunOptions options;

  @Override
  public Integer call() {
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
