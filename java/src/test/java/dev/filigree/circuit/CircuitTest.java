// SPDX-License-Identifier: Apache-2.0
package dev.filigree.circuit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.filigree.Calibration;
import dev.filigree.PruneOptions;
import dev.filigree.TaskStats;
import dev.filigree.circuit.Circuit.Counts;
import dev.filigree.circuit.Circuit.Edge;
import dev.filigree.circuit.Circuit.Losses;
import dev.filigree.circuit.Circuit.Node;
import dev.filigree.circuit.Circuit.Pair;
import dev.filigree.circuit.Circuit.Source;
import dev.filigree.circuit.Circuit.SplitHashes;
import dev.filigree.circuit.Circuit.TokenWeight;
import dev.filigree.json.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CircuitTest {
  @TempDir Path folder;

  @Test
  void fileRoundTrips() throws IOException {
    Path file = folder.resolve("circuits/quote.json");
    circuit().write(file);
    assertThat(Circuit.read(file)).isEqualTo(circuit());
  }

  @Test
  void tableShowsLossesNodesAndEdges() {
    assertThat(circuit().describe())
        .contains("quote: 3 of 4,608 nodes, 2 edges (7 with")
        .contains("0.140  96%")
        .contains("target loss 0.150 reached")
        .contains("layer 0, query (0.attn.q)")
        .contains("17 (head 1)")
        .contains("bias +0.2500")
        .contains("-1.5000  from attn_in 5");
  }

  @Test
  void filesThatDoNotHangTogetherAreRefused() throws IOException {
    String text = circuit().toJson();
    assertThatThrownBy(() -> Circuit.fromJson(text.replace("\"target\" : 145", "\"target\" : 9")))
        .hasMessageContaining("not in the circuit");
    assertThatThrownBy(() -> Circuit.fromJson(text.replace("\"nodes\" : 3", "\"nodes\" : 4")))
        .hasMessageContaining("counts say 4 nodes");
    assertThatThrownBy(() -> Circuit.fromJson(text.replace("\"format\" : 3", "\"format\" : 2")))
        .hasMessageContaining("circuit format 2; this version reads 3")
        .hasMessageContaining("filigree prune --task quote");
    assertThatThrownBy(() -> Circuit.fromJson(text.replace("\"reached\"", "\"reeched\"")))
        .hasMessageContaining("reeched");
    Path file = Files.writeString(folder.resolve("half.json"), text.substring(0, 100));
    assertThatThrownBy(() -> Circuit.read(file))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("half.json");
  }

  private static Circuit circuit() {
    TaskStats circuit = new TaskStats(3, 256, 0.14, 0.2, 1.5, 0.96, 2.0, -0.5);
    TaskStats model = new TaskStats(4608, 256, 0.05, 0.06, 1.0, 0.99, 1.1, 0.0);
    return new Circuit(
        Circuit.FORMAT,
        "quote",
        new Source("tiny", 2000, "aa", "bb", new SplitHashes("c", "d", "e")),
        1,
        new Circuit.Method("fast", PruneOptions.PUBLISHED),
        0.15,
        true,
        new Counts(3, 2, 7, 3, 4608),
        new Calibration(2.0, -0.5),
        new Losses(new Pair(circuit, model), new Pair(circuit, model)),
        List.of(
            new Node(5, "0.attn.act_in", 0, "attn_in", 5, null, null, 0.5f),
            new Node(9 + 128, "0.attn.act_in", 0, "attn_in", 9, null, null, 0f),
            new Node(145, "0.attn.q", 0, "attn_q", 17, 1, 0.25f, 0.125f)),
        List.of(new Edge(5, 145, -1.5f), new Edge(137, 145, 0.5f)),
        List.of(new TokenWeight(7, "\"", "b", 5, 0.75f), new TokenWeight(8, " the", null, 9, -1f)),
        List.of(),
        List.of(new Circuit.Token(2, "b"), new Circuit.Token(7, "\"")),
        Json.parse("{\"target_loss\":0.15}"));
  }
}
