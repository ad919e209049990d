// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import static org.assertj.core.api.Assertions.assertThat;

import dev.filigree.Engine;
import dev.filigree.EngineOptions;
import dev.filigree.circuit.Circuit;
import dev.filigree.data.TokenFile;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Compiles and runs the example of the README as it stands there, in a process of its own, and
 * holds what it leaves behind against what a nano model must be able to do.
 */
@Tag("native")
@Tag("slow")
class ReadmeExampleTest {
  private static final Path ROOT = Path.of(System.getProperty("filigree.root"));

  @TempDir Path folder;

  @Test
  void exampleTracesTrainsAndFindsACircuit() throws IOException, InterruptedException {
    String classPath =
        System.getProperty("jdk.module.path", "")
            + File.pathSeparator
            + System.getProperty("java.class.path");
    Path source = Files.writeString(folder.resolve("Example.java"), example());

    Path log = folder.resolve("log");
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "--illegal-native-access=deny",
                "-Dfiligree.library=" + ROOT.resolve("build/native/lib/libfiligree.so"),
                "-D" + ShippedModel.CACHE + "=" + folder.resolve("models"),
                "-cp",
                classPath,
                source.toString()) // compiled by the launcher of the JDK
            .directory(folder.toFile())
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start();
    assertThat(process.waitFor(20, TimeUnit.MINUTES)).isTrue();
    String output = Files.readString(log);
    System.out.println(output);
    assertThat(process.exitValue()).as(output).isZero();
    assertThat(output)
        .contains("single_double_quote, shipped step")
        .containsPattern("the circuit +`'[^`]*` with probability (0\\.[89]|1)");

    Experiment run = Experiment.open(folder.resolve("runs/example"));
    Circuit circuit = Circuit.read(run.folder().circuit("single_double_quote"));
    assertThat(output).contains(circuit.describe());
    assertThat(circuit.reached()).isTrue();
    assertThat(circuit.losses().validation().circuit().loss())
        .isLessThanOrEqualTo(circuit.targetLoss());
    assertThat(circuit.counts().nodes()).isLessThan((int) circuit.counts().modelNodes() / 2);
    try (Engine engine = Engine.open(EngineOptions.DEFAULT);
        TokenFile text = TokenFile.open(run.folder().data().resolve("tinypython.train.u16"))) {
      assertThat(run.evaluate(engine, OptionalLong.empty()).loss())
          .isLessThan(bigramEntropy(text, run.folder().config().model().vocabSize()));
    }
  }

  /** The block of Java below "From Java". */
  private static String example() throws IOException {
    String readme = Files.readString(ROOT.resolve("README.md"));
    List<String> blocks =
        Pattern.compile("## From Java.*?```java\n(.*?)```", Pattern.DOTALL)
            .matcher(readme)
            .results()
            .map((MatchResult match) -> match.group(1))
            .toList();
    assertThat(blocks).as("README.md has one example below \"From Java\"").hasSize(1);
    return blocks.getFirst();
  }

  /**
   * Entropy of a token given the one before it, nats: what a perfect table of pairs would reach.
   */
  private static double bigramEntropy(TokenFile text, int vocabulary) {
    long[][] pairs = new long[vocabulary][vocabulary];
    long[] firsts = new long[vocabulary];
    for (long i = 0; i + 1 < text.count(); i++) {
      int first = text.token(i);
      firsts[first]++;
      pairs[first][text.token(i + 1)]++;
    }
    double entropy = 0;
    for (int first = 0; first < vocabulary; first++) {
      for (int second = 0; second < vocabulary; second++) {
        long count = pairs[first][second];
        if (count > 0) {
          entropy -= count * Math.log((double) count / firsts[first]);
        }
      }
    }
    return entropy / (text.count() - 1);
  }
}
