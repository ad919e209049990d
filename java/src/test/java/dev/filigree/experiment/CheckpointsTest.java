// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.filigree.experiment.Checkpoints.Checkpoint;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckpointsTest {
  @TempDir Path folder;
  private Checkpoints checkpoints;

  @BeforeEach
  void makeThree() {
    checkpoints = new Checkpoints(folder);
    for (long step : new long[] {100, 200, 300}) {
      checkpoints.write(step, path -> fill(path, "weights of " + step));
    }
  }

  @Test
  void lastIsFoundAndGood() {
    assertThat(checkpoints.last().step()).isEqualTo(300);
    assertThat(checkpoints.at(100).path()).isEqualTo(folder.resolve("00000100"));
    assertThat(Checkpoints.hash(checkpoints.last(), "model.safetensors")).hasSize(64);
  }

  @Test
  void sumsAreInTheFormOfCoreutils() throws IOException {
    assertThat(Files.readAllLines(folder.resolve("00000300/SHA256SUMS")))
        .hasSize(2)
        .allMatch(line -> line.matches("[0-9a-f]{64}  (config.json|model.safetensors)"));
  }

  @Test
  void corruptedCheckpointIsRefusedAndTheLastGoodOneOffered() throws IOException {
    Files.writeString(folder.resolve("00000300/model.safetensors"), "other weights");
    Path truncated = folder.resolve("00000200/model.safetensors");
    Files.writeString(truncated, Files.readString(truncated).substring(0, 4));

    assertThatThrownBy(checkpoints::last)
        .isInstanceOf(RunException.class)
        .hasMessageContaining("00000300")
        .hasMessageContaining("model.safetensors does not match")
        .hasMessageContaining("--checkpoint 100");
  }

  @Test
  void missingFileIsDamage() throws IOException {
    Files.delete(folder.resolve("00000300/config.json"));
    assertThatThrownBy(checkpoints::last).hasMessageContaining("config.json is missing");
    Files.delete(folder.resolve("00000200/SHA256SUMS"));
    assertThatThrownBy(() -> checkpoints.at(200)).hasMessageContaining("SHA256SUMS");
  }

  @Test
  void damageBeforeWhichThereIsNothingSaysSo() throws IOException {
    Files.writeString(folder.resolve("00000100/model.safetensors"), "x");
    assertThatThrownBy(() -> checkpoints.at(100)).hasMessageContaining("no good one before it");
  }

  @Test
  void unknownStepIsNamedWithThoseThereAre() {
    assertThatThrownBy(() -> checkpoints.at(150)).hasMessageContaining("[100, 200, 300]");
  }

  @Test
  void failedWriteLeavesNothingAndHarmsNothing() throws IOException {
    assertThatThrownBy(
            () ->
                checkpoints.write(
                    300,
                    path -> {
                      fill(path, "half");
                      throw new IllegalStateException("disk full");
                    }))
        .hasMessage("disk full");

    assertThat(checkpoints.last().step()).isEqualTo(300);
    try (Stream<Path> entries = Files.list(folder)) {
      assertThat(entries).hasSize(3);
    }
  }

  @Test
  void oldestAreDeletedFirst() {
    checkpoints.prune(2);
    assertThat(checkpoints.all()).extracting(Checkpoint::step).containsExactly(200L, 300L);
  }

  @Test
  void rewritingAStepReplacesIt() throws IOException {
    checkpoints.write(300, path -> fill(path, "again"));
    assertThat(Files.readString(checkpoints.last().path().resolve("model.safetensors")))
        .isEqualTo("again");
    try (Stream<Path> entries = Files.list(folder)) {
      assertThat(entries).hasSize(3);
    }
  }

  @Test
  void emptyFolderHasNoCheckpoint() {
    Checkpoints none = new Checkpoints(folder.resolve("none"));
    assertThat(none.all()).isEmpty();
    assertThatThrownBy(none::last).hasMessageContaining("no checkpoint");
  }

  private static void fill(Path folder, String weights) {
    try {
      Files.writeString(folder.resolve("config.json"), "{}");
      Files.writeString(folder.resolve("model.safetensors"), weights);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
