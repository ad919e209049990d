// SPDX-License-Identifier: Apache-2.0
package dev.filigree.circuit;

import dev.filigree.CircuitMask;
import dev.filigree.Model;
import dev.filigree.ModelConfig;
import dev.filigree.ModelInfo;
import dev.filigree.ModelInfo.Site;
import dev.filigree.TokenMask;
import dev.filigree.circuit.Circuit.Counts;
import dev.filigree.circuit.Circuit.Edge;
import dev.filigree.circuit.Circuit.Node;
import dev.filigree.circuit.Circuit.TokenWeight;
import dev.filigree.task.Example;
import dev.filigree.task.ExampleSet;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.IntFunction;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The parts of a model that a circuit is made of, read from its weights.
 *
 * @param nodes of the circuit
 * @param edges between them
 * @param embeddings of the examples' tokens, into channels that the circuit reads
 * @param unembeddings of the examples' answers, from channels that the circuit writes
 * @param counts its size
 */
public record CircuitWeights(
    List<Node> nodes,
    List<Edge> edges,
    List<TokenWeight> embeddings,
    List<TokenWeight> unembeddings,
    Counts counts) {
  /** Weights listed for one channel, of tokens with a part in telling A from B, and of others. */
  private static final int LISTED = 8;

  private static final int LISTED_OTHERS = 4;

  /**
   * Read nodes, biases and edges of a circuit.
   *
   * @param mask of the circuit, which lists its edges
   * @param examples whose tokens and answers are looked up in the embedding and the unembedding
   * @param text of a token, for people
   */
  public static CircuitWeights read(
      Model model, CircuitMask mask, ExampleSet examples, IntFunction<String> text) {
    boolean[] keep = mask.keep();
    float[] means = mask.means();
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
        mask.edges().stream()
            .map(edge -> new Edge(edge.source(), edge.target(), edge.weight()))
            .toList();
    TokenWeights embedding =
        new TokenWeights(
            model.readTensor("transformer.wte.weight"),
            config.dModel(),
            prompts(examples, mask.tokens()));
    TokenWeights unembedding =
        new TokenWeights(model.readTensor("lm_head.weight"), config.dModel(), answers(examples));
    int extended = edges.size() + live + embedding.count(read) + unembedding.count(written);
    return new CircuitWeights(
        nodes,
        edges,
        embedding.strongest(read, text),
        unembedding.strongest(written, text),
        new Counts(nodes.size(), edges.size(), extended, model.edges(keep).size(), info.nodes()));
  }

  private static boolean isPerHead(String kind) {
    return kind.equals("attn_q") || kind.equals("attn_k") || kind.equals("attn_v");
  }

  /**
   * Tokens of the prompts that are told apart, and which members have them where the two of a pair
   * differ.
   */
  private static Map<Integer, Set<String>> prompts(ExampleSet examples, TokenMask told) {
    Map<Integer, Set<String>> tokens = new TreeMap<>();
    for (Example example : examples.examples()) {
      for (int i = 0; i <= example.evalPosition(); i++) {
        int a = example.tokensA().get(i);
        int b = example.tokensB().get(i);
        members(tokens, a);
        members(tokens, b);
        if (a != b) {
          members(tokens, a).add("a");
          members(tokens, b).add("b");
        }
      }
    }
    if (told != null) {
      tokens.keySet().removeIf(token -> !told.keep()[token]);
    }
    return tokens;
  }

  private static Map<Integer, Set<String>> answers(ExampleSet examples) {
    Map<Integer, Set<String>> tokens = new TreeMap<>();
    for (Example example : examples.examples()) {
      members(tokens, example.targetA()).add("a");
      members(tokens, example.targetB()).add("b");
    }
    return tokens;
  }

  private static Set<String> members(Map<Integer, Set<String>> tokens, int token) {
    return tokens.computeIfAbsent(token, _ -> new TreeSet<>());
  }

  /**
   * Rows of an embedding or unembedding.
   *
   * @param matrix [vocabulary, width]
   * @param tokens the rows that matter, each with the members of pairs that it tells apart
   */
  private record TokenWeights(float[] matrix, int width, Map<Integer, Set<String>> tokens) {
    int count(Set<Integer> channels) {
      int count = 0;
      for (int token : tokens.keySet()) {
        for (int channel : channels) {
          count += matrix[token * width + channel] == 0 ? 0 : 1;
        }
      }
      return count;
    }

    List<TokenWeight> strongest(Set<Integer> channels, IntFunction<String> text) {
      List<TokenWeight> strongest = new ArrayList<>();
      for (int channel : channels) {
        Comparator<Integer> byStrength =
            Comparator.comparing(token -> -Math.abs(matrix[token * width + channel]));
        Map<Boolean, List<Integer>> telling =
            tokens.keySet().stream()
                .filter(token -> matrix[token * width + channel] != 0)
                .sorted(byStrength)
                .collect(Collectors.partitioningBy(token -> !tokens.get(token).isEmpty()));
        Stream.concat(
                telling.get(true).stream().limit(LISTED),
                telling.get(false).stream().limit(LISTED_OTHERS))
            .map(
                token ->
                    new TokenWeight(
                        token,
                        text.apply(token),
                        member(token),
                        channel,
                        matrix[token * width + channel]))
            .forEach(strongest::add);
      }
      return strongest;
    }

    private String member(int token) {
      Set<String> members = tokens.get(token);
      return members.size() == 1 ? members.iterator().next() : null;
    }
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
