// SPDX-License-Identifier: Apache-2.0
package dev.filigree.circuit;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.filigree.Calibration;
import dev.filigree.PruneOptions;
import dev.filigree.TaskStats;
import dev.filigree.circuit.Checks.Difference;
import dev.filigree.circuit.Checks.Draws;
import dev.filigree.circuit.Checks.Faithful;
import dev.filigree.circuit.Checks.Final;
import dev.filigree.circuit.Checks.Gate;
import dev.filigree.circuit.Checks.Interchange;
import dev.filigree.circuit.Checks.Necessary;
import dev.filigree.circuit.Checks.Seeds;
import dev.filigree.circuit.Checks.Sufficient;
import dev.filigree.circuit.Circuit.Counts;
import dev.filigree.circuit.Circuit.Losses;
import dev.filigree.circuit.Circuit.Pair;
import dev.filigree.circuit.Circuit.Source;
import dev.filigree.circuit.Circuit.SplitHashes;
import dev.filigree.circuit.Drift.Item;
import dev.filigree.circuit.Evidence.Scores;
import dev.filigree.json.Json;
import java.util.List;
import org.junit.jupiter.api.Test;

class DriftTest {
  private static final Evidence BEFORE = evidence(0.02, 0.10, 0.6, 0.95);

  @Test
  void whatIsAsItWasHasNotDrifted() {
    Drift drift = drift(BEFORE, BEFORE, 0);
    assertThat(drift.drifted()).isFalse();
    assertThat(drift.beyond()).isEmpty();
    assertThat(drift.items())
        .extracting(Item::name)
        .startsWith(
            "model_loss", "loss_validation", "loss_final", "correlation", "flipped", "edges")
        .contains("check:gate", "check:necessary")
        .doesNotContain("check:seeds");
  }

  @Test
  void checkThatWasRecordedAndIsNotRunIsSaidToBeMissing() {
    Item missing =
        drift(withSeeds(BEFORE), BEFORE, 0).items().stream()
            .filter(item -> item.name().equals("check:seeds"))
            .findFirst()
            .orElseThrow();
    assertThat(missing.notRun()).isTrue();
    assertThat(missing.drifted()).isFalse();
    assertThat(missing.message()).isEqualTo("seeds: not run, recorded: passed");
  }

  @Test
  void evidenceIsAboutOneCircuitInOneModel() {
    assertThat(BEFORE.isAbout(circuit(), source())).isTrue();
    assertThat(BEFORE.isAbout(Circuit.fromJson(circuit().toJson()), source())).isTrue();
    assertThat(BEFORE.isAbout(circuit(0.5F), source())).isFalse();
    Source other = new Source("tiny", 2000, "another", "bb", new SplitHashes("c", "d", "e"));
    assertThat(BEFORE.isAbout(circuit(), other)).isFalse();
  }

  @Test
  void lossesMayRiseByTheToleranceAndFallFreely() {
    assertThat(names(drift(BEFORE, evidence(0.119, 0.10, 0.6, 0.95), 0))).isEmpty();
    assertThat(names(drift(BEFORE, evidence(0.121, 0.10, 0.6, 0.95), 0)))
        .containsExactly("model_loss");
    assertThat(names(drift(BEFORE, evidence(0.02, 0.21, 0.6, 0.95), 0)))
        .contains("loss_final", "loss_validation", "check:final", "check:sufficient");
    assertThat(names(drift(BEFORE, evidence(0.0, 0.0, 0.6, 0.95), 0))).isEmpty();
  }

  @Test
  void checkThatPassedMustPass() {
    assertThat(names(drift(BEFORE, evidence(0.02, 0.10, 0.4, 0.95), 0)))
        .containsExactly("check:necessary");
    // One that failed where the circuit was found may go on failing.
    Evidence weak = evidence(0.02, 0.10, 0.4, 0.95);
    assertThat(names(drift(weak, weak, 0))).isEmpty();
  }

  @Test
  void withoutRecordedEvidenceTheAbsoluteLimitsHold() {
    assertThat(names(drift(null, evidence(0.02, 0.10, 0.4, 0.95), 0))).isEmpty();
    assertThat(names(drift(null, evidence(0.2, 0.10, 0.6, 0.95), 0)))
        .containsExactly("model_loss", "check:gate");
  }

  @Test
  void answersThatFollowTheCircuitLessAndEdgesThatAreGoneAreDrift() {
    assertThat(names(drift(BEFORE, evidence(0.02, 0.10, 0.6, 0.84), 0))).containsExactly("flipped");
    assertThat(names(drift(BEFORE, BEFORE, 1))).isEmpty();
    assertThat(names(drift(BEFORE, BEFORE, 2))).containsExactly("edges");
  }

  @Test
  void jsonNamesTheItems() {
    JsonNode items = Json.tree(drift(BEFORE, BEFORE, 0)).get("items");
    assertThat(items.at("/0/name").asText()).isEqualTo("model_loss");
    assertThat(items.at("/0/recorded").asDouble()).isEqualTo(0.02);
    assertThat(items.at("/5/now").asInt()).isEqualTo(4);
    assertThat(items.at("/6/now").asText()).isEqualTo("passed");
  }

  private static List<String> names(Drift drift) {
    return drift.beyond().stream().map(Item::name).toList();
  }

  private static Drift drift(Evidence before, Evidence now, int lost) {
    return Drift.of(circuit(), before, now, 4 - lost, lost, Drift.LOSS_TOLERANCE);
  }

  private static Circuit circuit() {
    return circuit(1);
  }

  /** Circuits of the same nodes, with one edge of this weight. */
  private static Circuit circuit(float weight) {
    Pair pair = new Pair(stats(0.10), stats(0.02));
    List<Circuit.Node> nodes =
        List.of(node(0, "attn_in"), node(40, "attn_v"), node(41, "attn_v"), node(70, "attn_out"));
    return new Circuit(
        Circuit.FORMAT,
        "quote",
        source(),
        1,
        new Circuit.Method("fast", PruneOptions.PUBLISHED),
        0.1,
        true,
        new Counts(4, 4, 4, 4, 100),
        new Calibration(1, 0),
        new Losses(pair, pair),
        nodes,
        List.of(
            new Circuit.Edge(0, 40, weight),
            new Circuit.Edge(0, 41, 1),
            new Circuit.Edge(40, 70, 1),
            new Circuit.Edge(41, 70, 1)),
        List.of(),
        List.of(),
        null,
        Json.object());
  }

  private static Circuit.Node node(int index, String kind) {
    return new Circuit.Node(index, "0." + kind, 0, kind, index, null, null, 0);
  }

  private static Source source() {
    return new Source("tiny", 2000, "aa", "bb", new SplitHashes("c", "d", "e"));
  }

  private static Evidence withSeeds(Evidence evidence) {
    Checks c = evidence.checks();
    Checks checks =
        new Checks(
            c.gate(),
            c.last(),
            c.sufficient(),
            c.necessary(),
            c.resample(),
            c.interchange(),
            c.faithful(),
            c.relaxation(),
            c.ablations(),
            new Seeds(List.of(), 0.6, 0.5, true),
            c.randomInit(),
            c.binarised(),
            c.variants());
    return Evidence.of(circuit(), evidence.source(), evidence.model(), checks, List.of());
  }

  private static Evidence evidence(double model, double loss, double without, double flipped) {
    Scores scores = new Scores(stats(model), stats(model));
    return Evidence.of(
        circuit(),
        source(),
        scores,
        new Checks(
            Gate.of(loss(model), loss(model)),
            Final.of(loss(loss), scores),
            Sufficient.of(0.1, loss(loss), loss(loss), scores),
            Necessary.of(loss(without), new Draws(loss(model), List.of(model)), null, loss(model)),
            null,
            Interchange.of(flipped, 9, 0.0, loss(0.1)),
            Faithful.of(
                List.of(
                    new Difference(2, 1), new Difference(-2, -1),
                    new Difference(1, 1), new Difference(-1, -2))),
            null,
            null,
            null,
            null,
            null,
            null),
        List.of());
  }

  private static TaskStats stats(double loss) {
    return new TaskStats(100, 256, loss, loss, 1, 0.98, 1.3, 0.1);
  }

  private static Estimate loss(double mean) {
    return new Estimate(mean, mean, mean);
  }
}
