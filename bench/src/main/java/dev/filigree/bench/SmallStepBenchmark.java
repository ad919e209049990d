// SPDX-License-Identifier: Apache-2.0
package dev.filigree.bench;

import dev.filigree.Engine;
import dev.filigree.Model;
import dev.filigree.ModelInit;
import dev.filigree.Plan;
import dev.filigree.TrainStats;
import dev.filigree.Trainer;
import dev.filigree.experiment.RandomText;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** The step that the module alternatives does with other libraries. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
public class SmallStepBenchmark {
  @Param public Plan plan;

  private final int[][] batch = SmallStep.batch();
  private Engine engine;
  private Trainer trainer;

  @Setup
  public void open() {
    engine = Engine.open();
    Model model = engine.createModel(SmallStep.architecture(), ModelInit.seeded(1).withPlan(plan));
    try (RandomText text = new RandomText(SmallStep.architecture().vocabSize())) {
      trainer = model.trainer(SmallStep.training(), text.streams());
    }
  }

  @TearDown
  public void close() {
    trainer.close();
    engine.close();
  }

  @Benchmark
  public TrainStats step() {
    return trainer.stepOn(batch);
  }
}
