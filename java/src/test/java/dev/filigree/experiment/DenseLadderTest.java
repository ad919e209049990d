// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.filigree.experiment.CompareResult.Place;
import dev.filigree.experiment.DenseLadder.Rung;
import dev.filigree.experiment.DenseLadder.Size;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class DenseLadderTest {
  private static final DenseLadder LADDER =
      new DenseLadder(
          List.of(
              new Rung(
                  "wide", 2.0, Map.of("a", new Size(100, 1000, 5000), "b", new Size(50, 400, 900))),
              new Rung("narrow", 3.0, Map.of("a", new Size(1, 10, 20))),
              new Rung(
                  "middle",
                  2.5,
                  Map.of("a", new Size(10, 4000, 20000), "b", new Size(5, 100, 400)))));

  @Test
  void sizesAreLogLinearBetweenTheNeighboursInLoss() {
    // Halfway from 2.0 to 2.5: the geometric means of 1000 and 4000, and of 100 and 10.
    Size half = LADDER.around(2.25).orElseThrow().size("a").orElseThrow();
    assertThat(half.edges()).isCloseTo(2000, within(1e-9));
    assertThat(half.nodes()).isCloseTo(Math.sqrt(1000), within(1e-9));
    // A fifth of the way from 2.5 to 3.0: 4000^0.8 * 10^0.2.
    Size fifth = LADDER.around(2.6).orElseThrow().size("a").orElseThrow();
    assertThat(fifth.edges())
        .isCloseTo(Math.pow(4000, 0.8) * Math.pow(10, 0.2), within(1e-9 * 4000));
    assertThat(LADDER.around(2.6).orElseThrow().below().name()).isEqualTo("middle");
    assertThat(LADDER.around(2.6).orElseThrow().above().name()).isEqualTo("narrow");
  }

  @Test
  void aLossOfAModelIsThatModel() {
    for (double loss : new double[] {2.0, 2.5, 3.0}) {
      var pair = LADDER.around(loss).orElseThrow();
      assertThat(pair.below()).isEqualTo(pair.above());
      assertThat(pair.above().loss()).isEqualTo(loss);
    }
    assertThat(LADDER.around(2.0).orElseThrow().size("b").orElseThrow().edges())
        .isCloseTo(400, within(1e-9));
  }

  @Test
  void saysNothingBeyondItsEnds() {
    assertThat(LADDER.place(1.999)).isEqualTo(Place.BELOW);
    assertThat(LADDER.place(3.001)).isEqualTo(Place.ABOVE);
    assertThat(LADDER.place(2.0)).isEqualTo(Place.INSIDE);
    assertThat(LADDER.around(1.999)).isEmpty();
    assertThat(LADDER.around(3.001)).isEmpty();
    assertThat(new DenseLadder(List.of()).place(2)).isEqualTo(Place.EMPTY);
    assertThat(new DenseLadder(List.of()).around(2)).isEmpty();
  }

  @Test
  void aTaskNeedsACircuitInBothNeighbours() {
    assertThat(LADDER.around(2.25).orElseThrow().size("b")).isPresent();
    assertThat(LADDER.around(2.75).orElseThrow().size("b")).isEmpty();
    assertThat(LADDER.around(2.75).orElseThrow().size("c")).isEmpty();
  }
}
