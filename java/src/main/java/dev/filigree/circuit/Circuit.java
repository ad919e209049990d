// SPDX-License-Identifier: Apache-2.0
package dev.filigree.circuit;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import dev.filigree.Calibration;
import dev.filigree.CircuitMask;
import dev.filigree.PruneOptions;
import dev.filigree.TaskStats;
import dev.filigree.TokenMask;
import dev.filigree.data.AtomicFile;
import dev.filigree.data.Hashes;
import dev.filigree.json.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The nodes of a model that do one task, the weights that join them, and how well they do it.
 *
 * <p>The file is the JSON of this record (docs/file-formats.md); reading checks that it hangs
 * together.
 *
 * @param format version of the file
 * @param task name of the task
 * @param source what it was found in
 * @param seed of examples and masks
 * @param method how it was searched
 * @param targetLoss two-way loss that was asked for on the validation examples, nats per sequence
 * @param reached whether that was reached
 * @param counts its size
 * @param calibration of the circuit's answers, fitted on the examples the masks were learnt on
 * @param losses how it and the whole model do
 * @param nodes in the order of the flat node space
 * @param edges weights between two nodes of the circuit that pass their source on, by layer,
 *     matrix, target, source; other weights between them give the source's mean
 * @param embeddings weights with which tokens of the final examples write the residual channels
 *     that the circuit reads: the strongest of each channel, those of the cue first
 * @param unembeddings weights with which the residual channels that the circuit writes speak for
 *     the answers of the final examples: the strongest of each channel
 * @param tokens those that the circuit tells apart, in the order of the vocabulary, while all
 *     others are embedded as their mean over the training text; null when it tells all apart
 * @param config everything about the search
 */
public record Circuit(
    int format,
    String task,
    Source source,
    long seed,
    Method method,
    double targetLoss,
    boolean reached,
    Counts counts,
    Calibration calibration,
    Losses losses,
    List<Node> nodes,
    List<Edge> edges,
    List<TokenWeight> embeddings,
    List<TokenWeight> unembeddings,
    List<Token> tokens,
    JsonNode config) {
  /** Version of the file that this class reads and writes. */
  public static final int FORMAT = 3;

  public Circuit {
    nodes = List.copyOf(nodes);
    edges = List.copyOf(edges);
    embeddings = List.copyOf(embeddings);
    unembeddings = List.copyOf(unembeddings);
    tokens = tokens == null ? null : List.copyOf(tokens);
    if (format != FORMAT) {
      throw new IllegalArgumentException(
          "circuit format %d; this version reads %d: find it anew with ./filigree prune --task %s"
              .formatted(format, FORMAT, task));
    }
    Set<Integer> indices = new HashSet<>();
    for (Node node : nodes) {
      if (!indices.add(node.index())) {
        throw new IllegalArgumentException("node " + node.index() + " is listed twice");
      }
    }
    for (Edge edge : edges) {
      if (!indices.contains(edge.source()) || !indices.contains(edge.target())) {
        throw new IllegalArgumentException(
            "edge %d -> %d joins a node that is not in the circuit"
                .formatted(edge.source(), edge.target()));
      }
    }
    if (counts.nodes() != nodes.size() || counts.edges() != edges.size()) {
      throw new IllegalArgumentException(
          "counts say %d nodes and %d edges, listed are %d and %d"
              .formatted(counts.nodes(), counts.edges(), nodes.size(), edges.size()));
    }
  }

  /**
   * What a circuit was found in; hashes are SHA-256.
   *
   * @param run name of the run
   * @param step of the checkpoint
   * @param modelHash of model.safetensors
   * @param tokenizerHash of the vocabulary
   * @param taskHashes of the examples, by split: "train", "validation", "final"
   */
  public record Source(
      String run, long step, String modelHash, String tokenizerHash, SplitHashes taskHashes) {
    /** Whether it is the same model, vocabulary and examples, whatever the run is called. */
    public boolean isSameAs(Source other) {
      return modelHash.equals(other.modelHash)
          && tokenizerHash.equals(other.tokenizerHash)
          && taskHashes.equals(other.taskHashes);
    }
  }

  /** Hashes of the examples of each split, named in JSON "train", "validation", "final". */
  public record SplitHashes(String train, String validation, @JsonProperty("final") String last) {}

  /**
   * Size of a circuit.
   *
   * @param nodes channels kept
   * @param edges weights of the block matrices between two of them that the circuit uses
   * @param extendedEdges edges, and nonzero biases of nodes, and nonzero embedding entries of
   *     residual channels that the circuit reads, for tokens that occur in the final examples, and
   *     nonzero unembedding entries of residual channels that it writes, for the answers in the
   *     final examples
   * @param weights nonzero weights of the block matrices between two of them, used or not: edges as
   *     the published method counts them
   * @param modelNodes size of the model's node space
   */
  public record Counts(int nodes, int edges, int extendedEdges, int weights, long modelNodes) {}

  /**
   * How a circuit was searched.
   *
   * @param name "fast" or "published"
   * @param options what was asked of it; it is evaluated by the same ablation and norms
   */
  public record Method(String name, PruneOptions options) {}

  /** How circuit and whole model do, each with its own calibration. */
  public record Losses(Pair validation, @JsonProperty("final") Pair last) {}

  /** The same examples, scored twice. */
  public record Pair(TaskStats circuit, TaskStats model) {}

  /**
   * One node.
   *
   * @param index in the flat node space
   * @param site hook name: "0.mlp.post_act"
   * @param layer from 0
   * @param kind "attn_in", "attn_q", ... "mlp_out"
   * @param channel at its site
   * @param head the attention head, for q, k and v; null elsewhere
   * @param bias added at this node; null where a site has none
   * @param mean activation over pretraining text, what ablation would put here
   */
  public record Node(
      int index,
      String site,
      int layer,
      String kind,
      int channel,
      Integer head,
      Float bias,
      float mean) {}

  /** One nonzero weight, from the node it reads to the node it writes. */
  public record Edge(int source, int target, float weight) {}

  /**
   * One token.
   *
   * @param token number in the vocabulary
   * @param text of it
   */
  public record Token(int token, String text) {}

  /**
   * One nonzero weight between a token and a residual channel.
   *
   * @param token number in the vocabulary
   * @param text of the token
   * @param member "a" or "b" where only that member of a pair has the token in its cue, or for its
   *     answer; null otherwise
   * @param channel of the residual stream
   * @param weight of the embedding or the unembedding
   */
  public record TokenWeight(int token, String text, String member, int channel, float weight) {}

  /**
   * Return what to evaluate it by: exactly its nodes, edges and tokens.
   *
   * @param means ablation values of the whole node space
   * @param vocabulary number of tokens
   * @param embedding what tokens are embedded as that are not told apart
   */
  public CircuitMask mask(float[] means, int vocabulary, float[] embedding) {
    boolean[] keep = new boolean[means.length];
    nodes.forEach(node -> keep[node.index()] = true);
    return new CircuitMask(
        keep,
        means,
        edges.stream()
            .map(edge -> new dev.filigree.Edge(edge.source(), edge.target(), edge.weight()))
            .toList(),
        method.options().frozenNorms(),
        tokens == null ? null : new TokenMask(told(vocabulary), embedding));
  }

  private boolean[] told(int vocabulary) {
    boolean[] told = new boolean[vocabulary];
    tokens.forEach(token -> told[token.token()] = true);
    return told;
  }

  /** Read a file. */
  public static Circuit read(Path file) throws IOException {
    try {
      return fromJson(Files.readString(file));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(file + " is no circuit: " + e.getMessage(), e);
    }
  }

  /**
   * Read what {@link #toJson} wrote.
   *
   * @throws IllegalArgumentException saying what is wrong
   */
  public static Circuit fromJson(String text) {
    return Json.read(text, Circuit.class);
  }

  /** Return the JSON text of the file. */
  public String toJson() {
    return Json.tree(this).toPrettyString() + "\n";
  }

  /** SHA-256 of {@link #toJson}, in hex, with which evidence names the circuit that it is about. */
  public String hash() {
    return Hashes.hex(toJson().getBytes(StandardCharsets.UTF_8));
  }

  /** Write the file: it appears complete or not at all. */
  public void write(Path file) throws IOException {
    AtomicFile.write(file, toJson().getBytes(StandardCharsets.UTF_8));
  }

  /** Return a table for people: losses, nodes by layer and site with their edges. */
  public String describe() {
    return CircuitTable.of(this);
  }
}
