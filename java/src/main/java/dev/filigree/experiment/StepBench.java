// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import dev.filigree.Engine;
import dev.filigree.Model;
import dev.filigree.ModelConfig;
import dev.filigree.ModelInit;
import dev.filigree.Plan;
import dev.filigree.Precision;
import dev.filigree.TrainConfig;
import dev.filigree.Trainer;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.DoubleUnaryOperator;
import java.util.stream.IntStream;

/** Times steps of the fast plan against those of the reference plan. */
public final class StepBench {
  static final int WARM_UP = 2;

  private static final long MANY_STEPS = 1_000_000;
  private static final TrainConfig.Anneal AT_ONCE =
      new TrainConfig.Anneal(TrainConfig.Shape.LINEAR, 0, Double.MIN_NORMAL, 1);

  private final Engine engine;
  private final Precision precision;
  private final int repeats;
  private final int scheduleSteps;

  /**
   * What is trained. All sites of a layer keep a quarter of their activations.
   *
   * @see #R the only one whose steps differ from each other
   */
  public enum Case {
    C1(2, 256, 128, 32, 1024, 1.0 / 32),
    C2(4, 512, 256, 8, 2048, 1.0 / 64),
    C3(2, 1024, 128, 8, 2048, 1.0 / 128),
    /** C1 while its weights are dense still. */
    C4(2, 256, 128, 32, 1024, 1),
    /** The schedule of the preset tiny. */
    R(0, 0, 0, 0, 0, 0);

    private final int layers;
    private final int width;
    private final int length;
    private final int batch;
    private final int vocabulary;
    private final double kept;

    Case(int layers, int width, int length, int batch, int vocabulary, double kept) {
      this.layers = layers;
      this.width = width;
      this.length = length;
      this.batch = batch;
      this.vocabulary = vocabulary;
      this.kept = kept;
    }

    /** Architecture that is trained. */
    public ModelConfig model() {
      return this == R
          ? Presets.TINY.config().model()
          : ModelConfig.sparse(layers, width, length, vocabulary);
    }

    /**
     * How it is trained.
     *
     * @param scheduleSteps steps of R
     */
    public TrainConfig train(int scheduleSteps) {
      return this == R
          ? Presets.TINY.config().train().withSteps(scheduleSteps)
          : steady(batch, length, new TrainConfig.Fractions(kept, kept, kept, kept, kept));
    }
  }

  /** The same training, its steps alike: annealed from the second one on, without a teacher. */
  static TrainConfig settled(TrainConfig train) {
    TrainConfig.Sparsity own = train.sparsity();
    return train
        .withSteps(MANY_STEPS)
        .withDistill(TrainConfig.Distill.OFF)
        .withSparsity(
            new TrainConfig.Sparsity(
                own.fractions(),
                AT_ONCE,
                own.minimumAlive(),
                own.sharkfin(),
                own.revive(),
                own.levels()));
  }

  /**
   * Return a configuration whose steps are alike: annealed from the second one on, at the full
   * learning rate.
   *
   * @param batch sequences
   * @param length of each, tokens
   * @param fractions kept
   */
  public static TrainConfig steady(int batch, int length, TrainConfig.Fractions fractions) {
    TrainConfig tiny = Presets.TINY.config().train();
    return new TrainConfig(
        MANY_STEPS,
        batch,
        length,
        1,
        tiny.lr(),
        0,
        tiny.adam(),
        tiny.weightDecay(),
        tiny.gradient(),
        new TrainConfig.Sparsity(fractions, AT_ONCE, tiny.sparsity().minimumAlive(), false));
  }

  /**
   * Outcome of one case.
   *
   * @param name of the case
   * @param plan that is compared with the reference
   * @param precision of its products
   * @param ratio reference time over its time: of the medians, or of the whole schedule
   * @param ratioMin least ratio of a pair of steps
   * @param ratioMax greatest
   * @param tokensPerSecond of the fast plan
   * @param referenceTokensPerSecond of the reference plan
   * @param stepSeconds median step of the fast plan; of R the mean
   * @param floorSeconds least time the step's operations and memory traffic could take; of R the
   *     mean over its steps
   * @param runSeconds of R: that of all steps of the preset; else null
   * @param referenceRunSeconds the same by the reference plan
   * @param coresBusy processor seconds in a second of the fast plan's steps, the JVM's included
   * @param crossover nonzero fraction up to which a matrix is multiplied by its nonzeros
   * @param denseCrossover the same for the unembedding, whose inputs are dense
   * @param parts seconds of a step by part, the mean over the steps
   * @param floorParts least seconds of a part
   */
  public record Result(
      @JsonProperty("case") String name,
      Plan plan,
      Precision precision,
      double ratio,
      @JsonProperty("ratio_min") double ratioMin,
      @JsonProperty("ratio_max") double ratioMax,
      @JsonProperty("tokens_per_s") double tokensPerSecond,
      @JsonProperty("reference_tokens_per_s") double referenceTokensPerSecond,
      @JsonProperty("step_s") double stepSeconds,
      @JsonProperty("floor_s") double floorSeconds,
      @JsonProperty("run_s") Double runSeconds,
      @JsonProperty("reference_run_s") Double referenceRunSeconds,
      @JsonProperty("cores_busy") double coresBusy,
      double crossover,
      @JsonProperty("dense_crossover") double denseCrossover,
      Map<String, Double> parts,
      Map<String, Double> floorParts) {}

  /**
   * @param precision of the products of the fast plan
   * @param repeats steps of each plan
   * @param scheduleSteps steps that R takes instead
   */
  public StepBench(Engine engine, Precision precision, int repeats, int scheduleSteps) {
    this.engine = engine;
    this.precision = precision;
    this.repeats = repeats;
    this.scheduleSteps = scheduleSteps;
  }

  /** Measure one case. */
  public Result run(Case one) {
    ModelConfig config = one.model();
    TrainConfig train = one.train(scheduleSteps);
    try (RandomText text = new RandomText(config.vocabSize());
        Model fast = engine.createModel(config, init(precision, Plan.FAST));
        Model reference = engine.createModel(config, init(Precision.FP32, Plan.REFERENCE));
        Trainer a = fast.trainer(train, text.streams());
        Trainer b = reference.trainer(train, text.streams())) {
      return measure(one, config, train, a, b);
    }
  }

  private Result measure(Case one, ModelConfig config, TrainConfig train, Trainer a, Trainer b) {
    int steps = repeats;
    if (one == Case.R) {
      steps = scheduleSteps;
    } else {
      a.step(WARM_UP);
      b.step(WARM_UP);
    }
    JsonNode before = a.profile();
    double[] fast = new double[steps];
    double[] slow = new double[steps];
    double[] kept = new double[steps];
    double density = one == Case.R ? 1 : one.kept;
    for (int i = 0; i < steps; i++) {
      kept[i] = density;
      long start = System.nanoTime();
      density = a.step(1).density(); // with which the next one runs
      fast[i] = (System.nanoTime() - start) / 1e9;
      slow[i] = seconds(b);
    }
    JsonNode after = a.profile();
    double[] ratios = IntStream.range(0, steps).mapToDouble(i -> slow[i] / fast[i]).toArray();
    // The steps of R differ, and a run takes their sum.
    double step = one == Case.R ? mean(fast) : median(fast);
    double plain = one == Case.R ? mean(slow) : median(slow);
    double tokens = (double) train.batchSize() * train.seqLen();
    Map<String, Double> floors = floors(config, train, kept);
    return new Result(
        one.name(),
        Plan.FAST,
        precision,
        plain / step,
        IntStream.range(0, steps).mapToDouble(i -> ratios[i]).min().orElseThrow(),
        IntStream.range(0, steps).mapToDouble(i -> ratios[i]).max().orElseThrow(),
        tokens / step,
        tokens / plain,
        step,
        floors.values().stream().mapToDouble(f -> f).sum(),
        one == Case.R ? step * Presets.TINY.config().train().steps() : null,
        one == Case.R ? plain * Presets.TINY.config().train().steps() : null,
        difference(before, after, "cpu_seconds") / difference(before, after, "seconds"),
        after.path("crossover").asDouble(),
        after.path("dense_crossover").asDouble(),
        parts(before, after, steps),
        floors);
  }

  static double seconds(Trainer trainer) {
    long start = System.nanoTime();
    trainer.step(1);
    return (System.nanoTime() - start) / 1e9;
  }

  private static Map<String, Double> parts(JsonNode before, JsonNode after, int steps) {
    Map<String, Double> parts = new LinkedHashMap<>();
    double rest = difference(before, after, "seconds") / steps;
    for (Map.Entry<String, JsonNode> part : after.get("parts").properties()) {
      double seconds = difference(before.get("parts"), after.get("parts"), part.getKey()) / steps;
      parts.put(part.getKey(), seconds);
      rest -= seconds;
    }
    parts.put("other", rest);
    return parts;
  }

  private static double difference(JsonNode before, JsonNode after, String key) {
    return after.get(key).asDouble() - before.get(key).asDouble();
  }

  /**
   * The least seconds of each part of an exact step on this machine: multiply-adds of the nonzeros
   * at the measured fp32 rate, or of zeros too at the measured rate of bf16 where factors may be
   * rounded and that takes less; and one passage of every array that does not fit the caches at the
   * measured bandwidth.
   *
   * @param kept fraction of the block matrices' weights at each of the steps to average over
   */
  private Map<String, Double> floors(ModelConfig config, TrainConfig train, double[] kept) {
    double rows = (double) train.batchSize() * train.seqLen();
    double d = config.dModel();
    double blocks =
        config.nLayer() * (4.0 * config.nHead() * config.dHead() * d + 2.0 * config.dMlp() * d);
    double unembedding = config.vocabSize() * d;
    double active = config.afrac() == null ? 1 : config.afrac();
    JsonNode rates = engine.measure();
    double multiplyAdd = 2 / rates.get("flops").asDouble();
    double rounded =
        precision == Precision.BF16
            ? 2 / rates.get("bf16_flops").asDouble()
            : Double.POSITIVE_INFINITY;
    double passage = 4 / rates.get("bytes").asDouble();
    // Seconds of a multiply-add of a dense product of which a fraction is not zero.
    DoubleUnaryOperator either = fraction -> Math.min(fraction * multiplyAdd, rounded);
    // y and dx by the nonzeros of the weights, or of the activations where those are fewer; dw by
    // those of dy, which AbsTopK leaves except at the logits.
    double ofBlocks =
        mean(Arrays.stream(kept).map(k -> either.applyAsDouble(Math.min(k, active))).toArray());
    // Other tensors are as far on their way from 1 to their own fraction as the block matrices.
    double last = train.sparsity().fractions().matrix();
    double own = train.sparsity().fractions().unembedding();
    double[] unembeddings =
        Arrays.stream(kept)
            .map(k -> last == 1 ? own : own + (1 - own) * (k - last) / (1 - last))
            .toArray();
    // Scores and values over half the square, forward, and twice that and the scores again
    // backward.
    double attention =
        config.nLayer() * rows * train.seqLen() / 2.0 * config.nHead() * config.dHead() * 7;
    double parameters = blocks + 2 * unembedding + (double) config.vocabSize() * config.vocabSize();
    Map<String, Double> floors = new LinkedHashMap<>();
    // Logits are never rounded.
    floors.put(
        "products", rows * (blocks * ofBlocks + unembedding * mean(unembeddings) * multiplyAdd));
    floors.put(
        "input_gradients",
        rows
            * (blocks * ofBlocks
                + unembedding * mean(Arrays.stream(unembeddings).map(either).toArray())));
    // Every gradient is written at least.
    floors.put(
        "weight_gradients",
        Math.max(
            rows * (blocks * either.applyAsDouble(active) + unembedding * either.applyAsDouble(1)),
            parameters * passage));
    // Written, read and the same back.
    floors.put("sites", 4.0 * rows * config.nodes() * passage);
    floors.put("attention", attention * multiplyAdd);
    floors.put("loss", 4.0 * rows * config.vocabSize() * passage);
    // One read; four arrays read and written; two reads and one write.
    floors.put("gradient_norm", parameters * passage);
    floors.put("adam", 8 * parameters * passage);
    floors.put("projection", 3 * parameters * passage);
    return floors;
  }

  static ModelInit init(Precision precision, Plan plan) {
    return new ModelInit(1, ModelInit.Positions.NONE, precision, plan);
  }

  static double median(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    int middle = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }

  private static double mean(double[] values) {
    return Arrays.stream(values).average().orElseThrow();
  }
}
