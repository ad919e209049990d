// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.filigree.TrainConfig;
import dev.filigree.experiment.RunConfig.Setting;
import dev.filigree.json.Json;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class RunConfigTest {
  private static final RunConfig NANO = Presets.NANO.config();

  @ParameterizedTest
  @EnumSource
  void everyPresetRoundTrips(Presets preset) {
    RunConfig config = preset.config();
    assertThat(RunConfig.fromJson(config.toJson())).isEqualTo(config);
    assertThat(Presets.named(preset.key())).isSameAs(preset);
  }

  @Test
  void paperAnnealsAndKeepsNeuronsAliveAsPublished() {
    TrainConfig.Sparsity sparsity = Presets.PAPER.config().train().sparsity();
    assertThat(sparsity.anneal())
        .isEqualTo(new TrainConfig.Anneal(TrainConfig.Shape.LINEAR, 0.01, 0.5, 1));
    assertThat(sparsity.minimumAlive()).isEqualTo(4);
    // Four of every row of c_fc must fit into what is left of it.
    assertThat(sparsity.fractions().matrix() * Presets.PAPER.config().model().dModel())
        .isGreaterThanOrEqualTo(4);
  }

  @Test
  void aRunThatIsOlderThanAnOptionHasItOff() {
    ObjectNode older = (ObjectNode) Json.tree(NANO);
    older.withObject("/train").remove(List.of("accumulate", "distill"));
    older.withObject("/train/sparsity").remove(List.of("revive", "levels"));
    assertThat(RunConfig.ofRun(older)).isEqualTo(NANO);
    older.withObject("/train").remove("lr");
    assertThatThrownBy(() -> RunConfig.ofRun(older)).hasMessageContaining("train.lr");
  }

  @Test
  void valuesAreSetByTheirPath() {
    RunConfig config =
        NANO.withAll(
            List.of(
                Setting.parse("train.lr=0.5"),
                Setting.parse("train.steps=1e3"),
                Setting.parse("train.gradient=clip"),
                Setting.parse("model.afrac=null"),
                Setting.parse("model.tokenizer_name=other"),
                Setting.parse("data.corpora.0.share=2.5")));

    assertThat(config.train().lr()).isEqualTo(0.5);
    assertThat(config.train().steps()).isEqualTo(1000);
    assertThat(config.train().gradient().name()).isEqualTo("CLIP");
    assertThat(config.model().afrac()).isNull();
    assertThat(config.model().tokenizerName()).isEqualTo("other");
    assertThat(config.data().corpora().getFirst().share()).isEqualTo(2.5);
  }

  @ParameterizedTest
  @CsvSource({
    "train.stepz, train.steps",
    "lr, train.lr",
    "trian.batch_size, train.batch_size",
    "model, model.",
    "train.sparsity.fractions.matrx, train.sparsity.fractions.matrix",
    "data.corpora.7.share, data.corpora.0.share",
    "., train.lr"
  })
  void unknownKeyIsNamedWithTheNearest(String key, String nearest) {
    assertThatThrownBy(() -> NANO.with(key, "1"))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("\"" + key + "\"")
        .hasMessageContaining(nearest);
  }

  @ParameterizedTest
  @CsvSource({
    "train.steps, 0, train: steps is at least 1",
    "train.steps, many, train.steps",
    "train.seq_len, 65, longer than model.block_size",
    "model.d_model, 65, not a multiple",
    "train.gradient, sometimes, train.gradient",
    "prune.train_pairs, 3, batch_pairs",
    "prune.fast.masks.clip_rms, 0, clip_rms is above 0",
    "data.corpora.0.share, -1, share is above 0"
  })
  void impossibleValueIsNamed(String key, String value, String message) {
    assertThatThrownBy(() -> NANO.with(key, value))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining(key + "=" + value)
        .hasMessageContaining(message);
  }

  @Test
  void severalValuesOnlyHaveToFitTogether() {
    RunConfig config =
        NANO.withAll(
            List.of(Setting.parse("train.seq_len=128"), Setting.parse("model.block_size=128")));
    assertThat(config.train().seqLen()).isEqualTo(128);
  }

  @Test
  void oneSeedServesAll() {
    RunConfig config = NANO.withSeed(42);
    assertThat(config.init().seed()).isEqualTo(42);
    assertThat(config.train().seed()).isEqualTo(42);
    assertThat(config.prune().seed()).isEqualTo(42);
    assertThat(config.prune().fast().masks().seed()).isEqualTo(42);
  }

  @Test
  void missingAndUnknownKeysOfAFileAreNamed() {
    String text = NANO.toJson();
    assertThatThrownBy(() -> RunConfig.fromJson(text.replace("\"weight_decay\":0.1,", "")))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("train.weight_decay");
    assertThatThrownBy(() -> RunConfig.fromJson(text.replace("\"warmup\":0.01", "\"warmap\":0.01")))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("train.warmap")
        .hasMessageContaining("train.warmup");
  }
}
