// SPDX-License-Identifier: Apache-2.0
package dev.filigree.circuit;

import dev.filigree.Model;
import dev.filigree.ModelConfig;
import dev.filigree.ModelInfo;
import dev.filigree.ModelInfo.Site;

/**
 * Nodes whose ablation can change anything. Most channels of a sparse model are dead, and ablating
 * dead ones proves nothing.
 *
 * <p>A node is live when its activation is not zero all over the text that its mean was taken over;
 * a nonzero weight feeds it, so that it is no constant (a channel that reads the residual stream
 * has no weights of its own); and something reads it. What reads an output channel is a nonzero
 * weight of a later half-layer or of the unembedding; what reads a key is the query of the same
 * channel, where that is not always zero, a bias being enough; what reads a query is a key that
 * varies, or, beside a sink, one that is not always zero: without a sink a constant key raises all
 * scores alike.
 */
public final class LiveNodes {
  private LiveNodes() {}

  /**
   * Tell the live nodes of a model.
   *
   * @param means activation of every node over pretraining text
   */
  public static boolean[] of(Model model, float[] means) {
    ModelInfo info = model.info();
    ModelConfig config = info.config();
    boolean[] live = new boolean[means.length];
    // Residual channels that are read after the half-layer at hand: walk from the last to the
    // first.
    boolean[] readLater = matrix(model, "lm_head.weight").columns();
    for (int layer = config.nLayer() - 1; layer >= 0; layer--) {
      String prefix = "transformer.h.%d.".formatted(layer);
      Nonzeros up = matrix(model, prefix + "mlp.c_fc.weight");
      Nonzeros down = matrix(model, prefix + "mlp.c_proj.weight");
      Nonzeros queryKeyValue = matrix(model, prefix + "attn.c_attn.weight");
      Nonzeros output = matrix(model, prefix + "attn.c_proj.weight");
      boolean[] bias =
          config.bias()
              ? matrix(model, prefix + "attn.c_attn.bias").rows()
              : new boolean[queryKeyValue.rows().length];
      boolean[] readAfterAttention = or(readLater, up.columns());
      int heads = config.nHead() * config.dHead();
      for (Site site : info.sites()) {
        if (site.layer() != layer) {
          continue;
        }
        for (int c = 0; c < site.width(); c++) {
          boolean joined =
              switch (site.kind()) {
                case "attn_in" -> queryKeyValue.columns()[c];
                case "attn_q" ->
                    queryKeyValue.rows()[c]
                        && (queryKeyValue.rows()[heads + c] || config.sink() && bias[heads + c]);
                case "attn_k" ->
                    queryKeyValue.rows()[heads + c] && (queryKeyValue.rows()[c] || bias[c]);
                case "attn_v" -> queryKeyValue.rows()[2 * heads + c] && output.columns()[c];
                case "attn_out" -> output.rows()[c] && readAfterAttention[c];
                case "mlp_in" -> up.columns()[c];
                case "mlp_neuron" -> up.rows()[c] && down.columns()[c];
                case "mlp_out" -> down.rows()[c] && readLater[c];
                default -> throw new IllegalStateException("no such site: " + site.kind());
              };
          live[site.offset() + c] = joined && means[site.offset() + c] != 0;
        }
      }
      readLater = or(readAfterAttention, queryKeyValue.columns());
    }
    return live;
  }

  /** Rows and columns of a matrix that have a nonzero entry. */
  private record Nonzeros(boolean[] rows, boolean[] columns) {}

  private static Nonzeros matrix(Model model, String name) {
    float[] values = model.readTensor(name);
    int rows = Math.toIntExact(model.info().tensor(name).shape().getFirst());
    int width = values.length / rows;
    Nonzeros nonzeros = new Nonzeros(new boolean[rows], new boolean[width]);
    for (int i = 0; i < values.length; i++) {
      if (values[i] != 0) {
        nonzeros.rows()[i / width] = true;
        nonzeros.columns()[i % width] = true;
      }
    }
    return nonzeros;
  }

  private static boolean[] or(boolean[] a, boolean[] b) {
    boolean[] either = new boolean[a.length];
    for (int i = 0; i < a.length; i++) {
      either[i] = a[i] || b[i];
    }
    return either;
  }
}
