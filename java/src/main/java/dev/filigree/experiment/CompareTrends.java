// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.experiment.CompareCellResult.Kind;
import dev.filigree.experiment.CompareCellResult.Point;
import dev.filigree.experiment.CompareMatches.TaskRatio;
import dev.filigree.experiment.CompareResult.Axis;
import dev.filigree.experiment.CompareResult.Change;
import dev.filigree.experiment.CompareResult.RatioPoint;
import dev.filigree.experiment.CompareResult.RatioSet;
import dev.filigree.experiment.CompareResult.Trend;
import dev.filigree.statistics.Bootstrap;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.BiPredicate;
import java.util.function.Function;

/** How circuits and ratios move from one sparse model of a comparison to another. */
final class CompareTrends {
  private final CompareConfig plan;
  private final CompareMatches matches;
  private final CompareCellResult middle;
  private final List<CompareCellResult> grid;
  private final List<CompareCellResult> longer; // the middle by steps, fewest first
  private final List<CompareCellResult> variants;

  CompareTrends(CompareConfig plan, List<CompareCellResult> models, CompareMatches matches) {
    this.plan = plan;
    this.matches = matches;
    this.middle = matches.named(plan.middle());
    List<CompareCellResult> sparse =
        models.stream().filter(model -> model.kind() == Kind.SPARSE).toList();
    this.grid =
        sparse.stream()
            .filter(matches::inGrid)
            .sorted(
                Comparator.comparingInt(CompareCellResult::width)
                    .thenComparing(CompareCellResult::kept, Comparator.reverseOrder()))
            .toList();
    this.longer =
        sparse.stream()
            .filter(model -> model.variant() == null)
            .filter(model -> model.width() == middle.width() && model.kept().equals(middle.kept()))
            .sorted(Comparator.comparingLong(CompareCellResult::steps))
            .toList();
    this.variants = sparse.stream().filter(model -> model.variant() != null).toList();
  }

  /** Ratios over the grid. */
  RatioSet ofGrid() {
    return ratios(grid);
  }

  /** Ratios of the middle after different numbers of steps. */
  RatioSet ofTokens() {
    return ratios(longer);
  }

  /** Ratios of the middle and of what was trained otherwise. */
  RatioSet ofVariants() {
    List<CompareCellResult> all = new ArrayList<>(List.of(middle));
    all.addAll(variants);
    return ratios(all);
  }

  private RatioSet ratios(List<CompareCellResult> models) {
    int best = models.stream().mapToInt(model -> matches.ratios(model).size()).max().orElse(0);
    List<CompareCellResult> some =
        models.stream()
            .filter(model -> !matches.ratios(model).isEmpty())
            .filter(model -> 2 * matches.ratios(model).size() >= best)
            .toList();
    List<String> tasks =
        plan.tasks().stream()
            .filter(task -> some.stream().allMatch(m -> matches.ratios(m).containsKey(task)))
            .toList();
    return tasks.isEmpty()
        ? new RatioSet(List.of(), List.of())
        : new RatioSet(tasks, some.stream().map(model -> point(model, tasks)).toList());
  }

  private RatioPoint point(CompareCellResult model, List<String> tasks) {
    Map<String, TaskRatio> own = matches.ratios(model);
    List<Double> edges = tasks.stream().map(task -> own.get(task).edges()).toList();
    return new RatioPoint(
        model.name(),
        Bootstrap.geometricMean(edges).orElseThrow(),
        Bootstrap.geometricInterval(edges).orElse(null));
  }

  /** From every sparse model to its neighbours, where both have a circuit of some task. */
  List<Trend> changes() {
    List<Trend> trends = new ArrayList<>();
    for (CompareCellResult from : grid) {
      next(grid, from, (a, b) -> a.kept().equals(b.kept()) && a.width() < b.width())
          .flatMap(to -> trend(Axis.WIDTH, from, to))
          .ifPresent(trends::add);
    }
    for (CompareCellResult from : grid) {
      next(grid, from, (a, b) -> a.width() == b.width() && a.kept() > b.kept())
          .flatMap(to -> trend(Axis.KEPT, from, to))
          .ifPresent(trends::add);
    }
    for (CompareCellResult from : longer) {
      next(longer, from, (a, b) -> a.steps() < b.steps())
          .flatMap(to -> trend(Axis.TOKENS, from, to))
          .ifPresent(trends::add);
    }
    variants.forEach(to -> trend(Axis.VARIANT, middle, to).ifPresent(trends::add));
    return trends;
  }

  /** The nearest of those that come after a model in an order. */
  private static Optional<CompareCellResult> next(
      List<CompareCellResult> models,
      CompareCellResult from,
      BiPredicate<CompareCellResult, CompareCellResult> before) {
    List<CompareCellResult> after =
        models.stream().filter(model -> before.test(from, model)).toList();
    return after.stream()
        .filter(model -> after.stream().noneMatch(other -> before.test(other, model)))
        .findFirst();
  }

  private Optional<Trend> trend(Axis axis, CompareCellResult from, CompareCellResult to) {
    return change(task -> edges(from, task), task -> edges(to, task))
        .map(
            edges ->
                new Trend(
                    axis,
                    from.name(),
                    to.name(),
                    to.loss() - from.loss(),
                    edges,
                    change(task -> ratio(from, task), task -> ratio(to, task)).orElse(null)));
  }

  /** Change of what tasks have in both models; empty where none has it. */
  private Optional<Change> change(
      Function<String, OptionalDouble> from, Function<String, OptionalDouble> to) {
    List<Double> factors = new ArrayList<>();
    for (String task : plan.tasks()) {
      OptionalDouble before = from.apply(task);
      OptionalDouble after = to.apply(task);
      if (before.isPresent() && after.isPresent()) {
        factors.add(after.getAsDouble() / before.getAsDouble());
      }
    }
    return Bootstrap.geometricMean(factors)
        .map(
            factor ->
                new Change(
                    factors.size(), factor, Bootstrap.geometricInterval(factors).orElse(null)));
  }

  private OptionalDouble edges(CompareCellResult model, String task) {
    return model.circuit(task, plan.target()).stream().mapToDouble(Point::edges).findFirst();
  }

  private OptionalDouble ratio(CompareCellResult model, String task) {
    return Optional.ofNullable(matches.ratios(model).get(task)).stream()
        .mapToDouble(TaskRatio::edges)
        .findFirst();
  }
}
