// SPDX-License-Identifier: Apache-2.0
package dev.filigree.bench;

import dev.filigree.Engine;
import dev.filigree.Model;
import dev.filigree.ModelConfig;
import dev.filigree.ModelInit;
import dev.filigree.ffi.Filigree;
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

/** What a call costs on its way into the core and back. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
public class BoundaryBenchmark {
  private static final float[] SMALL = new float[16];

  private Engine engine;
  private Model model;

  /** Open the engine, with a model so small that nothing but the way counts. */
  @Setup
  public void open() {
    engine = Engine.open();
    model = engine.createModel(ModelConfig.sparse(1, 16, 16, 64), ModelInit.seeded(1));
  }

  @TearDown
  public void close() {
    engine.close();
  }

  /** A function of the core that returns a constant, called on this thread. */
  @Benchmark
  public int downcall() {
    return Filigree.fg_abi_version();
  }

  /** The shortest useful call: to the engine's thread, copy 16 floats in, and back. */
  @Benchmark
  public void writeSmallTensor() {
    model.writeTensor("transformer.ln_f.weight", SMALL);
  }

  /** Parse the description of a model: text through a native buffer, then JSON. */
  @Benchmark
  public long describeModel() {
    return model.info().nodes();
  }
}
