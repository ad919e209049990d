// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ConfigTest {
  @Test
  void canonicalTextRoundTrips() {
    assertThat(ModelConfig.fromJson(TestModels.model().toJson())).isEqualTo(TestModels.model());
    assertThat(TrainConfig.fromJson(TestModels.training(5).toJson()))
        .isEqualTo(TestModels.training(5));
    assertThat(PruneConfig.fromJson(TestModels.pruning(5).toJson()))
        .isEqualTo(TestModels.pruning(5));
  }

  @Test
  void modelTextHasThePublishedFieldsInOrder() {
    assertThat(TestModels.model().toJson())
        .isEqualTo(
            "{\"block_size\":16,\"vocab_size\":40,\"n_layer\":2,\"n_head\":2,\"d_head\":16,\"d_model\":32,"
                + "\"dropout\":0.0,\"bias\":true,\"ln_bias\":false,\"rms_norm\":true,"
                + "\"residual_activation_type\":\"identity\",\"activation_type\":\"gelu\",\"afrac\":0.25,"
                + "\"afrac_loctypes\":\"attn_in,attn_q,attn_k,attn_v,attn_out,mlp_in,mlp_neuron,mlp_out\","
                + "\"debug_nans\":false,\"tied_unembed\":false,\"tokenizer_name\":\"filigree\","
                + "\"grad_checkpointing\":false,\"d_mlp\":128,\"enable_bigram_table\":true,"
                + "\"learnable_bigram_table\":true,\"d_pos_emb\":null,\"dropout_cat_pos_emb\":false,"
                + "\"sinusoidal_cat_pos_emb\":false,\"enable_sparse_kernels\":false,\"flash\":true,\"sink\":true}");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "\"d_model\":32|\"d_model\":33|d_model 33 is not a multiple of n_head 2",
        "\"n_layer\":2|\"n_layer\":0|n_layer is at least 1",
        "\"afrac\":0.25|\"afrac\":1.5|afrac",
        "attn_in,|attn_inn,|attn_inn",
        "\"sink\":true|\"sunk\":true|sunk",
        "\"n_layer\":2|\"n_layer\":2.5|n_layer",
        ",\"sink\":true||sink"
      })
  void wrongValuesAreNamed(String change) {
    String[] parts = change.split("\\|", -1);
    String text = TestModels.model().toJson().replace(parts[0], parts[1]);
    assertThatThrownBy(() -> ModelConfig.fromJson(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(parts[2]);
  }
}
