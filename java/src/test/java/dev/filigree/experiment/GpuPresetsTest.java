// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import static org.assertj.core.api.Assertions.assertThat;

import dev.filigree.Execution;
import dev.filigree.ModelConfig;
import dev.filigree.ModelInit;
import dev.filigree.ModelInit.Positions;
import dev.filigree.Plan;
import dev.filigree.Precision;
import dev.filigree.TrainConfig;
import dev.filigree.TrainConfig.Fractions;
import dev.filigree.experiment.RunConfig.Setting;
import dev.filigree.json.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The texts in bench/gpu/presets, which a machine without a JVM starts from, are the canonical ones
 * of configurations in Java. After a change of one: run this test with -Dpresets.write=true, and
 * commit.
 */
class GpuPresetsTest {
  private static final Path PRESETS = Path.of("..", "bench", "gpu", "presets");

  @ParameterizedTest
  @EnumSource(
      value = Presets.class,
      names = {"SMALL", "MEDIUM"})
  void trainingsArePresets(Presets preset) throws IOException {
    check(preset.key(), texts(preset.config()));
  }

  /** What stands for both where the kernels are emulated: a part of the smallest preset. */
  @Test
  void proofIsSmall() throws IOException {
    RunConfig config =
        Presets.NANO
            .config()
            .withAll(
                Stream.of(
                        "model.n_layer=1",
                        "model.n_head=2",
                        "model.d_model=32",
                        "model.d_mlp=128",
                        "train.steps=240",
                        "train.batch_size=2",
                        "prune.train_pairs=8",
                        "prune.validation_pairs=8",
                        "prune.final_pairs=8",
                        "prune.mean_sequences=4",
                        "prune.fast.masks.steps=6",
                        "prune.fast.masks.batch_pairs=4",
                        "prune.published.masks.batch_pairs=4")
                    .map(Setting::parse)
                    .toList());
    check("proof", texts(config));
  }

  /** A step to time. */
  record Case(String name, ModelConfig model, int batch, double kept, Precision precision) {}

  static List<Case> cases() {
    return List.of(
        new Case("g1", ModelConfig.sparse(4, 1024, 256, 2048), 512, 1.0 / 64, Precision.BF16),
        new Case("g2", ModelConfig.sparse(8, 2048, 256, 2048), 512, 1.0 / 256, Precision.BF16),
        new Case("g3", ModelConfig.sparse(8, 4096, 256, 2048), 256, 1.0 / 512, Precision.BF16),
        new Case("g0", ModelConfig.sparse(1, 32, 16, 64), 4, 1.0 / 16, Precision.FP32));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void stepsAreAlike(Case one) throws IOException {
    double kept = one.kept();
    TrainConfig train =
        StepBench.steady(
            one.batch(), one.model().blockSize(), new Fractions(kept, kept, kept, kept, kept));
    check(
        one.name(),
        texts(one.model(), new ModelInit(1, Positions.NONE, one.precision(), Plan.FAST), train));
  }

  private static Map<String, String> texts(RunConfig config) {
    Map<String, String> texts = texts(config.model(), config.init(), config.train());
    texts.put("data.json", Json.write(config.data()));
    texts.put("prune.json", Json.write(config.prune()));
    return texts;
  }

  private static Map<String, String> texts(ModelConfig model, ModelInit init, TrainConfig train) {
    Map<String, String> texts = new LinkedHashMap<>();
    texts.put("model.json", model.toJson());
    texts.put("init.json", init.toJson());
    texts.put("train.json", train.toJson());
    texts.put("execution.json", new Execution(init.precision(), init.plan()).toJson());
    return texts;
  }

  private static void check(String name, Map<String, String> texts) throws IOException {
    Path folder = PRESETS.resolve(name);
    for (Map.Entry<String, String> text : texts.entrySet()) {
      Path file = folder.resolve(text.getKey());
      if (Boolean.getBoolean("presets.write")) {
        Files.createDirectories(folder);
        Files.writeString(file, text.getValue() + "\n");
      }
      assertThat(file).hasContent(text.getValue() + "\n");
    }
  }
}
