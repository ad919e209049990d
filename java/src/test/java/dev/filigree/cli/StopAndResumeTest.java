// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.filigree.json.Json;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Ends a training process without warning, or politely, and goes on; {@code -Dtest.seed=N} repeats
 * a run. SIGTERM goes the way of Ctrl-C; SIGINT itself is ignored when the tests are a background
 * job.
 */
@Tag("native")
@Tag("slow")
class StopAndResumeTest {
  private static final int STEPS = 60;

  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource({"KILL, 137", "TERM, 143"})
  void stoppedRunEndsBitIdenticalToOneThatWasNot(String signal, int exitCode)
      throws IOException, InterruptedException {
    long seed = Long.getLong("test.seed", System.nanoTime());
    System.out.println("StopAndResumeTest: -Dtest.seed=" + seed);
    int stopAt = new SplittableRandom(seed).nextInt(8, STEPS - 8);

    Path whole = folder.resolve("whole");
    assertThat(finish(start(whole))).isZero();

    Path stopped = folder.resolve("stopped");
    Process process = start(stopped);
    waitForStep(process, stopped, stopAt);
    assertThat(send(signal, process)).isEqualTo(exitCode);
    assertThat(stopped.resolve("checkpoints/000000" + STEPS)).doesNotExist();
    if (signal.equals("TERM")) {
      // The polite end writes a checkpoint of its own instead of leaving the last regular one.
      assertThat(newestCheckpoint(stopped)).isGreaterThanOrEqualTo(stopAt - 1);
    }
    assertThat(finish(resume(stopped))).isZero();

    String last = "checkpoints/%08d/".formatted(STEPS);
    String what = "SIG%s at step %d, seed %d".formatted(signal, stopAt, seed);
    assertThat(stopped.resolve(last + "model.safetensors"))
        .as(what)
        .hasSameBinaryContentAs(whole.resolve(last + "model.safetensors"));
    assertThat(trainerState(stopped.resolve(last + "trainer.safetensors")))
        .as(what)
        .isEqualTo(trainerState(whole.resolve(last + "trainer.safetensors")));
    // Speed differs between the two; the losses must not.
    assertThat(losses(stopped)).isEqualTo(losses(whole));
  }

  @Test
  void fullDiskLosesNothing() throws IOException, InterruptedException {
    Path run = folder.resolve("run");
    Process process = start(run);
    waitForStep(process, run, 12);
    assertThat(send("TERM", process)).isEqualTo(143);
    int kept = newestCheckpoint(run);

    // No file may grow beyond 256 kB, which is less than a checkpoint and more than anything else.
    List<String> limited = new ArrayList<>(List.of("sh", "-c", "ulimit -f 512; exec \"$@\"", "sh"));
    limited.addAll(command("train", "--resume", "--run=" + run));
    assertThat(start(limited).waitFor()).isEqualTo(ExitCodes.BAD_INPUT);
    assertThat(Files.readString(folder.resolve("log"))).contains("model.safetensors");
    assertThat(newestCheckpoint(run)).isEqualTo(kept);
    assertThat(run.resolve("checkpoints")).isDirectoryNotContaining("glob:**/.tmp-*");

    assertThat(finish(resume(run))).isZero();
    assertThat(newestCheckpoint(run)).isEqualTo(STEPS);
  }

  /**
   * Header and tensors of a trainer's file, without the crossovers: each run measures its own, and
   * they decide what is fast, not what comes out.
   */
  private static Map<String, Object> trainerState(Path file) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    byte[] header = new byte[Math.toIntExact(bytes.getLong())];
    bytes.get(header);
    ObjectNode tensors = (ObjectNode) Json.parse(new String(header, StandardCharsets.UTF_8));
    String metadata = tensors.remove("__metadata__").path("filigree_trainer").asText();
    ObjectNode state = (ObjectNode) Json.parse(metadata);
    assertThat(state.remove("crossover").asDouble()).isBetween(0.0, 1.0);
    assertThat(state.remove("dense_crossover").asDouble()).isBetween(0.0, 1.0);
    return Map.of("tensors", tensors, "state", state, "values", bytes.slice());
  }

  private static void waitForStep(Process process, Path run, int step)
      throws IOException, InterruptedException {
    while (process.isAlive() && lines(run.resolve("metrics.jsonl")) < step) {
      Thread.sleep(5);
    }
  }

  /** Send a signal and return what the process ends with. */
  private static int send(String signal, Process process) throws IOException, InterruptedException {
    new ProcessBuilder("kill", "-" + signal, Long.toString(process.pid())).start().waitFor();
    return process.waitFor();
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
    return start(command(arguments));
  }

  private static List<String> command(String... arguments) {
    List<String> command = CommandProcess.words(List.of(CommandProcess.ALLOW), arguments);
    command.add("--threads=1");
    return command;
  }

  private Process start(List<String> command) throws IOException {
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
