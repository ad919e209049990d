// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.filigree.Engine;
import dev.filigree.EngineOptions;
import dev.filigree.experiment.Experiment;
import dev.filigree.experiment.RunFolder;
import java.nio.file.Path;
import java.util.OptionalLong;
import picocli.CommandLine.Option;

/** Options that every verb on a run has. */
final class RunOptions {
  @Option(
      names = "--run",
      paramLabel = "DIR",
      description =
          "Folder of the run. Default: for a new run runs/<preset>, else the newest in runs/.")
  Path run;

  @Option(
      names = "--device",
      paramLabel = "DEVICE",
      description =
          "cpu, cuda or cuda:INDEX. Default: where the run was trained, cpu for a new one.")
  String device;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description =
          "Threads of the native core, 0 for all cores (default). Results are bit-equal only for"
              + " equal numbers.")
  int threads;

  @Option(
      names = "--json",
      description = "Print exactly one JSON value on standard output instead of text.")
  boolean json;

  /** Open the run that is meant. */
  Experiment experiment() {
    return run == null ? Experiment.newest(RunFolder.RUNS) : Experiment.open(run);
  }

  /** Open the engine for a run; null for a new one. */
  Engine engine(Experiment experiment) {
    String where = device;
    if (where == null && experiment != null) {
      JsonNode recorded = experiment.folder().manifest().at("/engine/device");
      where = recorded.isTextual() ? recorded.asText() : null;
    }
    return Engine.open(new EngineOptions(where == null ? "cpu" : where, threads));
  }

  static OptionalLong step(Long checkpoint) {
    return checkpoint == null ? OptionalLong.empty() : OptionalLong.of(checkpoint);
  }
}
