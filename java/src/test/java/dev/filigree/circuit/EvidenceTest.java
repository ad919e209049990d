// SPDX-License-Identifier: Apache-2.0
package dev.filigree.circuit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.filigree.TaskStats;
import dev.filigree.circuit.Circuit.Source;
import dev.filigree.circuit.Circuit.SplitHashes;
import dev.filigree.circuit.Evidence.Answers;
import dev.filigree.circuit.Evidence.Difference;
import dev.filigree.circuit.Evidence.Faithful;
import dev.filigree.circuit.Evidence.Gate;
import dev.filigree.circuit.Evidence.Necessary;
import dev.filigree.circuit.Evidence.Probabilities;
import dev.filigree.circuit.Evidence.Prompt;
import dev.filigree.circuit.Evidence.Scores;
import dev.filigree.circuit.Evidence.Sufficient;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EvidenceTest {
  private static final Source SOURCE =
      new Source("tiny", 2000, "aa", "bb", new SplitHashes("c", "d", "e"));

  @TempDir Path folder;

  @Test
  void fileRoundTrips() throws IOException {
    Path file = folder.resolve("evidence/quote.json");
    evidence().write(file);
    assertThat(Evidence.read(file)).isEqualTo(evidence());
  }

  @Test
  void pairsOfNumbersAreArraysAndSplitsHaveTheirNames() {
    assertThat(evidence().toJson())
        .contains("\"differences\" : [ [ 2.0, 1.5 ]")
        .contains("\"answers\" : [ \"')\", \"\\\")\" ]")
        .contains("\"model\" : [ 0.9, 0.8 ]")
        .contains("\"final\" : {")
        .contains("\"wrong_correlation\" : null");
  }

  @Test
  void modelThatFailsTheGateHasEvidenceWithoutChecks() {
    Evidence none = Evidence.gateFailed("quote", SOURCE, scores(0.1, 0.2));
    assertThat(none.gate().passed()).isFalse();
    assertThat(none.holds()).isFalse();
    assertThat(Evidence.fromJson(none.toJson())).isEqualTo(none);
    assertThat(none.toJson()).contains("\"necessary\" : null");
    assertThat(none.describe()).contains("no circuit").contains("0.100").contains("0.200");
  }

  @Test
  void gateNeedsBothSplits() {
    assertThat(Gate.of(scores(0.15, 0.15)).passed()).isTrue();
    assertThat(Gate.of(scores(0.151, 0.01)).passed()).isFalse();
    assertThat(Gate.of(scores(0.01, 0.151)).passed()).isFalse();
  }

  @Test
  void sufficientCircuitReachesTheTargetAndTheLimitOfTheFinalExamples() {
    Scores good = scores(0.01, 0.02);
    assertThat(Sufficient.of(0.1, 0.1, 0.15, good).passed()).isTrue();
    assertThat(Sufficient.of(0.1, 0.11, 0.15, good).passed()).isFalse();
    assertThat(Sufficient.of(0.1, 0.1, 0.16, good).passed()).isFalse();
    // A model that is not good itself moves the limit.
    Sufficient moved = Sufficient.of(0.1, 0.1, 0.21, scores(0.1, 0.12));
    assertThat(moved.limit()).isCloseTo(0.22, within(1e-12));
    assertThat(moved.passed()).isTrue();
  }

  @Test
  void necessaryCircuitIsMissedAndRandomNodesAreNot() {
    assertThat(Necessary.of(0.5, List.of(0.02, 0.11), List.of(), 0.02).passed()).isTrue();
    assertThat(Necessary.of(0.49, List.of(0.02), List.of(), 0.02).passed()).isFalse();
    assertThat(Necessary.of(0.7, List.of(0.02, 0.2), List.of(), 0.02).passed()).isFalse();
    // Nodes whose absence helps are no neutral comparison either.
    assertThat(Necessary.of(0.7, List.of(0.02), List.of(), 0.12).passed()).isFalse();
  }

  @Test
  void withoutNodesToCompareWithNothingIsNecessary() {
    Necessary alone = Necessary.of(0.7, List.of(), List.of(), 0.02);
    assertThat(alone.randomMean()).isNull();
    assertThat(alone.passed()).isFalse();
  }

  @Test
  void correlationIsPearsons() {
    Faithful line = Faithful.of(points(1, 2, -1, -2, 3, 6, -2, -4));
    assertThat(line.correlation()).isCloseTo(1, within(1e-12));
    // By hand: sum of products 5, sums of squares 5 and 10.
    Faithful scattered = Faithful.of(points(1, 1, 2, 4, 3, 2, 4, 5));
    assertThat(scattered.correlation()).isCloseTo(5 / Math.sqrt(5 * 10), within(1e-12));
    assertThat(Faithful.of(points(1, 2, 1, 3, 1, 4, 1, 5)).correlation()).isNull();
  }

  @Test
  void wrongSequencesAreThoseThatTheModelAnswersWrongly() {
    // Even ones are right above 0, odd ones below; 0 is never right.
    Faithful mixed = Faithful.of(points(1, 5, -1, -5, -1, -2, 2, 4, -3, -6, -4, 0, 0, 0));
    assertThat(mixed.sequences()).isEqualTo(7);
    assertThat(mixed.wrongSequences()).isEqualTo(4);
    assertThat(mixed.wrongCorrelation()).isCloseTo(1, within(1e-12));
    Faithful few = Faithful.of(points(1, 5, 1, -5, -1, -2, -2, 4));
    assertThat(few.wrongSequences()).isEqualTo(2);
    assertThat(few.wrongCorrelation()).isNull();
  }

  @Test
  void tableHasASentenceForEveryCheck() {
    assertThat(evidence().describe())
        .contains("quote: 3 nodes, 2 edges; the circuit holds on final examples")
        .contains("gate        yes")
        .contains("sufficient  yes")
        .contains("0.090 on validation (asked for: 0.10) and 0.120 on final examples")
        .contains("necessary   NO")
        .contains("without as many others it is 0.030, the mean of 2 draws up to 0.035,")
        .contains("faithful    0.99")
        .contains("cannot be said");
  }

  @Test
  void filesThatDoNotHangTogetherAreRefused() throws IOException {
    String text = evidence().toJson();
    assertThatThrownBy(() -> Evidence.fromJson(text.replace("\"format\" : 1", "\"format\" : 2")))
        .hasMessageContaining("format 2");
    assertThatThrownBy(() -> Evidence.fromJson(text.replace("\"holds\"", "\"hold\"")))
        .hasMessageContaining("hold");
    Evidence whole = evidence();
    assertThatThrownBy(
            () ->
                new Evidence(
                    Evidence.FORMAT,
                    "quote",
                    SOURCE,
                    3,
                    2,
                    whole.model(),
                    whole.gate(),
                    null,
                    null,
                    null,
                    List.of(),
                    false))
        .hasMessageContaining("without checks");
    Path file = Files.writeString(folder.resolve("half.json"), text.substring(0, 100));
    assertThatThrownBy(() -> Evidence.read(file))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("half.json");
  }

  private static Evidence evidence() {
    Scores model = scores(0.01, 0.02);
    return new Evidence(
        Evidence.FORMAT,
        "quote",
        SOURCE,
        3,
        2,
        model,
        Gate.of(model),
        Sufficient.of(0.1, 0.09, 0.12, model),
        Necessary.of(0.3, List.of(0.025, 0.035), List.of(0.03), 0.02),
        Faithful.of(points(2, 1.5, -2, -1.5, 1, 1, -1, -0.5)),
        List.of(
            new Prompt(
                "quote/final/0",
                "t",
                "print('a",
                "print(\"a",
                new Answers("')", "\")"),
                new Probabilities(0.9, 0.8),
                new Probabilities(0.7, 0.6))),
        true);
  }

  private static Scores scores(double validation, double last) {
    return new Scores(stats(validation), stats(last));
  }

  private static TaskStats stats(double loss) {
    return new TaskStats(4608, 256, loss, 0.06, 1.0, 0.99, 1.1, 0.0);
  }

  /** Model and circuit by turns. */
  private static List<Difference> points(double... values) {
    return IntStream.range(0, values.length / 2)
        .mapToObj(i -> new Difference(values[2 * i], values[2 * i + 1]))
        .toList();
  }
}
