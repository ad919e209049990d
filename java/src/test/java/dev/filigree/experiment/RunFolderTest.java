// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.filigree.json.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunFolderTest {
  private static final RunConfig NANO = Presets.NANO.config();

  @TempDir Path folder;

  @Test
  void remembersItsConfiguration() {
    Experiment.create(folder.resolve("a"), NANO, Presets.NANO);
    RunFolder run = RunFolder.open(folder.resolve("a"));

    assertThat(run.config()).isEqualTo(NANO);
    assertThat(run.name()).isEqualTo("a");
    assertThat(run.manifest().path("preset").asText()).isEqualTo("nano");
    assertThat(run.manifest().path("seed").asLong()).isEqualTo(1);
    assertThat(run.manifest().path("machine").path("cores").asInt()).isPositive();
  }

  @Test
  void runWithCheckpointsIsNotOverwritten() throws IOException {
    Experiment.create(folder.resolve("a"), NANO);
    Experiment.create(folder.resolve("a"), NANO);
    Files.createDirectories(folder.resolve("a/checkpoints/00000100"));

    assertThatThrownBy(() -> Experiment.create(folder.resolve("a"), NANO))
        .isInstanceOf(RunException.class)
        .hasMessageContaining("--resume");
  }

  @Test
  void folderWithOtherThingsIsNotTaken() throws IOException {
    Files.writeString(folder.resolve("letter.txt"), "dear");
    assertThatThrownBy(() -> Experiment.create(folder, NANO))
        .isInstanceOf(RunException.class)
        .hasMessageContaining("not empty");
  }

  @Test
  void newestIsTheOneWrittenToLast() throws IOException {
    Experiment.create(folder.resolve("a"), NANO);
    Experiment.create(folder.resolve("b"), NANO);
    Files.setLastModifiedTime(folder.resolve("b/run.json"), FileTime.fromMillis(1_000));
    Files.createDirectories(folder.resolve("not-a-run"));

    assertThat(RunFolder.newest(folder).name()).isEqualTo("a");
    assertThatThrownBy(() -> RunFolder.newest(folder.resolve("none")))
        .isInstanceOf(RunException.class)
        .hasMessageContaining("./filigree train");
  }

  @Test
  void metricsAfterAStepAreDroppedTogetherWithAHalfWrittenLine() throws IOException {
    RunFolder run = Experiment.create(folder.resolve("a"), NANO).folder();
    for (int step = 10; step <= 50; step += 10) {
      run.appendMetrics(Json.object().put("step", step));
    }
    Files.writeString(run.metrics(), "{\"step\":3", StandardOpenOption.APPEND);
    run.truncateMetrics(30);

    assertThat(Files.readAllLines(run.metrics()))
        .containsExactly("{\"step\":10}", "{\"step\":20}", "{\"step\":30}");
  }

  @Test
  void damagedManifestIsNamed() throws IOException {
    RunFolder run = Experiment.create(folder.resolve("a"), NANO).folder();
    Files.writeString(folder.resolve("a/run.json"), "{");
    assertThatThrownBy(run::config)
        .isInstanceOf(RunException.class)
        .hasMessageContaining("run.json");
  }
}
