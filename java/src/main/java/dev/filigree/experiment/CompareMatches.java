// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.experiment.CompareCellResult.Kind;
import dev.filigree.experiment.CompareCellResult.Point;
import dev.filigree.experiment.DenseLadder.Pair;
import dev.filigree.experiment.DenseLadder.Rung;
import dev.filigree.experiment.DenseLadder.Size;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/** The models of a comparison, each sparse one with the dense ones around its held-out loss. */
final class CompareMatches {
  private final CompareConfig plan;
  private final List<CompareCellResult> models;
  private final Map<LadderKey, DenseLadder> ladders = new HashMap<>();
  private final Map<String, Map<String, TaskRatio>> ratios = new HashMap<>(); // by model and task

  CompareMatches(CompareConfig plan, List<CompareCellResult> models) {
    this.plan = plan;
    this.models = models;
  }

  /**
   * Which dense models, with which circuits.
   *
   * @param steps of training
   * @param target loss of the circuits
   */
  private record LadderKey(long steps, double target) {}

  /** Dense over sparse, of one task. */
  record TaskRatio(double edges, double nodes, double weights) {
    static TaskRatio of(Size dense, Point sparse) {
      return new TaskRatio(
          dense.edges() / sparse.edges(),
          dense.nodes() / sparse.nodes(),
          dense.weights() / sparse.weights());
    }
  }

  /** The dense models that were trained for as many steps, with their circuits of a loss. */
  DenseLadder ladder(CompareCellResult model, double target) {
    return ladders.computeIfAbsent(new LadderKey(model.steps(), target), this::makeLadder);
  }

  private DenseLadder makeLadder(LadderKey key) {
    List<Rung> rungs = new ArrayList<>();
    for (CompareCellResult model : models) {
      if (model.kind() == Kind.DENSE && model.steps() == key.steps() && model.loss() != null) {
        Map<String, Size> sizes = new LinkedHashMap<>();
        for (String task : plan.tasks()) {
          model.circuit(task, key.target()).ifPresent(c -> sizes.put(task, Size.of(c)));
        }
        rungs.add(new Rung(model.name(), model.loss(), sizes));
      }
    }
    return new DenseLadder(rungs);
  }

  /** The dense models around a model's held-out loss; empty outside of the ladder. */
  Optional<Pair> around(CompareCellResult model, double target) {
    return model.loss() == null ? Optional.empty() : ladder(model, target).around(model.loss());
  }

  /** The dense models around a model's held-out loss, the better first; none outside. */
  List<Rung> rungs(CompareCellResult model) {
    return around(model, plan.target())
        .map(pair -> Stream.of(pair.below(), pair.above()).distinct().toList())
        .orElse(List.of());
  }

  /** Ratio of one dense model alone to a sparse one; empty unless both have a circuit. */
  Optional<TaskRatio> ratio(CompareCellResult model, Rung dense, String task) {
    Size size = dense.sizes().get(task);
    return size == null
        ? Optional.empty()
        : model.circuit(task, plan.target()).map(own -> TaskRatio.of(size, own));
  }

  /** Ratios of a sparse model by task, of those that count. */
  Map<String, TaskRatio> ratios(CompareCellResult model) {
    return ratios.computeIfAbsent(model.name(), _ -> makeRatios(model));
  }

  private Map<String, TaskRatio> makeRatios(CompareCellResult model) {
    Map<String, TaskRatio> ratios = new LinkedHashMap<>();
    around(model, plan.target())
        .ifPresent(
            pair -> {
              for (String task : plan.tasks()) {
                Optional<Point> own = model.circuit(task, plan.target());
                Optional<Size> dense = pair.size(task);
                if (own.isPresent() && dense.isPresent()) {
                  ratios.put(task, TaskRatio.of(dense.get(), own.get()));
                }
              }
            });
    return ratios;
  }

  /** Number of tasks with a circuit. */
  long done(CompareCellResult model) {
    return plan.tasks().stream()
        .filter(task -> model.circuit(task, plan.target()).isPresent())
        .count();
  }

  /** Whether a model belongs to the grid or its ladder: no variant, and trained as long. */
  boolean inGrid(CompareCellResult model) {
    return model.variant() == null && model.steps() == plan.steps().getFirst();
  }

  /**
   * Whether sizes over the grid take a model in: one that does little would leave nothing in common
   * with the others. The middle and the dense models around it are what it is about.
   */
  boolean plotted(CompareCellResult model) {
    long best = models.stream().filter(this::inGrid).mapToLong(this::done).max().orElse(0);
    return inGrid(model)
        && done(model) > 0
        && (2 * done(model) >= best || aroundMiddle(model.name()));
  }

  private boolean aroundMiddle(String name) {
    return name.equals(plan.middle())
        || rungs(named(plan.middle())).stream().anyMatch(rung -> rung.name().equals(name));
  }

  CompareCellResult named(String name) {
    return models.stream().filter(model -> model.name().equals(name)).findFirst().orElseThrow();
  }
}
