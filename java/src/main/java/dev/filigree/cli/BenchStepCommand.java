// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import dev.filigree.Engine;
import dev.filigree.EngineOptions;
import dev.filigree.experiment.StepBench;
import dev.filigree.json.Json;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code filigree bench step}. */
@Command(
    name = "step",
    description =
        "Time training steps of the fast plan against the reference plan, which is the same step in"
            + " plain LibTorch operations. The reference is always fp32. Both take turns in one"
            + " process; times are medians. R is the tiny preset's whole schedule with its steps"
            + " thinned evenly.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footerHeading = "%nExamples:%n",
    footer = {"  filigree bench step", "  filigree bench step --cases C1,C3 --repeats 9 --json"})
final class BenchStepCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = "--cases",
      split = ",",
      paramLabel = "CASE",
      description = "C1, C2, C3, C4 and R; all of them unless said otherwise.")
  private List<String> cases = List.of("C1", "C2", "C3", "C4", "R");

  @Option(
      names = "--schedule-steps",
      paramLabel = "N",
      description =
          "Steps that R takes of its schedule (default ${DEFAULT-VALUE}); train.steps of the preset"
              + " is all of it.")
  private int scheduleSteps = 60;

  @Mixin private BenchOptions options;

  @Override
  public Integer call() {
    if (scheduleSteps < 1) {
      throw new ParameterException(spec.commandLine(), "--schedule-steps is at least 1");
    }
    List<StepBench.Case> chosen = cases.stream().map(this::named).toList();
    List<StepBench.Result> results = new ArrayList<>();
    try (Engine engine = Engine.open(new EngineOptions("cpu", options.threads()))) {
      StepBench bench =
          new StepBench(engine, options.precision(), options.repeats(), scheduleSteps);
      for (StepBench.Case one : chosen) {
        results.add(bench.run(one));
      }
    }
    PrintWriter out = spec.commandLine().getOut();
    if (options.json()) {
      out.println(Json.tree(Map.of("cases", results)));
    } else {
      print(out, results);
    }
    return ExitCodes.OK;
  }

  private StepBench.Case named(String name) {
    try {
      return StepBench.Case.valueOf(name);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(
          spec.commandLine(),
          "there is no case \"" + name + "\"; there are C1, C2, C3, C4 and R",
          e);
    }
  }

  private static void print(PrintWriter out, List<StepBench.Result> results) {
    out.println("case  ratio (min - max)        tokens/s   reference   step ms  floor ms");
    for (StepBench.Result r : results) {
      out.printf(
          "%-4s  %5.2f (%5.2f - %5.2f)  %,12.0f  %,10.0f  %8.1f  %8.1f%n",
          r.name(),
          r.ratio(),
          r.ratioMin(),
          r.ratioMax(),
          r.tokensPerSecond(),
          r.referenceTokensPerSecond(),
          1e3 * r.stepSeconds(),
          1e3 * r.floorSeconds());
      r.parts()
          .forEach(
              (part, seconds) ->
                  out.printf(
                      "      %-20s %8.1f ms  of at least %8.1f ms%n",
                      part, 1e3 * seconds, 1e3 * r.floorParts().getOrDefault(part, 0.0)));
    }
  }
}
