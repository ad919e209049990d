// SPDX-License-Identifier: Apache-2.0
package dev.filigree.circuit;

import dev.filigree.circuit.Circuit.Edge;
import dev.filigree.circuit.Circuit.Node;
import dev.filigree.circuit.Circuit.Pair;
import dev.filigree.json.Json;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Lays a circuit out as text: one block per site, one line per node, what it reads indented below
 * it.
 */
final class CircuitTable {
  private static final Map<String, String> KINDS =
      Map.of(
          "attn_in", "attention reads residual",
          "attn_q", "query",
          "attn_k", "key",
          "attn_v", "value",
          "attn_out", "attention writes residual",
          "mlp_in", "MLP reads residual",
          "mlp_neuron", "neuron",
          "mlp_out", "MLP writes residual");

  private CircuitTable() {}

  static String of(Circuit circuit) {
    StringBuilder out = new StringBuilder();
    line(
        out,
        "%s: %,d of %,d nodes, %,d edges (%,d with biases, embedding and unembedding; %,d weights"
            + " between these nodes)",
        circuit.task(),
        circuit.counts().nodes(),
        circuit.counts().modelNodes(),
        circuit.counts().edges(),
        circuit.counts().extendedEdges(),
        circuit.counts().weights());
    line(out, "");
    line(out, "%-34s %10s %10s", "two-way loss (nats), share right", "circuit", "model");
    losses(out, "validation examples (chosen on)", circuit.losses().validation());
    losses(out, "final examples", circuit.losses().last());
    line(
        out,
        "calibration: logit difference * %.3f %+.3f; target loss %.3f %s",
        circuit.calibration().scale(),
        circuit.calibration().shift(),
        circuit.targetLoss(),
        circuit.reached() ? "reached" : "NOT reached");

    if (circuit.tokens() != null) {
      line(
          out,
          "tokens told apart, all others embedded as their mean: %s",
          circuit.tokens().stream()
              .map(token -> Json.write(token.text()))
              .collect(Collectors.joining(" ")));
    }

    Map<Integer, Node> nodes = new HashMap<>();
    circuit.nodes().forEach(node -> nodes.put(node.index(), node));
    Map<Integer, List<Edge>> into = new HashMap<>();
    for (Edge edge : circuit.edges()) {
      into.computeIfAbsent(edge.target(), _ -> new ArrayList<>()).add(edge);
    }
    Map<String, List<Node>> bySite = new LinkedHashMap<>();
    for (Node node : circuit.nodes()) {
      bySite.computeIfAbsent(node.site(), _ -> new ArrayList<>()).add(node);
    }
    bySite.forEach(
        (site, members) -> {
          Node first = members.getFirst();
          line(out, "");
          line(out, "layer %d, %s (%s)", first.layer(), KINDS.get(first.kind()), site);
          for (Node node : members) {
            line(out, "  %-12s%s", label(node), bias(node));
            for (Edge edge : into.getOrDefault(node.index(), List.of())) {
              Node source = nodes.get(edge.source());
              line(out, "      %+9.4f  from %s %s", edge.weight(), source.kind(), label(source));
            }
          }
        });
    return out.toString();
  }

  private static void losses(StringBuilder out, String what, Pair pair) {
    line(
        out,
        "  %-32s %10s %10s",
        what,
        "%.3f %3.0f%%".formatted(pair.circuit().loss(), 100 * pair.circuit().accuracy()),
        "%.3f %3.0f%%".formatted(pair.model().loss(), 100 * pair.model().accuracy()));
  }

  private static String label(Node node) {
    return node.head() == null
        ? Integer.toString(node.channel())
        : "%d (head %d)".formatted(node.channel(), node.head());
  }

  private static String bias(Node node) {
    return node.bias() == null || node.bias() == 0 ? "" : "  bias %+.4f".formatted(node.bias());
  }

  private static void line(StringBuilder out, String format, Object... values) {
    out.append(format.formatted(values).stripTrailing()).append('\n');
  }
}
