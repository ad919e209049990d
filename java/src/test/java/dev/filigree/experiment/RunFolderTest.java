// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.filigree.experiment.RunConfig.Setting;
import dev.filigree.json.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.util.List;
import java.util.OptionalLong;
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
  void newestIsFoundInNestedFoldersAndHasACheckpoint() throws IOException {
    Experiment.create(folder.resolve("quickstart/sparse"), NANO);
    Experiment.create(folder.resolve("b"), NANO);
    Files.createDirectories(folder.resolve("quickstart/sparse/checkpoints/00000100"));
    Files.setLastModifiedTime(
        folder.resolve("quickstart/sparse/run.json"), FileTime.fromMillis(1_000));

    assertThat(RunFolder.newest(folder).path()).isEqualTo(folder.resolve("quickstart/sparse"));
    assertThat(RunFolder.all(folder))
        .extracting(RunFolder::path)
        .containsExactly(folder.resolve("b"), folder.resolve("quickstart/sparse"));
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
  void pruningTakesNoSettingsThatItWouldIgnore() {
    Experiment run = Experiment.create(folder.resolve("a"), NANO);
    assertThatThrownBy(
            () ->
                run.prune(
                    null,
                    "single_double_quote",
                    List.of(Setting.parse("train.lr=1")),
                    OptionalLong.empty(),
                    Progress.SILENT))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("train.lr");
  }

  @Test
  void dataOfAFailedPreparationIsNotTakenForThatOfAnOlderOne() throws IOException {
    RunConfig first =
        NANO.withAll(
            List.of(
                Setting.parse("model.vocab_size=300"),
                Setting.parse("data.corpora.0.bytes=60000")));
    RunFolder run = Experiment.create(folder.resolve("a"), first).folder();
    String hash = tokenizerOf(run, first);

    // The tokenizer can be learnt, the second corpus cannot be split.
    Path single = Files.createDirectory(folder.resolve("single"));
    Files.writeString(single.resolve("one.py"), "print('one')\n");
    RunConfig second =
        first.withData(
            new DataConfig(
                List.of(
                    DataConfig.Source.tinypython(1, 30_000, 7),
                    DataConfig.Source.folder("single", single, 1)),
                first.data().tokenizerBytes()));
    assertThatThrownBy(() -> tokenizerOf(run, second)).hasMessageContaining("at least two");

    assertThat(tokenizerOf(run, first)).isEqualTo(hash);
  }

  private static String tokenizerOf(RunFolder run, RunConfig config) {
    try (PreparedData data = PreparedData.prepare(run, config, Progress.SILENT)) {
      return data.tokenizer().hash();
    }
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
