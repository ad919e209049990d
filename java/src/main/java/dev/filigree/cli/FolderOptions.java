// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

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
      names = "--json",
      description = "Print exactly one JSON value on standard output instead of text.")
  boolean json;

  /** Open the run that is meant. */
  final Experiment experiment() {
    return run == null ? Experiment.newest(RunFolder.RUNS) : Experiment.open(run);
  }
}
