// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import dev.filigree.Precision;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** How steps are timed, shared by the verbs below {@code filigree bench}. */
final class BenchOptions {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

  @Option(
      names = "--repeats",
      paramLabel = "N",
      description = "Steps of each kind (default ${DEFAULT-VALUE}).")
  private int repeats = 5;

  @Option(
      names = "--precision",
      paramLabel = "PRECISION",
      description = "fp32 (default) or bf16, of the fast plan.")
  private String precision = "fp32";

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Threads, 0 for all cores (default).")
  private int threads;

  @Option(names = "--json", description = "Print one JSON object instead of a table.")
  private boolean json;

  int repeats() {
    if (repeats < 1) {
      throw new ParameterException(spec.commandLine(), "--repeats is at least 1");
    }
    return repeats;
  }

  Precision precision() {
    return switch (precision) {
      case "fp32" -> Precision.FP32;
      case "bf16" -> Precision.BF16;
      default ->
          throw new ParameterException(
              spec.commandLine(), "--precision is fp32 or bf16, not \"" + precision + "\"");
    };
  }

  int threads() {
    return threads;
  }

  boolean json() {
    return json;
  }
}
