// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
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

/**
 * Copying a batch of Java's token ids to where the core reads them, which {@link Trainer#stepOn}
 * does before each step. In the package of the class that it measures, which is not public.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class TokensBenchmark {
  /** Sequences of 128 tokens; 32 are the batch of C1. */
  @Param({"32", "1024"})
  public int sequences;

  private int[][] batch;

  @Setup
  public void prepare() {
    batch = new int[sequences][128];
  }

  @Benchmark
  public long copy() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment tokens = Tokens.copy(arena, batch);
      return tokens.byteSize();
    }
  }
}
