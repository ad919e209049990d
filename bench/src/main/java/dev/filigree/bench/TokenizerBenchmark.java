// SPDX-License-Identifier: Apache-2.0
package dev.filigree.bench;

import dev.filigree.data.TinyPython;
import dev.filigree.data.TokenDataset;
import dev.filigree.data.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** Encoding and generating text on one core; the score is megabytes per second. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
public class TokenizerBenchmark {
  private static final int MEGABYTES = 2;

  private final TinyPython corpus = new TinyPython(1);
  private Tokenizer tokenizer;
  private String text;

  /** Learn 2,048 tokens and lay out 2 MB of programs. */
  @Setup
  public void prepare() {
    long bytes = MEGABYTES * 1_000_000L;
    tokenizer =
        TokenDataset.learnTokenizer(
            List.of(new TokenDataset.Source(corpus, 1, bytes)), 2048, bytes);
    StringBuilder programs = new StringBuilder();
    corpus.read(bytes, document -> programs.append(document.text()));
    text = programs.toString();
  }

  @Benchmark
  @OperationsPerInvocation(MEGABYTES)
  public int[] encode() {
    return tokenizer.encode(text);
  }

  @Benchmark
  @OperationsPerInvocation(MEGABYTES)
  public long generate() {
    long[] bytes = {0};
    corpus.read(
        MEGABYTES * 1_000_000L,
        document -> bytes[0] += document.text().getBytes(StandardCharsets.UTF_8).length);
    return bytes[0];
  }
}
