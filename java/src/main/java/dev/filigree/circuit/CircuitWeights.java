// SPDX-License-Identifier: Apache-2.0
package dev.filigree.circuit;

import dev.filigree.Model;
import dev.filigree.ModelConfig;
import dev.filigree.ModelInfo;
import dev.filigree.ModelInfo.Site;
import dev.filigree.circuit.Circuit.Counts;
import dev.filigree.circuit.Circuit.Edge;
import dev.filigree.circuit.Circuit.Node;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * The parts of a model that a circuit is made of, read from its weights.
 *
 * @param nodes of the circuit
 * @param edges between them
 * @param counts its size
 */
public record CircuitWeights(List<Node> nodes, List<Edge> edges, Counts counts) {
  /**
   * Read nodes, biases and edges of a circuit.
   *
   * @param keep for every node of the model, whether it is in the circuit
   * @param means ablation value of every node
   * @param tokens that occur in the examples: their embedding entries count as extended edges
   * @param answers of the examples: their unembedding entries count as extended edges
   */
  public static CircuitWeights read(
      Model model, boolean[] keep, float[] means, Set<Integer> tokens, Set<Integer> answers) {
    ModelInfo info = model.info();
    ModelConfig config = info.config();
    Biases biases = new Biases(model, config);
    List<Node> nodes = new ArrayList<>();
    Set<Integer> read = new TreeSet<>();
    Set<Integer> written = new TreeSet<>();
    int live = 0;
    for (Site site : info.sites()) {
      for (int channel = 0; channel < site.width(); channel++) {
        int index = site.offset() + channel;
        if (!keep[index]) {
          continue;
        }
        Float bias = biases.at(site, channel);
        live += bias == null || bias == 0 ? 0 : 1;
        Integer head = isPerHead(site.kind()) ? Integer.valueOf(channel / config.dHead()) : null;
        nodes.add(
            new Node(
                index, site.name(), site.layer(), site.kind(), channel, head, bias, means[index]));
        switch (site.kind()) {
          case "attn_in", "mlp_in" -> read.add(channel);
          case "attn_out", "mlp_out" -> written.add(channel);
          default -> {}
        }
      }
    }
    List<Edge> edges =
        model.edges(keep).stream()
            .map(edge -> new Edge(edge.source(), edge.target(), edge.weight()))
            .toList();
    int extended =
        edges.size()
            + live
            + nonzeros(model.readTensor("transformer.wte.weight"), config.dModel(), tokens, read)
            + nonzeros(model.readTensor("lm_head.weight"), config.dModel(), answers, written);
    return new CircuitWeights(
        nodes, edges, new Counts(nodes.size(), edges.size(), extended, info.nodes()));
  }

  private static boolean isPerHead(String kind) {
    return kind.equals("attn_q") || kind.equals("attn_k") || kind.equals("attn_v");
  }

  private static int nonzeros(float[] matrix, int width, Set<Integer> rows, Set<Integer> columns) {
    int count = 0;
    for (int row : rows) {
      for (int column : columns) {
        count += matrix[row * width + column] == 0 ? 0 : 1;
      }
    }
    return count;
  }

  /** Bias tensors, each read once. */
  private static final class Biases {
    private final Model model;
    private final int attention;
    private final Map<String, float[]> read = new HashMap<>();

    Biases(Model model, ModelConfig config) {
      this.model = model;
      this.attention = config.nHead() * config.dHead();
    }

    /** Return the bias of a channel, null at a site that has none. */
    Float at(Site site, int channel) {
      return switch (site.kind()) {
        case "attn_q" -> tensor(site, "attn.c_attn")[channel];
        case "attn_k" -> tensor(site, "attn.c_attn")[attention + channel];
        case "attn_v" -> tensor(site, "attn.c_attn")[2 * attention + channel];
        case "attn_out" -> tensor(site, "attn.c_proj")[channel];
        case "mlp_neuron" -> tensor(site, "mlp.c_fc")[channel];
        case "mlp_out" -> tensor(site, "mlp.c_proj")[channel];
        default -> null;
      };
    }

    private float[] tensor(Site site, String linear) {
      return read.computeIfAbsent(
          "transformer.h.%d.%s.bias".formatted(site.layer(), linear), model::readTensor);
    }
  }
}
