// SPDX-License-Identifier: Apache-2.0
package dev.filigree.circuit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.filigree.TaskStats;
import dev.filigree.circuit.Checks.Ablations;
import dev.filigree.circuit.Checks.Difference;
import dev.filigree.circuit.Checks.Draws;
import dev.filigree.circuit.Checks.Faithful;
import dev.filigree.circuit.Checks.Final;
import dev.filigree.circuit.Checks.Gate;
import dev.filigree.circuit.Checks.Interchange;
import dev.filigree.circuit.Checks.Necessary;
import dev.filigree.circuit.Checks.NodeDelta;
import dev.filigree.circuit.Checks.RandomInit;
import dev.filigree.circuit.Checks.Relaxation;
import dev.filigree.circuit.Checks.Resample;
import dev.filigree.circuit.Checks.Seeds;
import dev.filigree.circuit.Checks.Sufficient;
import dev.filigree.circuit.Checks.Variants;
import dev.filigree.circuit.Circuit.Source;
import dev.filigree.circuit.Circuit.SplitHashes;
import dev.filigree.circuit.Evidence.Answers;
import dev.filigree.circuit.Evidence.Probabilities;
import dev.filigree.circuit.Evidence.Prompt;
import dev.filigree.circuit.Evidence.Scores;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
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
    Evidence none = gateFailed(0.1, 0.2);
    assertThat(none.checks().gate().passed()).isFalse();
    assertThat(none.holds()).isFalse();
    assertThat(none.grade()).isEqualTo(Grade.F);
    assertThat(none.failed()).containsExactly("gate");
    assertThat(none.notRun()).contains("necessary", "variants").doesNotContain("gate");
    assertThat(Evidence.fromJson(none.toJson())).isEqualTo(none);
    assertThat(none.toJson()).contains("\"necessary\" : null");
    assertThat(none.describe())
        .contains("no circuit")
        .contains("0.100 [0.080, 0.120]")
        .contains("0.200 [0.160, 0.240]");
  }

  @Test
  void gateNeedsBothSplits() {
    assertThat(gate(0.15, 0.15).passed()).isTrue();
    assertThat(gate(0.151, 0.01).passed()).isFalse();
    assertThat(gate(0.01, 0.151).passed()).isFalse();
    // A search for a looser circuit takes a worse model; one for a stricter circuit does not ask
    // more.
    assertThat(Gate.limitOfSearch(0.3)).isEqualTo(0.3);
    assertThat(Gate.limitOfSearch(0.05)).isEqualTo(0.15);
  }

  @Test
  void sufficientCircuitReachesTheTargetAndTheLimitOfTheFinalExamples() {
    Scores good = scores(0.01, 0.02);
    assertThat(Sufficient.of(0.1, loss(0.1), loss(0.15), good).passed()).isTrue();
    assertThat(Sufficient.of(0.1, loss(0.11), loss(0.15), good).passed()).isFalse();
    // As much above the target as rounding can put it, which "reached" of a circuit allows too.
    assertThat(Sufficient.of(0.1, loss(0.100005), loss(0.15), good).passed()).isTrue();
    assertThat(Sufficient.of(0.1, loss(0.1), loss(0.16), good).passed()).isFalse();
    assertThat(Final.of(loss(0.15), good).passed()).isTrue();
    assertThat(Final.of(loss(0.151), good).passed()).isFalse();
    // A model that is not good itself moves the limit.
    Sufficient moved = Sufficient.of(0.1, loss(0.1), loss(0.21), scores(0.1, 0.12));
    assertThat(moved.limit()).isCloseTo(0.22, within(1e-12));
    assertThat(moved.passed()).isTrue();
  }

  @Test
  void necessaryCircuitIsMissedAndRandomNodesAreNot() {
    assertThat(Necessary.of(loss(0.5), draws(0.02, 0.11), null, loss(0.02)).passed()).isTrue();
    assertThat(Necessary.of(loss(0.49), draws(0.02), null, loss(0.02)).passed()).isFalse();
    assertThat(Necessary.of(loss(0.7), draws(0.02, 0.2), null, loss(0.02)).passed()).isFalse();
    // Nodes whose absence helps are no neutral comparison either.
    assertThat(Necessary.of(loss(0.7), draws(0.02), null, loss(0.12)).passed()).isFalse();
  }

  @Test
  void withoutNodesToCompareWithNothingIsNecessary() {
    Necessary alone = Necessary.of(loss(0.7), null, null, loss(0.02));
    assertThat(alone.random()).isNull();
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
  void correlationOfMembersLeavesOutWhatTellsTheRightAnswer() {
    // Perfect apart from being surer where the model is less sure, of either member.
    Faithful turned = Faithful.of(points(10, 12, -10, -12, 12, 10, -12, -10));
    assertThat(turned.correlation()).isGreaterThan(0.98);
    assertThat(turned.memberCorrelation()).isCloseTo(-1, within(1e-12));
    Faithful same = Faithful.of(points(10, 5, -10, -5, 12, 6, -12, -6));
    assertThat(same.memberCorrelation()).isCloseTo(1, within(1e-12));
  }

  @Test
  void seedsAgreeByTheMeanJaccardIndexOverAllPairs() {
    Seeds seeds =
        Seeds.of(
            List.of(
                new Seeds.Kept(1, new boolean[] {true, true, false, false}, loss(0.1)),
                new Seeds.Kept(2, new boolean[] {true, false, true, false}, loss(0.2)),
                new Seeds.Kept(3, new boolean[] {true, true, true, true}, loss(0.3))));
    // One of three nodes, two of four and two of four.
    assertThat(seeds.agreement()).isCloseTo((1 / 3.0 + 0.5 + 0.5) / 3, within(1e-12));
    assertThat(seeds.passed()).isFalse();
    assertThat(seeds.found()).extracting(Seeds.Found::nodes).containsExactly(2, 2, 4);
    assertThat(seeds.found()).extracting(Seeds.Found::jaccard).containsExactly(1.0, 1 / 3.0, 0.5);
    Seeds.Kept empty = new Seeds.Kept(1, new boolean[2], loss(0.1));
    assertThat(Seeds.of(List.of(empty, empty)).agreement()).isOne();
  }

  @Test
  void wrongSequencesAreThoseThatTheModelAnswersWrongly() {
    // Even ones are right above 0, odd ones below; 0 is never right.
    Faithful mixed = Faithful.of(points(1, 5, -1, -5, -1, -2, 2, 4, -3, -6, -4, 0, 0, 0));
    assertThat(mixed.sequences()).isEqualTo(7);
    assertThat(mixed.wrongSequences()).isEqualTo(4);
    assertThat(mixed.wrongCorrelation()).isCloseTo(1, within(1e-12));
    // Of the second and third pair both or one: their divergences are averaged by pair.
    assertThat(mixed.wrongDivergence().mean())
        .isCloseTo(
            Stream.of(
                    List.of(new Difference(-1, -2), new Difference(2, 4)),
                    List.of(new Difference(-3, -6)))
                .mapToDouble(
                    pair ->
                        pair.stream().mapToDouble(Difference::divergence).average().orElseThrow())
                .average()
                .orElseThrow(),
            within(1e-12));
    Faithful few = Faithful.of(points(1, 5, 1, -5, -1, -2, -2, 4));
    assertThat(few.wrongSequences()).isEqualTo(2);
    assertThat(few.wrongCorrelation()).isNull();
  }

  @Test
  void tableHasASentenceForEveryCheck() {
    assertThat(evidence().describe())
        .contains(
            "quote: grade D; 3 nodes, 2 edges, 5 extended edges; fails necessary; not run: seeds")
        .contains("gate        yes")
        .contains("sufficient  yes")
        .contains(
            "0.090 [0.072, 0.108] on validation (asked for: 0.10) and 0.120 on final examples")
        .contains("necessary   NO")
        .contains("without as many others it is 0.030 [0.024, 0.036], over 2 draws up to 0.035,")
        .contains("faithful    yes")
        .contains("correlate by 0.99")
        .contains("turns 93.0% of 250 right answers")
        .contains("cannot be said");
  }

  @Test
  void filesThatDoNotHangTogetherAreRefused() throws IOException {
    String text = evidence().toJson();
    assertThatThrownBy(
            () ->
                Evidence.fromJson(
                    text.replace("\"format\" : " + Evidence.FORMAT, "\"format\" : 1")))
        .hasMessageContaining("format 1")
        .hasMessageContaining("filigree evidence");
    assertThatThrownBy(() -> Evidence.fromJson(text.replace("\"necessary\" : {", "\"need\" : {")))
        .hasMessageContaining("need");
    assertThatThrownBy(
            () -> Evidence.fromJson(text.replace("\"grade\" : \"D\"", "\"grade\" : \"A\"")))
        .hasMessageContaining("the grade is A, the checks say D");
    assertThatThrownBy(() -> gateFailed(0.1, 0.1)) // which passes the gate
        .hasMessageContaining("without checks");
    Path file = Files.writeString(folder.resolve("half.json"), text.substring(0, 100));
    assertThatThrownBy(() -> Evidence.read(file))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("half.json");
  }

  @Test
  void gradeIsTheHighestOfWhichEveryCheckPassed() {
    Scores model = scores(0.01, 0.02);
    Necessary needed = Necessary.of(loss(0.6), draws(0.025), null, loss(0.02));
    Seeds agreeing = new Seeds(List.of(), 0.6, 0.5, true);
    RandomInit nothing = RandomInit.of(loss(0.69), loss(0.6), loss(0.7), 9, 9, 0.1, model);
    assertThat(Grade.of(checks(0.12, needed, 0.2, agreeing, nothing))).isEqualTo(Grade.A);
    // Not run is not passed.
    assertThat(Grade.of(checks(0.12, needed, 0.2, null, nothing))).isEqualTo(Grade.B);
    assertThat(Grade.of(checks(0.12, needed, 0.3, agreeing, nothing))).isEqualTo(Grade.C);
    Necessary not = Necessary.of(loss(0.4), draws(0.025), null, loss(0.02));
    // What a lower grade needs cannot be made up for.
    assertThat(Grade.of(checks(0.12, not, 0.2, agreeing, nothing))).isEqualTo(Grade.D);
    assertThat(Grade.of(checks(0.16, needed, 0.2, agreeing, nothing))).isEqualTo(Grade.F);
    // A search that finds as much in an untrained model is worth nothing.
    RandomInit much = RandomInit.of(loss(0.69), loss(0.1), loss(0.1), 9, 9, 0.1, model);
    assertThat(Grade.of(checks(0.12, needed, 0.2, agreeing, much))).isEqualTo(Grade.B);
  }

  @Test
  void interchangeNeedsTheAnswerToFollowTheCircuitAndNotOtherNodes() {
    assertThat(Interchange.of(0.8, 10, 0.1, loss(0.1)).passed()).isTrue();
    assertThat(Interchange.of(0.79, 10, 0.1, loss(0.1)).passed()).isFalse();
    assertThat(Interchange.of(0.8, 10, 0.11, loss(0.1)).passed()).isFalse();
    assertThat(Interchange.of(1, 10, null, loss(0.1)).passed()).isFalse();
  }

  @Test
  void divergenceIsThatOfTheTwoAnswers() {
    // By hand: p = 3/4 against q = 1/2.
    double p = 0.75;
    Difference point = new Difference(Math.log(3), 0);
    assertThat(point.divergence())
        .isCloseTo(p * Math.log(p / 0.5) + (1 - p) * Math.log((1 - p) / 0.5), within(1e-12));
    assertThat(new Difference(5, 5).divergence()).isCloseTo(0, within(1e-12));
    assertThat(new Difference(-1e6, 1e6).divergence()).isCloseTo(1e6, within(1e-6));
    Faithful half = Faithful.of(points(2, 1, -2, 1, 1, 3, 1, -1));
    assertThat(half.agreement()).isEqualTo(0.5);
    assertThat(half.wrongAgreement()).isEqualTo(0);
  }

  @Test
  void predictionIsConfirmedLevelByLevel() {
    Variants.Level near = new Variants.Level("few", 5, 9, loss(0.9), loss(0.7));
    Variants.Level far = new Variants.Level("many", 50, 9, loss(0.2), loss(0.5));
    assertThat(Variants.Outcome.of("v", "d", "a", List.of(near, near)).confirmed()).isTrue();
    assertThat(Variants.Outcome.of("v", "d", "a", List.of(near, far)).confirmed()).isFalse();
    assertThat(Variants.of(List.of(near, far).stream().map(EvidenceTest::alone).toList()).passed())
        .isFalse();
    assertThat(Variants.of(List.of()).passed()).isNull();
  }

  @Test
  void nothingIsForetoldWhereNothingMisleads() {
    Variants.Level plain = new Variants.Level("plain", 0, 9, loss(0.9), loss(0.95));
    Variants.Level harmless = new Variants.Level("comment", 1, 9, loss(0.85), loss(0.8));
    Variants.Level wrong = new Variants.Level("many", 50, 9, loss(0.3), loss(0.2));
    Variants.Outcome calm = Variants.Outcome.of("v", "d", "a", List.of(plain, harmless));
    Variants.Outcome misled = Variants.Outcome.of("w", "d", "a", List.of(plain, wrong));
    assertThat(calm.misled()).isFalse();
    assertThat(misled.misled()).isTrue();
    assertThat(Variants.of(List.of(calm)).passed()).isNull();
    assertThat(Variants.of(List.of(calm, misled)).passed()).isTrue();
    // A circuit that foretells what does not come is wrong all the same.
    Variants.Level feared = new Variants.Level("comment", 1, 9, loss(0.2), loss(0.9));
    assertThat(
            Variants.of(List.of(Variants.Outcome.of("v", "d", "a", List.of(plain, feared))))
                .passed())
        .isFalse();
  }

  @Test
  void modelThatDoesNotDoItsTaskSetsNoLimit() {
    assertThat(Checks.finalLimit(scores(0.01, 0.02))).isEqualTo(0.15);
    assertThat(Checks.finalLimit(scores(0.1, 0.12))).isCloseTo(0.22, within(1e-12));
    assertThat(Checks.finalLimit(scores(0.69, 0.69))).isCloseTo(0.25, within(1e-12));
  }

  @Test
  void intervalHoldsTheMeanAndComesFromPairs() {
    double[] values = IntStream.range(0, 200).mapToDouble(i -> i / 2 % 10).toArray();
    Estimate loss = Estimate.ofPairs(values);
    assertThat(loss.mean()).isCloseTo(4.5, within(1e-12));
    // 100 pairs of standard deviation 2.87: the mean has one of 0.287.
    assertThat(loss.low()).isCloseTo(4.5 - 1.96 * 0.287, within(0.1));
    assertThat(loss.high()).isCloseTo(4.5 + 1.96 * 0.287, within(0.1));
    assertThat(Estimate.ofPairs(values)).isEqualTo(loss);
    assertThat(Estimate.ofPairs(new double[] {1, 3})).isEqualTo(new Estimate(2, 2, 2));
  }

  @Test
  void drawsArePooledByExample() {
    Draws draws = Draws.of(List.of(new double[] {1, 3}, new double[] {2, 4, 6, 8}), 2);
    assertThat(draws.draws()).containsExactly(2.0, 5.0);
    assertThat(draws.loss().mean()).isEqualTo(4); // of the pairs 2, 3 and 7
    assertThat(Draws.of(List.of(), 2)).isNull();
    // The same two pairs in two draws are two values, whose means are 2 and 6.
    Draws twice = Draws.of(List.of(new double[] {1, 1, 5, 5}, new double[] {3, 3, 7, 7}), 1);
    assertThat(twice.draws()).containsExactly(3.0, 5.0);
    assertThat(twice.loss()).isEqualTo(Estimate.of(new double[] {2, 6}));
  }

  @Test
  void whatDoesNotApplyStandsInTheWayOfNoGrade() {
    Scores model = scores(0.01, 0.02);
    Checks full =
        checks(
            0.12,
            Necessary.of(loss(0.6), draws(0.025), null, loss(0.02)),
            0.2,
            new Seeds(List.of(), 0.6, 0.5, true),
            RandomInit.of(loss(0.69), loss(0.6), loss(0.7), 9, 9, 0.1, model));
    assertThat(full.verdict("variants")).isEqualTo(Grade.Verdict.NOT_APPLICABLE);
    assertThat(full.withCostly()).isTrue();
    assertThat(full.randomInit().reached()).isFalse();
    assertThat(Grade.of(full)).isEqualTo(Grade.A);
  }

  private static Evidence evidence() {
    Scores model = scores(0.01, 0.02);
    return new Evidence(
        Evidence.FORMAT,
        "quote",
        SOURCE,
        "ab",
        0.02,
        0.09,
        0.12,
        3,
        2,
        5,
        Grade.D,
        List.of("necessary"),
        List.of("seeds", "random_init", "variants"),
        model,
        checks(
            0.12,
            Necessary.of(loss(0.3), draws(0.025, 0.035), draws(0.03), loss(0.02)),
            0.2,
            null,
            null),
        List.of(
            new Prompt(
                "quote/final/0",
                "t",
                "print('a",
                "print(\"a",
                new Answers("')", "\")"),
                new Probabilities(0.9, 0.8),
                new Probabilities(0.7, 0.6))));
  }

  /** Checks that pass but for what is given. Variants are run with seeds. */
  private static Checks checks(
      double last, Necessary necessary, double resampled, Seeds seeds, RandomInit randomInit) {
    Scores model = scores(0.01, 0.02);
    return new Checks(
        gate(0.01, 0.02),
        Final.of(loss(last), model),
        Sufficient.of(0.1, loss(0.09), loss(last), model),
        necessary,
        Resample.of(loss(resampled), List.of(resampled), model),
        Interchange.of(0.93, 250, 0.02, loss(0.2)),
        Faithful.of(points(2, 1.5, -2, -1.5, 1, 1, -1, -0.5)),
        Relaxation.of(List.of(new Relaxation.Step(0.5, loss(0.1), List.of(0.1))), model),
        new Ablations(32, List.of(new NodeDelta(7, loss(0.4), loss(0.02))), null),
        seeds,
        randomInit,
        null,
        seeds == null ? null : Variants.of(List.of()));
  }

  private static Evidence gateFailed(double validation, double last) {
    return Evidence.gateFailed("quote", SOURCE, scores(validation, last), gate(validation, last));
  }

  private static Gate gate(double validation, double last) {
    return Gate.of(loss(validation), loss(last));
  }

  private static Variants.Outcome alone(Variants.Level level) {
    return Variants.Outcome.of("v", "d", "a", List.of(level));
  }

  private static Draws draws(Double... means) {
    return new Draws(
        loss(Arrays.stream(means).mapToDouble(mean -> mean).average().orElseThrow()),
        List.of(means));
  }

  private static Estimate loss(double mean) {
    return new Estimate(mean, 0.8 * mean, 1.2 * mean);
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
