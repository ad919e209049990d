// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.Engine;
import dev.filigree.Model;
import dev.filigree.ModelConfig;
import dev.filigree.ModelInfo;
import dev.filigree.ModelInit;
import dev.filigree.Plan;
import dev.filigree.Precision;
import dev.filigree.TrainConfig;
import dev.filigree.Trainer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Measures the memory that training takes, as Linux sees it. One measurement a process: what an
 * earlier model left behind is not given back to the system at once.
 */
public final class MemoryBench {
  /** Weight, gradient and two moments. */
  private static final int BYTES_PER_PARAMETER = 16;

  private static final int SETTLING_STEPS = 100;
  private static final int CHUNK = 20;

  private final Engine engine;

  /**
   * Most memory that a model and its training have taken at once.
   *
   * @param name of the case
   * @param plan of its steps
   * @param parameters weights, bigram table included
   * @param parameterBytes 16 for each of them
   * @param activationBytes what an exact step has to keep for its backward pass: one 32-bit number
   *     for each node, residual channel and logit of each token
   * @param peakBytes resident at the worst moment of making the trainer and of its steps, less what
   *     was before
   * @param ratio peak over parameters and activations
   */
  public record Peak(
      String name,
      Plan plan,
      long parameters,
      long parameterBytes,
      long activationBytes,
      long peakBytes,
      double ratio) {}

  /**
   * What many steps leave behind.
   *
   * @param name of the case or preset
   * @param steps that were done after the first hundred
   * @param growthBytes resident after them, less what was before; may be negative
   */
  public record Growth(String name, long steps, long growthBytes) {}

  public MemoryBench(Engine engine) {
    this.engine = engine;
  }

  /**
   * Measure the peak of one case.
   *
   * @param steps to do, at least 2: the second one is the first after annealing
   */
  public Peak peak(StepBench.Case one, Plan plan, int steps) {
    ModelConfig config = one.model();
    TrainConfig train = one.train(steps);
    ModelInit init = StepBench.init(Precision.FP32, plan);
    try (RandomText text = new RandomText(config.vocabSize())) {
      forgetPeak();
      long before = status("VmRSS");
      try (Model model = engine.createModel(config, init);
          Trainer trainer = model.trainer(train, text.streams())) {
        trainer.step(steps);
        long peak = status("VmHWM") - before;
        long parameters = model.info().tensors().stream().mapToLong(ModelInfo.Tensor::count).sum();
        long perToken =
            config.nodes() + (2L * config.nLayer() + 1) * config.dModel() + config.vocabSize();
        long activations = 4L * train.batchSize() * train.seqLen() * perToken;
        long expected = BYTES_PER_PARAMETER * parameters + activations;
        return new Peak(
            one.name(),
            plan,
            parameters,
            BYTES_PER_PARAMETER * parameters,
            activations,
            peak,
            (double) peak / expected);
      }
    }
  }

  /** Measure what steps of a small model leave behind. */
  public Growth growth(long steps) {
    RunConfig nano = Presets.NANO.config();
    return growth(Presets.NANO.key(), nano.model(), nano.train(), steps);
  }

  /** Measure what steps of a case leave behind. */
  public Growth growth(StepBench.Case one, long steps) {
    return growth(one.name(), one.model(), one.train(SETTLING_STEPS), steps);
  }

  private Growth growth(String name, ModelConfig config, TrainConfig some, long steps) {
    TrainConfig train = some.withSteps(SETTLING_STEPS + steps);
    try (RandomText text = new RandomText(config.vocabSize());
        Model model = engine.createModel(config, StepBench.init(Precision.FP32, Plan.FAST));
        Trainer trainer = model.trainer(train, text.streams())) {
      trainer.step(SETTLING_STEPS);
      long before = status("VmRSS");
      for (long done = 0; done < steps; done += CHUNK) {
        trainer.step(Math.min(CHUNK, steps - done));
      }
      return new Growth(name, steps, status("VmRSS") - before);
    }
  }

  /** Make the peak start again from what is resident now. */
  private static void forgetPeak() {
    try {
      Files.writeString(Path.of("/proc/self/clear_refs"), "5");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Read one line of what Linux says about this process, bytes. */
  private static long status(String key) {
    try {
      for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
        if (line.startsWith(key + ":")) {
          return 1024 * Long.parseLong(line.replaceAll("\\D", ""));
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    throw new IllegalStateException("/proc/self/status has no " + key);
  }
}
