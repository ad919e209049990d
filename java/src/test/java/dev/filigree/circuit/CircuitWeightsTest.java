// SPDX-License-Identifier: Apache-2.0
package dev.filigree.circuit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import dev.filigree.CircuitMask;
import dev.filigree.Engine;
import dev.filigree.Model;
import dev.filigree.ModelConfig;
import dev.filigree.ModelInit;
import dev.filigree.TestModels;
import dev.filigree.circuit.Circuit.TokenWeight;
import dev.filigree.task.Example;
import dev.filigree.task.ExampleSet;
import dev.filigree.task.Split;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("native")
class CircuitWeightsTest {
  private static final int WIDTH = 32;

  /** 20 is the cue of A and 21 that of B, 30 and 31 are the answers. */
  private static final ExampleSet EXAMPLES =
      new ExampleSet(
          "test",
          Split.FINAL,
          1,
          "hash",
          List.of(
              new Example(
                  "test/final/0",
                  "template",
                  List.of(0, 20, 2, 3, 4, 5, 6, 7),
                  List.of(0, 21, 2, 3, 4, 5, 6, 7),
                  30,
                  31,
                  "a",
                  "b")),
          Map.of());

  @Test
  void listsTheStrongestWeightsOfTokensThatTellTheMembersApart() {
    ModelConfig config = TestModels.model();
    try (Engine engine = Engine.open();
        Model model = engine.createModel(config, ModelInit.seeded(3))) {
      boolean[] keep = new boolean[Math.toIntExact(config.nodes())];
      Arrays.fill(keep, true);
      CircuitMask mask =
          new CircuitMask(
              keep, new float[keep.length], model.edges(keep), /* frozenNorms= */ false);
      CircuitWeights weights = CircuitWeights.read(model, mask, EXAMPLES, token -> "t" + token);

      float[] embedding = model.readTensor("transformer.wte.weight");
      float[] unembedding = model.readTensor("lm_head.weight");
      assertThat(weights.embeddings())
          .hasSize((2 + 4) * WIDTH)
          .allMatch(w -> w.weight() == embedding[w.token() * WIDTH + w.channel()])
          .allMatch(w -> w.text().equals("t" + w.token()));
      assertThat(weights.unembeddings())
          .hasSize(2 * WIDTH)
          .allMatch(w -> w.weight() == unembedding[w.token() * WIDTH + w.channel()])
          .allMatch(w -> w.member().equals(w.token() == 30 ? "a" : "b"));

      List<TokenWeight> first =
          weights.embeddings().stream().filter(w -> w.channel() == 0).toList();
      assertThat(first.subList(0, 2))
          .extracting(TokenWeight::token, TokenWeight::member)
          .containsExactlyInAnyOrder(tuple(20, "a"), tuple(21, "b"));
      int[] others = {0, 2, 3, 4, 5, 6, 7};
      assertThat(first.subList(2, 6))
          .extracting(TokenWeight::token)
          .containsExactlyElementsOf(
              Arrays.stream(others)
                  .boxed()
                  .sorted(Comparator.comparing(token -> -Math.abs(embedding[token * WIDTH])))
                  .limit(4)
                  .toList());
      assertThat(first.subList(2, 6)).allMatch(w -> w.member() == null);
      // All 9 tokens and both answers count, listed or not.
      assertThat(weights.counts().extendedEdges() - weights.edges().size())
          .isEqualTo((9 + 2) * WIDTH);
    }
  }
}
