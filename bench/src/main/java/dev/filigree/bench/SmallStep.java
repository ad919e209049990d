// SPDX-License-Identifier: Apache-2.0
package dev.filigree.bench;

import dev.filigree.Engine;
import dev.filigree.Model;
import dev.filigree.ModelConfig;
import dev.filigree.ModelInfo;
import dev.filigree.ModelInit;
import dev.filigree.Plan;
import dev.filigree.TrainConfig;
import dev.filigree.Trainer;
import dev.filigree.experiment.RandomText;
import dev.filigree.experiment.StepBench;
import dev.filigree.json.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;

/**
 * A training step so small that every library can be asked to do it, and what the reference plan
 * makes of it: whoever times the same step with other means begins from the same weights and has to
 * get the same losses.
 *
 * @param model architecture and shapes
 * @param train how it is trained
 * @param tokens the batch of every step
 * @param weights by name, before the first step
 * @param losses of the first steps
 */
public record SmallStep(
    ModelInfo model,
    TrainConfig train,
    int[][] tokens,
    Map<String, float[]> weights,
    double[] losses) {
  private static final int VOCABULARY = 256;
  private static final int LENGTH = 64;
  private static final int BATCH = 8;
  private static final double KEPT = 1.0 / 16;
  private static final int STEPS = 8;

  /** One layer of 64 channels. */
  public static ModelConfig architecture() {
    return ModelConfig.sparse(1, 64, LENGTH, VOCABULARY);
  }

  /**
   * At once sparse and at full learning rate, so that a few steps change the loss. Embedding and
   * biases stay dense: no activation is exactly zero then, and which of equal ones AbsTopK keeps,
   * on which libraries differ, does not come up.
   */
  public static TrainConfig training() {
    return StepBench.steady(BATCH, LENGTH, new TrainConfig.Fractions(KEPT, 1, KEPT, 1, 1));
  }

  /** The batch of every step. */
  public static int[][] batch() {
    SplittableRandom random = new SplittableRandom(1);
    int[][] batch = new int[BATCH][LENGTH];
    for (int[] sequence : batch) {
      for (int i = 0; i < LENGTH; i++) {
        sequence[i] = random.nextInt(VOCABULARY);
      }
    }
    return batch;
  }

  /** Do the first steps with the reference plan. */
  public static SmallStep recorded() {
    try (Engine engine = Engine.open();
        RandomText text = new RandomText(VOCABULARY);
        Model model =
            engine.createModel(architecture(), ModelInit.seeded(1).withPlan(Plan.REFERENCE));
        Trainer trainer = model.trainer(training(), text.streams())) {
      ModelInfo info = model.info();
      Map<String, float[]> weights = new TreeMap<>();
      for (ModelInfo.Tensor tensor : info.tensors()) {
        weights.put(tensor.name(), model.readTensor(tensor.name()));
      }
      double[] losses = new double[STEPS];
      for (int i = 0; i < STEPS; i++) {
        losses[i] = trainer.stepOn(batch()).loss();
      }
      return new SmallStep(info, training(), batch(), weights, losses);
    }
  }

  /** Read what {@link #main} wrote. */
  public static SmallStep read(Path file) throws IOException {
    return Json.read(Files.readString(file), SmallStep.class);
  }

  /**
   * Record the steps in a file.
   *
   * @param arguments the file
   */
  public static void main(String[] arguments) throws IOException {
    Files.writeString(Path.of(arguments[0]), Json.write(recorded()));
  }
}
