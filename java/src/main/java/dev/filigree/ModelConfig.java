// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import dev.filigree.json.Json;
import java.util.Set;

/**
 * Architecture of a model: the fields of the published GPTConfig, which is also the {@code
 * config.json} of a checkpoint. Which values the core supports is the core's to say.
 *
 * @param blockSize longest sequence, tokens
 * @param vocabSize number of tokens
 * @param nLayer number of layers
 * @param nHead attention heads per layer
 * @param dHead channels per head
 * @param dModel width of the residual stream
 * @param dropout probability, 0 for none
 * @param bias whether linear maps have biases
 * @param lnBias whether norms have biases
 * @param rmsNorm RMS norm instead of layer norm
 * @param residualActivationType function on the residual stream after each half layer
 * @param activationType "gelu" or "relu" in the MLP
 * @param afrac fraction of activations that AbsTopK keeps at each chosen site; null for all (dense)
 * @param afracLoctypes the sites where it does, comma-separated
 * @param debugNans carried for the published class
 * @param tiedUnembed whether embedding and unembedding are one matrix
 * @param tokenizerName name of the tokenizer
 * @param gradCheckpointing carried for the published class
 * @param dMlp neurons per MLP
 * @param enableBigramTable whether a table of next-token scores per token is added to the logits
 * @param learnableBigramTable whether that table is trained
 * @param dPosEmb width of concatenated positions; null for none
 * @param dropoutCatPosEmb carried for the published class
 * @param sinusoidalCatPosEmb carried for the published class
 * @param enableSparseKernels carried for the published class
 * @param flash carried for the published class, which ignores sinks without it
 * @param sink whether each head has an attention sink
 */
public record ModelConfig(
    int blockSize,
    int vocabSize,
    int nLayer,
    int nHead,
    int dHead,
    int dModel,
    double dropout,
    boolean bias,
    boolean lnBias,
    boolean rmsNorm,
    String residualActivationType,
    String activationType,
    Double afrac,
    String afracLoctypes,
    boolean debugNans,
    boolean tiedUnembed,
    String tokenizerName,
    boolean gradCheckpointing,
    int dMlp,
    boolean enableBigramTable,
    boolean learnableBigramTable,
    Integer dPosEmb,
    boolean dropoutCatPosEmb,
    boolean sinusoidalCatPosEmb,
    boolean enableSparseKernels,
    boolean flash,
    boolean sink) {
  /** Every site that AbsTopK can act on, in the order of the forward pass. */
  public static final String ALL_SITES =
      "attn_in,attn_q,attn_k,attn_v,attn_out,mlp_in,mlp_neuron,mlp_out";

  private static final Set<String> SITES = Set.of(ALL_SITES.split(","));

  public ModelConfig {
    positive("block_size", blockSize);
    positive("vocab_size", vocabSize);
    positive("n_layer", nLayer);
    positive("n_head", nHead);
    positive("d_head", dHead);
    positive("d_model", dModel);
    positive("d_mlp", dMlp);
    if (vocabSize > 1 << 16) {
      throw new IllegalArgumentException("vocab_size is at most 65536, not " + vocabSize);
    }
    if (dModel % nHead != 0) {
      throw new IllegalArgumentException(
          "d_model %d is not a multiple of n_head %d".formatted(dModel, nHead));
    }
    if (afrac != null && !(afrac > 0 && afrac <= 1)) {
      throw new IllegalArgumentException("afrac is above 0 and at most 1, or null, not " + afrac);
    }
    for (String site : afracLoctypes.isEmpty() ? new String[0] : afracLoctypes.split(",")) {
      if (!SITES.contains(site)) {
        throw new IllegalArgumentException(
            "afrac_loctypes names \"%s\"; the sites are %s".formatted(site, ALL_SITES));
      }
    }
  }

  /**
   * A model as the paper trains them, heads of 16 channels and an MLP four times as wide, every
   * site a quarter active, with sinks and a learnt bigram table.
   *
   * @param dModel width, a multiple of 16
   * @param blockSize longest sequence, tokens
   */
  public static ModelConfig sparse(int nLayer, int dModel, int blockSize, int vocabSize) {
    return new ModelConfig(
        blockSize,
        vocabSize,
        nLayer,
        dModel / 16,
        16,
        dModel,
        0.0,
        true,
        false,
        true,
        "identity",
        "gelu",
        0.25,
        ALL_SITES,
        false,
        false,
        "filigree",
        false,
        4 * dModel,
        true,
        true,
        null,
        false,
        false,
        false,
        true,
        true);
  }

  /**
   * Number of maskable nodes: four residual reads and writes, q, k, v and the neurons of each
   * layer.
   */
  public long nodes() {
    return (long) nLayer * (4L * dModel + 3L * nHead * dHead + dMlp);
  }

  /** Read what {@link #toJson} wrote, or the config.json of a checkpoint. */
  public static ModelConfig fromJson(String text) {
    return Json.read(text, ModelConfig.class);
  }

  /** Return the canonical JSON text: every field, in the order above. */
  public String toJson() {
    return Json.write(this);
  }

  private static void positive(String name, int value) {
    if (value <= 0) {
      throw new IllegalArgumentException(name + " is at least 1, not " + value);
    }
  }
}
