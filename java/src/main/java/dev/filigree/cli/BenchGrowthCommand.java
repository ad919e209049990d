// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import dev.filigree.Engine;
import dev.filigree.EngineOptions;
import dev.filigree.experiment.GrowthBench;
import dev.filigree.json.Json;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code filigree bench growth}. */
@Command(
    name = "growth",
    description =
        "Time steps of the fast plan while the width grows and the number of nonzeros stays, while"
            + " the kept fraction falls, and while sequences get longer. A slope is the power of"
            + " the size that the time grows with.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footerHeading = "%nExamples:%n",
    footer = {"  filigree bench growth", "  filigree bench growth --points 3 --json"})
final class BenchGrowthCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Mixin private BenchOptions options;

  @Option(
      names = "--points",
      paramLabel = "N",
      description = "Points of each series, from the least on (default: all); at least 2.")
  private int points = Integer.MAX_VALUE;

  @Override
  public Integer call() {
    if (points < 2) {
      throw new ParameterException(spec.commandLine(), "--points is at least 2");
    }
    List<GrowthBench.Result> results = new ArrayList<>();
    try (Engine engine = Engine.open(new EngineOptions("cpu", options.threads()))) {
      GrowthBench bench = new GrowthBench(engine, options.precision(), options.repeats());
      for (GrowthBench.Series series : GrowthBench.Series.values()) {
        results.add(bench.run(series, points));
      }
    }
    PrintWriter out = spec.commandLine().getOut();
    if (options.json()) {
      out.println(Json.tree(Map.of("growth", results)));
    } else {
      print(out, results);
    }
    return ExitCodes.OK;
  }

  private static void print(PrintWriter out, List<GrowthBench.Result> results) {
    for (GrowthBench.Result r : results) {
      out.printf(
          "%s: slope %.2f, at the end %.2f%n",
          r.series().name().toLowerCase(Locale.ROOT), r.slope(), r.lastSlope());
      for (int i = 0; i < r.x().size(); i++) {
        out.printf("  %,6d  %9.1f ms%n", r.x().get(i), 1e3 * r.stepSeconds().get(i));
      }
    }
  }
}
