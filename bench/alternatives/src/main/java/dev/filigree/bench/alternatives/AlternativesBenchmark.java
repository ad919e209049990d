// SPDX-License-Identifier: Apache-2.0
package dev.filigree.bench.alternatives;

import dev.filigree.bench.SmallStep;
import java.io.IOException;
import java.nio.file.Path;
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
import org.openjdk.jmh.annotations.Warmup;

/** The work of the benchmarks of the same names in filigree-bench, through other libraries. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
    value = 1,
    jvmArgsAppend = {"--enable-native-access=ALL-UNNAMED", "-Xmx2g"})
public class AlternativesBenchmark {
  /** System property that names the file of {@link SmallStep#main}. */
  static final String RECORDED = "filigree.small";

  /** Calls that do nothing, or next to nothing. */
  @State(Scope.Benchmark)
  public static class Calls {
    @Param public Library library;

    private Work<?> work;

    @Setup
    public void open() {
      work = new Work<>(library.open());
    }

    private static final class Work<T> {
      private final TensorApi<T> api;
      private final T one;

      Work(TensorApi<T> api) {
        this.api = api;
        this.one = api.floats(new float[] {1}, 1);
      }

      void add() {
        try (TensorApi.Scope _ = api.scope()) {
          api.add(one, one);
        }
      }
    }
  }

  /** A {@code float[]} and a tensor of its size. */
  @State(Scope.Benchmark)
  public static class Transfer {
    @Param public Library library;

    /** Side of a square of floats: 1 KB to 100 MB. */
    @Param({"16", "50", "160", "500", "1600", "5000"})
    public int side;

    private float[] values;
    private Work<?> work;

    @Setup
    public void open() {
      values = new float[side * side];
      work = new Work<>(library.open(), values);
    }

    private static final class Work<T> {
      private final TensorApi<T> api;
      private final T tensor;

      Work(TensorApi<T> api, float[] values) {
        this.api = api;
        this.tensor = api.floats(values, values.length);
      }

      void write(float[] values) {
        api.write(tensor, values);
      }

      float[] read() {
        return api.read(tensor);
      }
    }
  }

  /** The small step, after it was seen to be the same. */
  @State(Scope.Benchmark)
  public static class Step {
    @Param public Library library;

    private AlternativeStep<?> step;

    @Setup
    public void open() throws IOException {
      step =
          new AlternativeStep<>(
              library.open(), SmallStep.read(Path.of(System.getProperty(RECORDED))));
      step.check();
    }
  }

  /** Ask LibTorch for its number of threads. */
  @Benchmark
  @OutputTimeUnit(TimeUnit.NANOSECONDS)
  public int downcall(Calls calls) {
    return calls.work.api.threads();
  }

  /** Add two tensors of one number, and free the sum. */
  @Benchmark
  @OutputTimeUnit(TimeUnit.NANOSECONDS)
  public void add(Calls calls) {
    calls.work.add();
  }

  @Benchmark
  public void write(Transfer transfer) {
    transfer.work.write(transfer.values);
  }

  @Benchmark
  public float[] read(Transfer transfer) {
    return transfer.work.read();
  }

  @Benchmark
  @OutputTimeUnit(TimeUnit.MILLISECONDS)
  public double step(Step step) {
    return step.step.step();
  }
}
