// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.filigree.Engine;
import dev.filigree.EngineOptions;
import dev.filigree.experiment.Experiment;
import java.util.OptionalLong;
import picocli.CommandLine.Option;

/** Options of a verb that works on a run with the native core. */
final class RunOptions extends FolderOptions {
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
