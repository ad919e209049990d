// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.Engine;
import dev.filigree.Model;
import dev.filigree.ModelInfo;
import dev.filigree.experiment.Checkpoints.Checkpoint;
import java.util.Map;
import java.util.OptionalLong;

/** Measures the loss of a checkpoint on all held-out text of its run. */
public final class EvalRun {
  private final Engine engine;
  private final RunFolder folder;

  EvalRun(Engine engine, RunFolder folder) {
    this.engine = engine;
    this.folder = folder;
  }

  /**
   * What a checkpoint is worth.
   *
   * @param step of the checkpoint
   * @param loss over the mix, nats per token
   * @param losses the same by corpus
   * @param parameters number of trained weights, the bigram table not counted
   * @param nonzeros how many of them are not zero
   */
  public record Result(
      long step, double loss, Map<String, Double> losses, long parameters, long nonzeros) {}

  /**
   * Measure.
   *
   * @param step of the checkpoint, the last one if none is asked for
   */
  Result run(OptionalLong step) {
    RunConfig config = folder.config();
    Checkpoint checkpoint =
        step.isPresent() ? folder.checkpoints().at(step.getAsLong()) : folder.checkpoints().last();
    try (PreparedData data = PreparedData.open(folder, config);
        Model model = engine.loadModel(checkpoint.path(), config.init().execution())) {
      Map<String, Double> losses = data.losses(model, config.run().evalBatch(), 0);
      ModelInfo info = model.info();
      return new Result(
          checkpoint.step(), data.mean(losses), losses, info.parameters(), info.nonzeros());
    }
  }
}
