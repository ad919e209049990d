// SPDX-License-Identifier: Apache-2.0
package dev.filigree.statistics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.filigree.statistics.Bootstrap.Interval;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BootstrapTest {
  @Test
  void meanIsThatOfTheLogarithms() {
    assertThat(Bootstrap.geometricMean(List.of(2.0, 8.0))).hasValueSatisfying(about(4));
    assertThat(Bootstrap.geometricMean(List.of(1.0, 10.0, 100.0))).hasValueSatisfying(about(10));
    assertThat(Bootstrap.geometricMean(List.of(7.0))).hasValueSatisfying(about(7));
    assertThat(Bootstrap.geometricMean(List.of())).isEmpty();
  }

  @Test
  void equalValuesLeaveNothingToDoubt() {
    List<Double> interval = Bootstrap.geometricInterval(Collections.nCopies(5, 5.0)).orElseThrow();
    assertThat(interval.getFirst()).isCloseTo(5, within(1e-12));
    assertThat(interval.getLast()).isCloseTo(5, within(1e-12));
  }

  @Test
  void fewValuesHaveNoInterval() {
    assertThat(Bootstrap.geometricInterval(List.of(1.0, 2.0, 3.0, 4.0))).isEmpty();
    assertThat(Bootstrap.geometricInterval(List.of())).isEmpty();
  }

  @Test
  void twoValuesResampleToTheirEndsAndTheirMean() {
    // A quarter of the resamples is {1, 1} and a quarter {100, 100}: far more than a tail.
    Interval interval = Bootstrap.interval(new double[] {1, 100}, 1_000);
    assertThat(interval.low()).isCloseTo(1, within(1e-9));
    assertThat(interval.high()).isCloseTo(100, within(1e-9));
  }

  @Test
  void theSameValuesGiveTheSameInterval() {
    List<Double> values = List.of(3.0, 17.0, 8.0, 30.0, 12.0, 9.5);
    assertThat(Bootstrap.geometricInterval(values)).isEqualTo(Bootstrap.geometricInterval(values));
  }

  @Test
  void scalingTheValuesScalesTheInterval() {
    List<Double> values = List.of(3.0, 17.0, 8.0, 30.0, 12.0, 9.5);
    List<Double> once = Bootstrap.geometricInterval(values).orElseThrow();
    List<Double> ten =
        Bootstrap.geometricInterval(values.stream().map(v -> 10 * v).toList()).orElseThrow();
    assertThat(ten.getFirst() / once.getFirst()).isCloseTo(10, within(1e-9));
    assertThat(ten.getLast() / once.getLast()).isCloseTo(10, within(1e-9));
  }

  @Test
  void cutsLessOffTheFewerValuesThereAre() {
    double five = Math.exp(5);
    // Of resamples of five values 0.03% have one of them five times, 0.7% four times or more, 5.8%
    // three times or more; 0.1% are cut off either end.
    assertThat(
            Bootstrap.geometricInterval(List.of(1.0, 1.0, 1.0, 1.0, five)).orElseThrow().getLast())
        .isCloseTo(Math.exp(4), within(1e-9));
    // Of ten values 1.3% have one of them four times or more and 0.15% five times; 0.9% are cut
    // off.
    List<Double> ten = new ArrayList<>(Collections.nCopies(9, 1.0));
    ten.add(five);
    assertThat(Bootstrap.geometricInterval(ten).orElseThrow().getLast())
        .isCloseTo(Math.exp(2), within(1e-9));
  }

  @ParameterizedTest
  @ValueSource(ints = {5, 8, 20})
  void holdsTheTrueMeanAboutAsOftenAsItSays(int n) {
    // Logarithms are normal around log 16. 1,000 trials put three standard errors at 2.1 in 100.
    SplittableRandom random = new SplittableRandom(3);
    int held = 0;
    int trials = 1_000;
    for (int trial = 0; trial < trials; trial++) {
      List<Double> values = new ArrayList<>();
      for (int i = 0; i < n; i++) {
        values.add(Math.exp(Math.log(16) + 0.8 * random.nextGaussian()));
      }
      List<Double> interval = Bootstrap.geometricInterval(values).orElseThrow();
      held += interval.getFirst() <= 16 && 16 <= interval.getLast() ? 1 : 0;
    }
    assertThat(held / (double) trials).isBetween(0.90, 0.98);
  }

  private static Consumer<Double> about(double expected) {
    return value -> assertThat(value).isCloseTo(expected, within(1e-12 * expected));
  }
}
