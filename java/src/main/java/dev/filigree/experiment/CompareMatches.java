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

/** The models of a comparison, each sparse one with the dense ones around its held-out loss. */
final class CompareMatches {
  private final CompareConfig plan;
  private final List<CompareCellResult> models;
  private final Map<Double, DenseLadder> ladders = new HashMap<>(); // by loss of the circuits
  private final Map<String, Map<String, TaskRatio>> ratios = new HashMap<>(); // by model and task

  CompareMatches(CompareConfig plan, List<CompareCellResult> models) {
    this.plan = plan;
    this.models = models;
  }

  /** Dense over sparse, of one task. */
  record TaskRatio(double edges, double nodes, double weights) {
    static TaskRatio of(Size dense, Point sparse) {
      return new TaskRatio(
          dense.edges() / sparse.edges(),
          dense.nodes() / sparse.nodes(),
          dense.weights() / sparse.weights());
    }
  }

  /** The dense models with their circuits of a loss. */
  DenseLadder ladder(double target) {
    return ladders.computeIfAbsent(target, this::makeLadder);
  }

  private DenseLadder makeLadder(double target) {
    List<Rung> rungs = new ArrayList<>();
    for (CompareCellResult model : models) {
      if (model.kind() == Kind.DENSE && model.loss() != null) {
        Map<String, Size> sizes = new LinkedHashMap<>();
        for (String task : plan.tasks()) {
          model.circuit(task, target).ifPresent(c -> sizes.put(task, Size.of(c)));
        }
        rungs.add(new Rung(model.name(), model.loss(), sizes));
      }
    }
    return new DenseLadder(rungs);
  }

  /** The dense models around a model's held-out loss; empty outside of the ladder. */
  Optional<Pair> around(CompareCellResult model, double target) {
    return model.loss() == null ? Optional.empty() : ladder(target).around(model.loss());
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

  /** A model that does little would leave nothing in common with the others. */
  boolean plotted(CompareCellResult model) {
    long best = models.stream().mapToLong(this::done).max().orElse(0);
    return done(model) > 0 && 2 * done(model) >= best;
  }

  CompareCellResult named(String name) {
    return models.stream().filter(model -> model.name().equals(name)).findFirst().orElseThrow();
  }
}
