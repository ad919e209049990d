// SPDX-License-Identifier: Apache-2.0
package dev.filigree.circuit;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.filigree.Engine;
import dev.filigree.EngineOptions;
import dev.filigree.Model;
import dev.filigree.ModelConfig;
import dev.filigree.ModelInfo.Site;
import dev.filigree.ModelInit;
import dev.filigree.TestModels;
import dev.filigree.json.Json;
import java.util.Arrays;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("native")
class LiveNodesTest {
  private static final int WIDTH = 32;

  @Test
  void everyNodeOfADenseModelThatWasEverActiveIsLive() {
    try (Engine engine = open();
        Model model = engine.createModel(TestModels.model(), ModelInit.seeded(3))) {
      float[] means = means(model);
      means[5] = 0;
      boolean[] live = LiveNodes.of(model, means);
      for (int i = 0; i < live.length; i++) {
        assertThat(live[i]).as("node %d", i).isEqualTo(i != 5);
      }
    }
  }

  @Test
  void nodesThatNothingFeedsOrReadsAreDead() {
    try (Engine engine = open();
        Model model = engine.createModel(TestModels.model(), ModelInit.seeded(3))) {
      int attention = model.config().nHead() * model.config().dHead();
      int neurons = model.config().dMlp();
      zero(model, "transformer.h.0.attn.c_attn.weight", WIDTH, attention + 3, -1); // key 3
      zero(model, "transformer.h.0.attn.c_proj.weight", attention, -1, 4); // reads value 4
      zero(model, "transformer.h.1.mlp.c_fc.weight", WIDTH, 6, -1); // feeds neuron 6
      zero(model, "transformer.h.1.mlp.c_fc.weight", WIDTH, -1, 7); // reads channel 7
      zero(model, "transformer.h.1.mlp.c_proj.weight", neurons, -1, 8); // reads neuron 8
      zero(model, "lm_head.weight", WIDTH, -1, 9); // reads channel 9 at the end
      boolean[] live = LiveNodes.of(model, means(model));

      assertThat(live[node(model, "0.attn.q", 3)]).isFalse();
      assertThat(live[node(model, "0.attn.k", 3)]).isFalse();
      assertThat(live[node(model, "0.attn.v", 3)]).isTrue();
      assertThat(live[node(model, "0.attn.v", 4)]).isFalse();
      assertThat(live[node(model, "1.mlp.post_act", 6)]).isFalse();
      assertThat(live[node(model, "1.mlp.act_in", 7)]).isFalse();
      assertThat(live[node(model, "1.attn.resid_delta", 7)]).isTrue(); // the unembedding reads it
      assertThat(live[node(model, "1.mlp.post_act", 8)]).isFalse();
      assertThat(live[node(model, "1.mlp.resid_delta", 9)]).isFalse();
      assertThat(live[node(model, "1.attn.resid_delta", 9)]).isTrue(); // the MLP after it reads it
      assertThat(live[node(model, "0.mlp.resid_delta", 9)]).isTrue();
      int dead = 0;
      for (boolean node : live) {
        dead += node ? 0 : 1;
      }
      assertThat(dead).isEqualTo(7);
    }
  }

  @Test
  void biasOfAQueryReadsItsKeyAndThatOfAKeyItsQueryBesideASink() {
    for (boolean sink : new boolean[] {false, true}) {
      try (Engine engine = open();
          Model model = engine.createModel(withSink(sink), ModelInit.seeded(3))) {
        int attention = model.config().nHead() * model.config().dHead();
        zero(
            model, "transformer.h.0.attn.c_attn.weight", WIDTH, 2, -1); // query 2: its bias is left
        zero(model, "transformer.h.0.attn.c_attn.weight", WIDTH, attention + 3, -1); // key 3
        zero(model, "transformer.h.0.attn.c_attn.bias", 1, -1, 0);
        float[] bias = model.readTensor("transformer.h.0.attn.c_attn.bias");
        bias[2] = 4;
        bias[attention + 3] = 4;
        model.writeTensor("transformer.h.0.attn.c_attn.bias", bias);
        boolean[] live = LiveNodes.of(model, means(model));

        assertThat(live[node(model, "0.attn.q", 2)]).isFalse(); // a constant
        assertThat(live[node(model, "0.attn.k", 2)]).isTrue();
        assertThat(live[node(model, "0.attn.q", 3)]).isEqualTo(sink);
        assertThat(live[node(model, "0.attn.k", 3)]).isFalse();
      }
    }
  }

  private static ModelConfig withSink(boolean sink) {
    ObjectNode json = (ObjectNode) Json.tree(TestModels.model());
    return ModelConfig.fromJson(json.put("sink", sink).toString());
  }

  private static float[] means(Model model) {
    float[] means = new float[Math.toIntExact(model.config().nodes())];
    Arrays.fill(means, 0.5f);
    return means;
  }

  private static int node(Model model, String site, int channel) {
    return model.info().sites().stream()
            .filter(s -> s.name().equals(site))
            .mapToInt(Site::offset)
            .findFirst()
            .orElseThrow()
        + channel;
  }

  /** Set one row or one column to 0. */
  private static void zero(Model model, String name, int width, int row, int column) {
    float[] values = model.readTensor(name);
    for (int i = 0; i < values.length; i++) {
      if (i / width == row || i % width == column) {
        values[i] = 0;
      }
    }
    model.writeTensor(name, values);
  }

  private static Engine open() {
    return Engine.open(EngineOptions.DEFAULT.withThreads(1));
  }
}
