// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import com.fasterxml.jackson.annotation.JsonValue;
import dev.filigree.ModelConfig;
import dev.filigree.ModelInit;
import dev.filigree.ModelInit.Positions;
import dev.filigree.Plan;
import dev.filigree.Precision;
import dev.filigree.PruneConfig;
import dev.filigree.PruneOptions;
import dev.filigree.TrainConfig;
import dev.filigree.TrainConfig.Adam;
import dev.filigree.TrainConfig.Anneal;
import dev.filigree.TrainConfig.Distill;
import dev.filigree.TrainConfig.Fractions;
import dev.filigree.TrainConfig.Gradient;
import dev.filigree.TrainConfig.Shape;
import dev.filigree.TrainConfig.Sparsity;
import dev.filigree.experiment.CircuitConfig.Fast;
import dev.filigree.experiment.CircuitConfig.Published;
import dev.filigree.experiment.DataConfig.Source;
import dev.filigree.experiment.RunConfig.Cadence;
import dev.filigree.experiment.RunConfig.Setting;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/** Configurations to start from; every default of Filigree is here and nowhere else. */
public enum Presets {
  /** Seconds on two cores: for tests. */
  NANO("seconds; for tests"),
  /** Minutes on two cores. */
  TINY("minutes on two cores"),
  /** Twenty minutes on two cores. */
  SMALL("twenty minutes on two cores"),
  /** Ten to twenty minutes on one GPU. */
  MEDIUM("ten to twenty minutes on one GPU"),
  /** The published setting. */
  PAPER("the published setting; many GPU hours");

  /** Seed of everything unless another is asked for. */
  public static final long SEED = 1;

  private static final Adam ADAM = new Adam(0.9, 0.95, 0.1);

  /**
   * With learnt positions a small model sees what stands just before, which without them takes it
   * several times the tokens. The paper found them neutral in models hundreds of times larger.
   */
  private static final ModelInit POSITIONED =
      new ModelInit(SEED, Positions.ADDED, Precision.FP32, Plan.FAST);

  private static final Sparsity DENSE =
      new Sparsity(Fractions.DENSE, new Anneal(Shape.LINEAR, 0, 1, 1), 0, false);
  private static final double DENSE_LR = 0.02;

  /** Steps between two looks at whether a dense model has reached its loss. */
  private static final long DENSE_EVAL_EVERY = 50;

  /**
   * Below the 0.15 that a circuit may have on final templates: of those that just reach 0.15 on
   * validation templates about half do not on other ones.
   */
  private static final double TARGET_LOSS = 0.10;

  private static final long MEGABYTE = 1_000_000;

  private final String takes;

  Presets(String takes) {
    this.takes = takes;
  }

  /** Name on the command line and in files. */
  @JsonValue
  public String key() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** How long it takes, in words. */
  public String takes() {
    return takes;
  }

  /**
   * Return the preset of a name.
   *
   * @throws ConfigException when there is none, naming those there are
   */
  public static Presets named(String name) {
    return Arrays.stream(values())
        .filter(preset -> preset.key().equals(name))
        .findFirst()
        .orElseThrow(
            () ->
                new ConfigException(
                    "there is no preset \"%s\"; there are: %s"
                        .formatted(
                            name,
                            Arrays.stream(values())
                                .map(Presets::key)
                                .collect(Collectors.joining(", ")))));
  }

  /** Return what it stands for. */
  public RunConfig config() {
    return switch (this) {
      case NANO ->
          new RunConfig(
              ModelConfig.sparse(2, 64, 64, 512),
              POSITIONED,
              train(1500, 16, 64, 0.05, 1.0 / 4, 0.5),
              new DataConfig(List.of(Source.tinypython(1, 2 * MEGABYTE, SEED)), MEGABYTE),
              prune(150, 32, 256),
              new Cadence(20, 200, 32, 64, 200, 3, null));
      case TINY ->
          new RunConfig(
              ModelConfig.sparse(2, 128, 128, 1024),
              POSITIONED,
              train(6000, 8, 128, 0.05, 1.0 / 16, 0.25),
              mix(16 * MEGABYTE),
              prune(300, 32, 512),
              new Cadence(20, 500, 32, 256, 500, 3, null));
      case SMALL ->
          new RunConfig(
              ModelConfig.sparse(2, 256, 128, 1024),
              POSITIONED,
              train(10_000, 8, 128, 0.03, 1.0 / 16, 0.25),
              mix(32 * MEGABYTE),
              prune(500, 64, 512),
              new Cadence(20, 500, 32, 128, 500, 3, null));
      case MEDIUM ->
          new RunConfig(
              ModelConfig.sparse(4, 1024, 256, 2048),
              new ModelInit(SEED, Positions.ADDED, Precision.BF16, Plan.FAST),
              train(6000, 64, 256, 0.0128, 1.0 / 64, 0.125),
              mix(256 * MEGABYTE),
              prune(1000, 64, 1024),
              new Cadence(50, 500, 64, 256, 500, 3, null));
      case PAPER ->
          new RunConfig(
              ModelConfig.sparse(8, 2048, 256, 2048),
              new ModelInit(SEED, Positions.NONE, Precision.BF16, Plan.FAST),
              published(train(244_000, 512, 256, 0.0128, 1.0 / 256, 1.0 / 32)),
              mix(4096 * MEGABYTE),
              prune(2000, 64, 2048),
              new Cadence(100, 1000, 64, 512, 1000, 3, null));
    };
  }

  /**
   * Return the dense counterpart of a sparse model: an ordinary transformer without AbsTopK, three
   * eighths as wide in whole heads, on the same text, that stops at a held-out loss. As wide as the
   * sparse one it would get there before it had seen the text that the tasks are about.
   *
   * @param stopLoss nats per token
   */
  public static RunConfig dense(RunConfig sparse, double stopLoss) {
    ModelConfig model = sparse.model();
    int width = Math.max(1, Math.round(model.dModel() * 3 / 8f / model.dHead())) * model.dHead();
    RunConfig dense = dense(sparse, width);
    Cadence run = sparse.run();
    return new RunConfig(
        dense.model(),
        dense.init(),
        dense.train(),
        dense.data(),
        dense.prune(),
        new Cadence(
            run.logEvery(),
            DENSE_EVAL_EVERY,
            run.evalBatch(),
            run.evalSequences(),
            run.checkpointEvery(),
            run.keepCheckpoints(),
            stopLoss));
  }

  /**
   * Return a dense model of another width with the architecture, text, schedule and search of a
   * sparse one: heads are about as wide, the MLP is as many times as wide as the model, and there
   * is no AbsTopK.
   *
   * @param width a whole number of heads; of heads that are narrower or wider where it is between
   * @throws ConfigException when no number of heads near that shares it
   */
  public static RunConfig dense(RunConfig sparse, int width) {
    ModelConfig model = sparse.model();
    if (width < 1) {
      throw new ConfigException("a dense width is at least 1, not " + width);
    }
    int heads = Math.max(1, Math.round((float) width / model.dHead()));
    if (width % heads != 0) {
      throw new ConfigException(
          "dense width %d cannot be shared among %d heads".formatted(width, heads));
    }
    long neurons = (long) model.dMlp() * width / model.dModel();
    RunConfig reshaped =
        sparse.withAll(
            List.of(
                new Setting("model.d_model", Integer.toString(width)),
                new Setting("model.n_head", Integer.toString(heads)),
                new Setting("model.d_head", Integer.toString(width / heads)),
                new Setting("model.d_mlp", Long.toString(neurons)),
                new Setting("model.afrac", "null")));
    return new RunConfig(
        reshaped.model(),
        sparse.init(),
        sparse.train().withLr(DENSE_LR).withSparsity(DENSE).withDistill(Distill.OFF),
        sparse.data(),
        sparse.prune(),
        sparse.run());
  }

  /** Power-law annealing over 1 to 30% of the steps, which the paper's own ablation allows. */
  private static TrainConfig train(
      long steps, int batch, int length, double lr, double matrix, double embedding) {
    return new TrainConfig(
        steps,
        batch,
        length,
        SEED,
        lr,
        0.01,
        ADAM,
        0.1,
        Gradient.NORMALIZE,
        new Sparsity(
            new Fractions(matrix, embedding, embedding, embedding, embedding),
            new Anneal(Shape.POWER_LAW, 0.01, 0.3, 1),
            0,
            true));
  }

  /** Linear annealing over 1 to 50% of the steps and four live weights a channel, as published. */
  private static TrainConfig published(TrainConfig train) {
    return train.withSparsity(
        new Sparsity(
            train.sparsity().fractions(), new Anneal(Shape.LINEAR, 0.01, 0.5, 1), 4, true));
  }

  private static DataConfig mix(long generatedBytes) {
    return new DataConfig(
        List.of(Source.stdlib(0.3), Source.tinypython(0.7, generatedBytes, SEED)), 8 * MEGABYTE);
  }

  private static CircuitConfig prune(long steps, int pairs, int trainPairs) {
    return new CircuitConfig(
        TARGET_LOSS,
        trainPairs,
        128,
        128,
        256,
        SEED,
        PruneMethod.FAST,
        PruneOptions.PUBLISHED,
        false,
        new Fast(masks(80, 16, 0.03), List.of(0.3, 1.0, 3.0), 1, 64, 2, 128, 32, 256, true),
        new Published(32, masks(steps, pairs, 0.01)));
  }

  private static PruneConfig masks(long steps, int pairs, double lr) {
    return new PruneConfig(
        steps, pairs, SEED, lr, 0.9, 0.95, 1e-8, 1e-3, 1e-3, 1e-2, 0.1, 1.0, 0.0, 1.0);
  }
}
