// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import static org.assertj.core.api.Assertions.assertThat;

import dev.filigree.Execution;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The texts in bench/gpu/presets, which a machine without a JVM starts from, are those of the
 * presets. After a change of one: run this test with -Dpresets.write=true, and commit.
 */
class GpuPresetsTest {
  @ParameterizedTest
  @EnumSource(
      value = Presets.class,
      names = {"NANO", "SMALL", "MEDIUM"})
  void filesAreThePresets(Presets preset) throws IOException {
    RunConfig config = preset.config();
    Map<String, String> texts = new LinkedHashMap<>();
    texts.put("model.json", config.model().toJson());
    texts.put("init.json", config.init().toJson());
    texts.put("train.json", config.train().toJson());
    texts.put(
        "execution.json", new Execution(config.init().precision(), config.init().plan()).toJson());
    Path folder = Path.of("..", "bench", "gpu", "presets", preset.key());
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
