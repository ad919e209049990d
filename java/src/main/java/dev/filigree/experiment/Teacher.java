// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.data.Tokenizer;
import dev.filigree.experiment.Checkpoints.Checkpoint;
import java.nio.file.Path;

/**
 * A model that another one learns from; the "teacher" of run.json.
 *
 * @param run its folder
 * @param step of the checkpoint
 * @param modelHash SHA-256 of its model.safetensors
 */
record Teacher(String run, long step, String modelHash) {
  static final String MISSING =
      "train.distill.weight is above 0, so there has to be a teacher: --teacher names its run";
  static final String IDLE =
      "train.distill.weight is 0, so a teacher changes nothing: --set train.distill.weight=0.5";

  private static final String WEIGHTS = "model.safetensors";

  static Teacher of(RunFolder run) {
    Checkpoint last = run.checkpoints().last();
    return new Teacher(
        run.path().toAbsolutePath().normalize().toString(),
        last.step(),
        Checkpoints.hash(last, WEIGHTS));
  }

  /**
   * Find it again.
   *
   * @param tokenizer of whom it teaches
   * @throws RunException when it is gone, another one is in its place, or it reads other tokens
   */
  Checkpoint checkpoint(Tokenizer tokenizer) {
    RunFolder folder = RunFolder.open(Path.of(run));
    Checkpoint checkpoint = folder.checkpoints().at(step);
    if (!Tokenizer.load(folder.tokenizer()).hash().equals(tokenizer.hash())) {
      throw new RunException("the teacher in %s has another tokenizer".formatted(run));
    }
    if (!Checkpoints.hash(checkpoint, WEIGHTS).equals(modelHash)) {
      throw new RunException(
          "the teacher in %s is another model than the one the run was started with"
              .formatted(run));
    }
    return checkpoint;
  }
}
