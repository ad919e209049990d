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
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What crossing from a Java thread to the engine thread and through the C interface and back costs.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
public class BoundaryBenchmark {
  private Engine engine;
  private Model model;

  @Setup
  public void open() {
    engine = Engine.open();
    model = engine.createModel(ModelConfig.sparse(1, 16, 16, 64), ModelInit.seeded(1));
  }

  @TearDown
  public void close() {
    engine.close();
  }

  /** The shortest useful call: copy 16 floats in. */
  @Benchmark
  public void writeSmallTensor() {
    model.writeTensor("transformer.ln_f.weight", SMALL);
  }

  /** Parse the description of a model: text through a native buffer, then JSON. */
  @Benchmark
  public long describeModel() {
    return model.info().nodes();
  }

  private static final float[] SMALL = new float[16];
}
