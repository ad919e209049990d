// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import static org.assertj.core.api.Assertions.assertThat;

import dev.filigree.PruneConfig;
import dev.filigree.experiment.MaskSearch.Trial;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;
import org.junit.jupiter.api.Test;

class MaskSearchTest {
  private static final PruneConfig START = Presets.TINY.config().prune().published().masks();

  @Test
  void theStartComesFirstAndTheSeedRepeatsTheRest() {
    MaskSearch first = new MaskSearch(START, 5);
    MaskSearch second = new MaskSearch(START, 5);
    MaskSearch other = new MaskSearch(START, 6);
    assertThat(first.next()).isEqualTo(START);
    for (MaskSearch search : List.of(first, second, other)) {
      search.add(new Trial(START, 10, 10));
    }
    PruneConfig next = first.next();
    assertThat(second.next()).isEqualTo(next);
    assertThat(other.next()).isNotEqualTo(next);
  }

  @Test
  void runsDifferInTheirMasksToo() {
    MaskSearch search = new MaskSearch(START, 5);
    List<Long> seeds = new ArrayList<>();
    for (int run = 0; run < 5; run++) {
      PruneConfig masks = search.next();
      seeds.add(masks.seed());
      search.add(new Trial(masks, run, -run));
    }
    assertThat(seeds).doesNotHaveDuplicates();
  }

  @Test
  void onlyWhatNoOtherRunBeatsIsAmongTheBest() {
    MaskSearch search = new MaskSearch(START, 1);
    Trial fewEdges = new Trial(START, 10, 30);
    Trial fewNodes = new Trial(START, 20, 15);
    Trial between = new Trial(START, 20, 31);
    Trial worst = new Trial(START, 50_000, 50_000);
    List.of(between, fewEdges, worst, fewNodes).forEach(search::add);
    assertThat(search.best()).containsExactly(fewEdges, fewNodes);
  }

  @Test
  void equalRunsAreAllAmongTheBest() {
    MaskSearch search = new MaskSearch(START, 1);
    search.add(new Trial(START, 10, 10));
    search.add(new Trial(START, 10, 10));
    assertThat(search.best()).hasSize(2);
  }

  @Test
  void valuesStayInTheirRangesHoweverLongTheSearch() {
    MaskSearch search = new MaskSearch(START, 3);
    for (int run = 0; run < 400; run++) {
      PruneConfig masks = search.next();
      assertThat(masks.lr()).isBetween(1e-5, 1e-1);
      assertThat(masks.weightDecay()).isBetween(1e-6, 1e-1);
      assertThat(masks.kCoef()).isBetween(1e-8, 1e-1);
      assertThat(masks.temperature()).isBetween(0.1, 10.0);
      assertThat(masks.beta2()).isBetween(0.0, 1.0);
      // Always the last is best, so that the walk goes far.
      search.add(new Trial(masks, -run, -run));
    }
  }

  @Test
  void findsBetterValuesOfWhatMatters() {
    // A circuit is the smaller the nearer the price of a node is to 1e-5, a hundredth of its start.
    ToDoubleFunction<PruneConfig> size = masks -> 1 + Math.abs(Math.log10(masks.kCoef()) + 5);
    MaskSearch search = new MaskSearch(START, 2);
    for (int run = 0; run < 32; run++) {
      PruneConfig masks = search.next();
      search.add(new Trial(masks, size.applyAsDouble(masks), size.applyAsDouble(masks)));
    }
    assertThat(size.applyAsDouble(search.best().getFirst().masks()))
        .isLessThan(1 + (size.applyAsDouble(START) - 1) / 4);
  }
}
