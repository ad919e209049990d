// SPDX-License-Identifier: Apache-2.0
package dev.filigree.bench;

import com.fasterxml.jackson.databind.JsonNode;
import dev.filigree.Engine;
import dev.filigree.Model;
import dev.filigree.ModelConfig;
import dev.filigree.ModelInit;
import dev.filigree.TrainConfig;
import dev.filigree.TrainStats;
import dev.filigree.Trainer;
import dev.filigree.experiment.RandomText;
import dev.filigree.experiment.StepBench;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** A step of case C1 as Java sees it, beside what the core says that it took. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 5)
@Measurement(iterations = 20)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
public class StepBenchmark {
  private Engine engine;
  private Model model;
  private Trainer trainer;
  private int[][] batch;

  /** The two halves of one step. */
  @State(Scope.Thread)
  @AuxCounters(AuxCounters.Type.EVENTS)
  public static class Halves {
    /** Inside the core. */
    public double nativeMillis;

    /** Everything else between the call and its return. */
    public double bridgeMicros;

    private TrainStats time(Supplier<TrainStats> step) {
      long start = System.nanoTime();
      TrainStats stats = step.get();
      long wall = System.nanoTime() - start;
      nativeMillis = 1e3 * stats.seconds();
      bridgeMicros = 1e-3 * wall - 1e6 * stats.seconds();
      return stats;
    }
  }

  /** Make the trainer, and a batch for the steps that are handed one. */
  @Setup
  public void open() {
    ModelConfig config = StepBench.Case.C1.model();
    TrainConfig train = StepBench.Case.C1.train(1);
    SplittableRandom random = new SplittableRandom(1);
    batch = new int[train.batchSize()][train.seqLen()];
    for (int[] sequence : batch) {
      for (int i = 0; i < sequence.length; i++) {
        sequence[i] = random.nextInt(config.vocabSize());
      }
    }
    engine = Engine.open();
    model = engine.createModel(config, ModelInit.seeded(1));
    try (RandomText text = new RandomText(config.vocabSize())) {
      trainer = model.trainer(train, text.streams());
    }
  }

  @TearDown
  public void close() {
    trainer.close();
    engine.close();
  }

  /** A step on a batch that the core samples. */
  @Benchmark
  public TrainStats step(Halves halves) {
    return halves.time(() -> trainer.step(1));
  }

  /** A step on a batch of Java's. */
  @Benchmark
  public TrainStats stepOn(Halves halves) {
    return halves.time(() -> trainer.stepOn(batch));
  }

  /** Measure the weights, and read the numbers. */
  @Benchmark
  public JsonNode metrics() {
    return trainer.metrics();
  }
}
