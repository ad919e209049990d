// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.experiment.CompareResult.Place;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Dense models of several sizes, to tell how large a dense circuit would be in a model of any loss
 * between theirs: logarithms of sizes are taken as linear in the held-out loss between two
 * neighbours. Nothing is said about losses beyond the ends.
 */
final class DenseLadder {
  private final List<Rung> rungs; // ascending loss

  DenseLadder(List<Rung> rungs) {
    this.rungs = rungs.stream().sorted(Comparator.comparingDouble(Rung::loss)).toList();
  }

  /**
   * One dense model.
   *
   * @param loss held out, nats per token
   * @param sizes of its circuits, by task; a task without one is missing
   */
  record Rung(String name, double loss, Map<String, Size> sizes) {}

  /** Size of a circuit, above 0; not whole where it is interpolated. */
  record Size(double nodes, double edges, double weights) {
    static Size of(CompareCellResult.Point circuit) {
      return new Size(circuit.nodes(), circuit.edges(), circuit.weights());
    }
  }

  /**
   * The two neighbours of a loss.
   *
   * @param below with the lower loss
   * @param above with the higher one; the same model when the losses are equal
   * @param weight of {@code above}, 0 to 1
   */
  record Pair(Rung below, Rung above, double weight) {
    /** Size between those of both; empty unless both have a circuit of the task. */
    Optional<Size> size(String task) {
      Size low = below.sizes().get(task);
      Size high = above.sizes().get(task);
      return low == null || high == null
          ? Optional.empty()
          : Optional.of(
              new Size(
                  between(low.nodes(), high.nodes()),
                  between(low.edges(), high.edges()),
                  between(low.weights(), high.weights())));
    }

    private double between(double low, double high) {
      return Math.exp((1 - weight) * Math.log(low) + weight * Math.log(high));
    }
  }

  Place place(double loss) {
    if (rungs.isEmpty()) {
      return Place.EMPTY;
    }
    if (loss < rungs.getFirst().loss()) {
      return Place.BELOW;
    }
    return loss > rungs.getLast().loss() ? Place.ABOVE : Place.INSIDE;
  }

  /** Return the neighbours of a loss; empty outside the ladder. */
  Optional<Pair> around(double loss) {
    if (place(loss) != Place.INSIDE) {
      return Optional.empty();
    }
    int above = 0;
    while (rungs.get(above).loss() < loss) {
      above++;
    }
    Rung high = rungs.get(above);
    if (high.loss() == loss) {
      return Optional.of(new Pair(high, high, 0));
    }
    Rung low = rungs.get(above - 1);
    return Optional.of(new Pair(low, high, (loss - low.loss()) / (high.loss() - low.loss())));
  }
}
