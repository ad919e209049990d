// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Ends a training process without warning, or with Ctrl-C, and goes on; {@code -Dtest.seed=N}
 * repeats a run.
 */
@Tag("native")
@Tag("slow")
class KillAndResumeTest {
  private static final int STEPS = 60;

  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource({"KILL, 137", "INT, 130"})
  void stoppedRunEndsBitIdenticalToOneThatWasNot(String signal, int exitCode)
      throws IOException, InterruptedException {
    long seed = Long.getLong("test.seed", System.nanoTime());
    System.out.println("KillAndResumeTest: -Dtest.seed=" + seed);
    int stopAt = new SplittableRandom(seed).nextInt(8, STEPS - 8);

    Path whole = folder.resolve("whole");
    assertThat(finish(start(whole))).isZero();

    Path stopped = folder.resolve("stopped");
    Process process = start(stopped);
    while (process.isAlive() && lines(stopped.resolve("metrics.jsonl")) < stopAt) {
      Thread.sleep(5);
    }
    new ProcessBuilder("kill", "-" + signal, Long.toString(process.pid())).start().waitFor();
    assertThat(process.waitFor()).isEqualTo(exitCode);
    assertThat(stopped.resolve("checkpoints/000000" + STEPS)).doesNotExist();
    if (signal.equals("INT")) {
      // Ctrl-C writes a checkpoint of its own instead of leaving the last regular one.
      assertThat(newestCheckpoint(stopped)).isGreaterThanOrEqualTo(stopAt - 1);
    }
    assertThat(finish(resume(stopped))).isZero();

    String last = "checkpoints/%08d/".formatted(STEPS);
    for (String file : List.of("model.safetensors", "trainer.safetensors", "SHA256SUMS")) {
      assertThat(stopped.resolve(last + file))
          .as("SIG%s at step %d, seed %d", signal, stopAt, seed)
          .hasSameBinaryContentAs(whole.resolve(last + file));
    }
    // Speed differs between the two; the losses must not.
    assertThat(losses(stopped)).isEqualTo(losses(whole));
  }

  private static int newestCheckpoint(Path run) throws IOException {
    try (Stream<Path> folders = Files.list(run.resolve("checkpoints"))) {
      return folders
          .map(path -> path.getFileName().toString())
          .filter(name -> name.matches("\\d{8}"))
          .mapToInt(Integer::parseInt)
          .max()
          .orElseThrow();
    }
  }

  private static List<String> losses(Path run) throws IOException {
    return Files.readAllLines(run.resolve("metrics.jsonl")).stream()
        .map(line -> line.replaceFirst("\"tokens_per_second\":[^,]*,", ""))
        .toList();
  }

  private static long lines(Path file) throws IOException {
    return Files.exists(file) ? Files.readAllLines(file).size() : 0;
  }

  private Process start(Path run) throws IOException {
    return fork(
        "train",
        "--preset=nano",
        "--set=train.steps=" + STEPS,
        "--set=train.batch_size=4",
        "--set=train.seq_len=32",
        "--set=model.vocab_size=400",
        "--set=data.corpora.0.bytes=200000",
        "--set=run.checkpoint_every=5",
        "--set=run.log_every=1",
        "--set=run.eval_every=1000",
        "--run=" + run);
  }

  private Process resume(Path run) throws IOException {
    return fork("train", "--resume", "--run=" + run);
  }

  private Process fork(String... arguments) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("--enable-native-access=ALL-UNNAMED");
    command.add("--illegal-native-access=deny");
    command.add("-cp");
    command.add(
        System.getProperty("jdk.module.path", "")
            + File.pathSeparator
            + System.getProperty("java.class.path"));
    command.add("dev.filigree.cli.Main");
    command.addAll(List.of(arguments));
    command.add("--threads=1");
    return new ProcessBuilder(command)
        .redirectErrorStream(true)
        .redirectOutput(ProcessBuilder.Redirect.appendTo(folder.resolve("log").toFile()))
        .start();
  }

  private int finish(Process process) throws IOException, InterruptedException {
    assertThat(process.waitFor(10, TimeUnit.MINUTES)).isTrue();
    if (process.exitValue() != 0) {
      System.out.println(Files.readString(folder.resolve("log")));
    }
    return process.exitValue();
  }
}
