// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import dev.filigree.experiment.ConfigException;
import dev.filigree.experiment.Experiment;
import dev.filigree.experiment.RunFolder;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** Options of a verb that reads a run folder, with or without the native core. */
class FolderOptions {
  @Option(
      names = "--run",
      paramLabel = "DIR",
      description =
          "Folder of the run. Default: for a new run runs/<preset>, else the newest below runs/"
              + " with a checkpoint.")
  Path run;

  @Option(
      names = "--model",
      paramLabel = "NAME",
      description =
          "A packed model in place of a run: shipped, the one that comes with Filigree, or a file"
              + " that filigree ship wrote.")
  private String model;

  @Option(
      names = "--json",
      description = "Print exactly one JSON value on standard output instead of text.")
  boolean json;

  /** Whether a run or a packed model was named. */
  final boolean isNamed() {
    return run != null || model != null;
  }

  /** Folder of a run that is to be made. */
  final Path newRun(String name) {
    if (model != null) {
      throw new ConfigException("--model names a model that is made already");
    }
    return run == null ? RunFolder.RUNS.resolve(name) : run;
  }

  /** Open the run that is meant. */
  final Experiment experiment() {
    if (model != null && run != null) {
      throw new ConfigException("--model is in place of a run, so it does not go with --run");
    }
    if (model != null) {
      return Experiment.packed(model);
    }
    return run == null ? Experiment.newest(RunFolder.RUNS) : Experiment.open(run);
  }

  /** Open the run that is meant, one of this name below runs/ when none is named. */
  final Experiment experiment(String name) {
    return isNamed() ? experiment() : Experiment.open(RunFolder.RUNS.resolve(name));
  }
}
