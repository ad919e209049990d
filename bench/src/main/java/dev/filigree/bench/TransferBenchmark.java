// SPDX-License-Identifier: Apache-2.0
package dev.filigree.bench;

import dev.filigree.Engine;
import dev.filigree.Model;
import dev.filigree.ModelConfig;
import dev.filigree.ModelInit;
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

/** Handing a {@code float[]} over, into a tensor of the core, and getting it back. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
    value = 1,
    jvmArgsAppend = {"--enable-native-access=ALL-UNNAMED", "-Xmx2g"})
public class TransferBenchmark {
  private static final String TENSOR = "bigram_table";

  /** Side of a square of floats: 1 KB to 100 MB. */
  @Param({"16", "50", "160", "500", "1600", "5000"})
  public int side;

  private Engine engine;
  private Model model;
  private float[] values;

  /** Make a model one of whose tensors has the size. */
  @Setup
  public void open() {
    engine = Engine.open();
    model = engine.createModel(ModelConfig.sparse(1, 16, 16, side), ModelInit.seeded(1));
    values = new float[side * side];
  }

  @TearDown
  public void close() {
    engine.close();
  }

  @Benchmark
  public void write() {
    model.writeTensor(TENSOR, values);
  }

  @Benchmark
  public float[] read() {
    return model.readTensor(TENSOR);
  }
}
