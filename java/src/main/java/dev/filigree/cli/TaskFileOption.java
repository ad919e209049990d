// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import dev.filigree.data.Tokenizer;
import dev.filigree.experiment.Experiment;
import dev.filigree.experiment.RunFolder;
import dev.filigree.task.Task;
import dev.filigree.task.TaskException;
import dev.filigree.task.TaskFile;
import dev.filigree.task.Tasks;
import java.nio.file.Path;
import java.util.List;
import picocli.CommandLine.Option;

/** Tasks of the user's own, for a verb that takes tasks. */
final class TaskFileOption {
  @Option(
      names = "--task-file",
      paramLabel = "FILE",
      description =
          "JSON lines with the pairs of tasks of your own, which --task then takes too; the format"
              + " is in docs/tasks.md. Repeatable.")
  private List<Path> files = List.of();

  /**
   * Refuse a name that no file can be meant to have, before anything is opened.
   *
   * @throws TaskException naming the tasks there are
   */
  void require(String task) {
    if (files.isEmpty()) {
      Tasks.named(task);
    }
  }

  /** The run, which knows the tasks of the files. */
  Experiment addTo(Experiment experiment) {
    return files.isEmpty() ? experiment : experiment.with(read(experiment.folder()));
  }

  /** The tasks of the files, read with the vocabulary of a run. */
  List<Task> read(RunFolder run) {
    if (files.isEmpty()) {
      return List.of();
    }
    Tokenizer tokenizer = Tokenizer.load(run.tokenizer());
    int longest = run.config().model().blockSize();
    return files.stream()
        .flatMap(file -> TaskFile.read(file, tokenizer, longest).stream())
        .toList();
  }
}
