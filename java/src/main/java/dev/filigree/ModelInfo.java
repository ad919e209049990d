// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import java.util.List;

/**
 * What a model is made of.
 *
 * @param config its architecture
 * @param device where it is: "cpu", "cuda:0"
 * @param parameters number of trained weights, the bigram table not counted
 * @param nonzeros how many of them are not zero
 * @param nodes size of the flat node space
 * @param tensors its weights by name
 * @param sites which nodes of the flat node space belong where
 */
public record ModelInfo(
    ModelConfig config,
    String device,
    long parameters,
    long nonzeros,
    long nodes,
    List<Tensor> tensors,
    List<Site> sites) {
  public ModelInfo {
    tensors = List.copyOf(tensors);
    sites = List.copyOf(sites);
  }

  /**
   * One tensor.
   *
   * @param name as in the checkpoint
   * @param family "matrix", "embedding", ...: what it counts as when weights are removed
   * @param shape sizes, outermost first
   * @param trainable whether training changes it
   * @param nonzeros how many of its entries are not zero
   */
  public record Tensor(
      String name, String family, List<Long> shape, boolean trainable, long nonzeros) {
    public Tensor {
      shape = List.copyOf(shape);
    }

    /** Number of entries. */
    public long count() {
      return shape.stream().reduce(1L, Math::multiplyExact);
    }
  }

  /**
   * One place of the forward pass whose channels are nodes.
   *
   * @param name hook name: "0.mlp.post_act"
   * @param layer from 0
   * @param kind "attn_in", "attn_q", ... "mlp_out"
   * @param offset flat index of its first node
   * @param width number of nodes
   */
  public record Site(String name, int layer, String kind, int offset, int width) {}

  /** Return a tensor by name. */
  public Tensor tensor(String name) {
    return tensors.stream()
        .filter(t -> t.name().equals(name))
        .findFirst()
        .orElseThrow(() -> new EngineException.NotFound("the model has no tensor " + name));
  }
}
