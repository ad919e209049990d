// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.filigree.Engine;
import dev.filigree.EngineOptions;
import dev.filigree.Plan;
import dev.filigree.experiment.MemoryBench;
import dev.filigree.experiment.StepBench;
import dev.filigree.json.Json;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code filigree bench memory}. */
@Command(
    name = "memory",
    description =
        "Measure the most memory that training a case takes, against 16 bytes a parameter and one"
            + " number for each activation; or, with --growth-steps, what steps of the case, or of"
            + " nano, leave behind, which fails above 8 MiB.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footerHeading = "%nExamples:%n",
    footer = {
      "  filigree bench memory --case C2",
      "  filigree bench memory --case C1 --growth-steps 1000"
    })
final class BenchMemoryCommand implements Callable<Integer> {
  /** 1,000 steps that leave one page each behind are still below. */
  private static final long MOST_GROWTH = 8L << 20;

  private static final int STEPS = 3;

  @Spec private CommandSpec spec;

  @Option(
      names = "--case",
      paramLabel = "CASE",
      description = "C1 (default of the peak), C2, C3, C4 or R.")
  private StepBench.Case one;

  @Option(
      names = "--reference",
      description = "Steps of the reference plan instead of the fast one.")
  private boolean reference;

  @Option(
      names = "--growth-steps",
      paramLabel = "N",
      description = "Measure growth over so many steps instead.")
  private Long growthSteps;

  @Option(names = "--json", description = "Print one JSON object instead of a sentence.")
  private boolean json;

  @Override
  public Integer call() {
    if (growthSteps != null && growthSteps < 1) {
      throw new ParameterException(spec.commandLine(), "--growth-steps is at least 1");
    }
    try (Engine engine = Engine.open(new EngineOptions("cpu", 0))) {
      MemoryBench bench = new MemoryBench(engine);
      if (growthSteps == null) {
        StepBench.Case measured = one == null ? StepBench.Case.C1 : one;
        return peak(bench.peak(measured, reference ? Plan.REFERENCE : Plan.FAST, STEPS));
      }
      return growth(one == null ? bench.growth(growthSteps) : bench.growth(one, growthSteps));
    }
  }

  private int peak(MemoryBench.Peak peak) {
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      out.println(Json.tree(peak));
    } else {
      out.printf(
          "%s: %,d parameters, %.0f MB, and %.0f MB of activations; peak %.0f MB, %.2f times as"
              + " much%n",
          peak.name(),
          peak.parameters(),
          1e-6 * peak.parameterBytes(),
          1e-6 * peak.activationBytes(),
          1e-6 * peak.peakBytes(),
          peak.ratio());
    }
    return ExitCodes.OK;
  }

  private int growth(MemoryBench.Growth growth) {
    boolean passed = growth.growthBytes() <= MOST_GROWTH;
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      out.println(((ObjectNode) Json.tree(growth)).put("passed", passed));
    } else {
      out.printf(
          "%s, %,d steps: %+.1f MB, %s%n",
          growth.name(),
          growth.steps(),
          1e-6 * growth.growthBytes(),
          passed ? "no growth" : "memory grows");
    }
    return passed ? ExitCodes.OK : ExitCodes.FAILED;
  }
}
