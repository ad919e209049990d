// SPDX-License-Identifier: Apache-2.0
package dev.filigree.bench;

import dev.filigree.Engine;
import dev.filigree.Model;
import dev.filigree.TrainStats;
import dev.filigree.Trainer;
import dev.filigree.experiment.Presets;
import dev.filigree.experiment.RunConfig;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Training steps of the presets on random tokens; tokens per second are batch_size * seq_len over
 * the time.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 2, time = 5)
@Measurement(iterations = 5, time = 5)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
public class TrainerBenchmark {
  /** Name of a preset. */
  @Param({"nano", "tiny", "small"})
  public String preset;

  private Engine engine;
  private Model model;
  private Trainer trainer;
  private int[][] batch;

  @Setup
  public void open() {
    RunConfig config = Presets.named(preset).config();
    SplittableRandom random = new SplittableRandom(1);
    batch = new int[config.train().batchSize()][config.train().seqLen()];
    for (int[] sequence : batch) {
      for (int i = 0; i < sequence.length; i++) {
        sequence[i] = random.nextInt(config.model().vocabSize());
      }
    }
    engine = Engine.open();
    model = engine.createModel(config.model(), config.init());
    trainer = model.trainer(config.train(), BenchmarkText.streams(config, random));
  }

  @TearDown(Level.Trial)
  public void close() {
    engine.close();
    trainer.close();
  }

  @Benchmark
  public TrainStats step() {
    return trainer.stepOn(batch);
  }
}
