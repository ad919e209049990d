// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.experiment.CompareCellResult.Kind;
import dev.filigree.experiment.CompareCellResult.Point;
import dev.filigree.experiment.CompareCellResult.Search;
import dev.filigree.experiment.CompareMatches.TaskRatio;
import dev.filigree.experiment.CompareResult.Axis;
import dev.filigree.experiment.CompareResult.Cell;
import dev.filigree.experiment.CompareResult.CurvePoint;
import dev.filigree.experiment.CompareResult.DenseSize;
import dev.filigree.experiment.CompareResult.TaskRow;
import dev.filigree.experiment.CompareResult.Trend;
import dev.filigree.experiment.DenseLadder.Pair;
import dev.filigree.experiment.DenseLadder.Rung;
import dev.filigree.experiment.DenseLadder.Size;
import dev.filigree.statistics.Bootstrap;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiPredicate;
import java.util.function.ToDoubleFunction;

/** Works out a comparison from what came of its models. */
final class CompareSummary {
  private final CompareConfig plan;
  private final List<CompareCellResult> models;
  private final CompareMatches matches;

  CompareSummary(CompareConfig plan, List<CompareCellResult> models) {
    this.plan = plan;
    this.models = models;
    this.matches = new CompareMatches(plan, models);
  }

  /**
   * Return the comparison.
   *
   * @param seconds of work
   */
  CompareResult result(double seconds) {
    List<String> common = common();
    List<String> trendTasks = trendTasks();
    List<Cell> cells = models.stream().map(model -> cell(model, common, trendTasks)).toList();
    Cell middle =
        cells.stream()
            .filter(cell -> cell.model().name().equals(plan.middle()))
            .findFirst()
            .orElseThrow();
    List<TaskRow> rows = plan.tasks().stream().map(task -> row(task, middle.model())).toList();
    List<String> curveTasks = curveTasks(middle.model());
    List<Trend> trends = trends(middle.model());
    return new CompareResult(
        plan.preset().key(),
        plan.target(),
        plan.middle(),
        middle.edgeRatio(),
        middle.interval(),
        middle.nodeRatio(),
        middle.nodeInterval(),
        middle.weightRatio(),
        middle.weightInterval(),
        rows,
        cells,
        curve(middle.model(), curveTasks),
        curveTasks,
        common,
        trendTasks,
        trends,
        new CompareLimits(plan, matches).sentences(middle, rows, cells, common, trends),
        seconds);
  }

  private List<String> common() {
    List<CompareCellResult> plotted = models.stream().filter(matches::plotted).toList();
    return plotted.isEmpty()
        ? List.of()
        : plan.tasks().stream()
            .filter(
                task -> plotted.stream().allMatch(m -> m.circuit(task, plan.target()).isPresent()))
            .toList();
  }

  private List<String> trendTasks() {
    List<Map<String, TaskRatio>> all =
        models.stream()
            .filter(model -> model.kind() == Kind.SPARSE && matches.plotted(model))
            .map(matches::ratios)
            .filter(ratios -> !ratios.isEmpty())
            .toList();
    return all.isEmpty()
        ? List.of()
        : plan.tasks().stream()
            .filter(task -> all.stream().allMatch(ratios -> ratios.containsKey(task)))
            .toList();
  }

  private Cell cell(CompareCellResult model, List<String> common, List<String> trendTasks) {
    List<Point> sizes =
        matches.plotted(model)
            ? common.stream().map(task -> model.circuit(task, plan.target()).orElseThrow()).toList()
            : List.of();
    boolean compared = model.kind() == Kind.SPARSE && model.loss() != null;
    Map<String, TaskRatio> ratios = compared ? matches.ratios(model) : Map.of();
    List<Double> edgeRatios = ratios.values().stream().map(TaskRatio::edges).toList();
    List<Double> nodeRatios = ratios.values().stream().map(TaskRatio::nodes).toList();
    List<Double> weightRatios = ratios.values().stream().map(TaskRatio::weights).toList();
    List<Double> trend =
        ratios.keySet().containsAll(trendTasks)
            ? trendTasks.stream().map(task -> ratios.get(task).edges()).toList()
            : List.of();
    return new Cell(
        model,
        (int) matches.done(model),
        mean(sizes, Point::edges).orElse(null),
        mean(sizes, Point::nodes).orElse(null),
        mean(sizes, Point::weights).orElse(null),
        compared ? matches.ladder(plan.target()).place(model.loss()) : null,
        Bootstrap.geometricMean(edgeRatios).orElse(null),
        Bootstrap.geometricInterval(edgeRatios).orElse(null),
        Bootstrap.geometricMean(nodeRatios).orElse(null),
        Bootstrap.geometricInterval(nodeRatios).orElse(null),
        Bootstrap.geometricMean(weightRatios).orElse(null),
        Bootstrap.geometricInterval(weightRatios).orElse(null),
        ratios.size(),
        Bootstrap.geometricMean(trend).orElse(null),
        Bootstrap.geometricInterval(trend).orElse(null));
  }

  private TaskRow row(String task, CompareCellResult model) {
    Optional<Point> own = model.search(task).flatMap(search -> search.at(plan.target()));
    Optional<Pair> around = matches.around(model, plan.target());
    Optional<Size> dense = around.flatMap(pair -> pair.size(task));
    Optional<DenseSize> size =
        dense.map(
            s ->
                new DenseSize(
                    s.nodes(),
                    s.edges(),
                    s.weights(),
                    around.get().below().name(),
                    around.get().above().name(),
                    Math.max(
                        lossFinal(around.get().below(), task),
                        lossFinal(around.get().above(), task))));
    TaskRatio ratio = matches.ratios(model).get(task);
    return new TaskRow(
        task,
        own.orElse(null),
        model.search(task).map(Search::modelLoss).orElse(null),
        size.orElse(null),
        ratio == null ? null : ratio.edges(),
        ratio == null ? null : ratio.nodes(),
        ratio == null ? null : ratio.weights(),
        new CompareReasons(plan, matches).reason(model, task, own, around, dense));
  }

  private double lossFinal(Rung rung, String task) {
    return matches.named(rung.name()).circuit(task, plan.target()).orElseThrow().lossFinal();
  }

  private List<String> curveTasks(CompareCellResult middle) {
    return plan.tasks().stream()
        .filter(
            task ->
                plan.losses().stream()
                    .allMatch(
                        loss ->
                            middle.circuit(task, loss).isPresent()
                                && match(middle, task, loss).isPresent()))
        .toList();
  }

  private Optional<Size> match(CompareCellResult middle, String task, double target) {
    return matches.around(middle, target).flatMap(pair -> pair.size(task));
  }

  private List<CurvePoint> curve(CompareCellResult middle, List<String> tasks) {
    List<CurvePoint> points = new ArrayList<>();
    if (tasks.isEmpty()) {
      return points;
    }
    for (double loss : plan.losses()) {
      List<Point> own = tasks.stream().map(t -> middle.circuit(t, loss).orElseThrow()).toList();
      List<Size> dense = tasks.stream().map(t -> match(middle, t, loss).orElseThrow()).toList();
      points.add(
          new CurvePoint(
              loss,
              mean(own, Point::edges).orElseThrow(),
              mean(dense, Size::edges).orElseThrow(),
              mean(own, Point::nodes).orElseThrow(),
              mean(dense, Size::nodes).orElseThrow(),
              mean(own, Point::weights).orElseThrow(),
              mean(dense, Size::weights).orElseThrow()));
    }
    return points;
  }

  private static <T> Optional<Double> mean(List<T> all, ToDoubleFunction<T> size) {
    return Bootstrap.geometricMean(all.stream().mapToDouble(size).boxed().toList());
  }

  /** From every sparse model to its neighbours, where some task counts in both. */
  private List<Trend> trends(CompareCellResult middle) {
    List<CompareCellResult> sparse =
        models.stream().filter(model -> model.kind() == Kind.SPARSE).toList();
    List<CompareCellResult> grid =
        sparse.stream()
            .filter(model -> model.variant() == null && model.steps() == middle.steps())
            .sorted(
                Comparator.comparingInt(CompareCellResult::width)
                    .thenComparing(CompareCellResult::kept, Comparator.reverseOrder()))
            .toList();
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
    List<CompareCellResult> longer =
        sparse.stream()
            .filter(model -> model.variant() == null && isMiddle(model, middle))
            .sorted(Comparator.comparingLong(CompareCellResult::steps))
            .toList();
    for (CompareCellResult from : longer) {
      next(longer, from, (a, b) -> a.steps() < b.steps())
          .flatMap(to -> trend(Axis.TOKENS, from, to))
          .ifPresent(trends::add);
    }
    sparse.stream()
        .filter(model -> model.variant() != null)
        .forEach(to -> trend(Axis.VARIANT, middle, to).ifPresent(trends::add));
    return trends;
  }

  private static boolean isMiddle(CompareCellResult model, CompareCellResult middle) {
    return model.width() == middle.width() && model.kept().equals(middle.kept());
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
    Map<String, TaskRatio> first = matches.ratios(from);
    Map<String, TaskRatio> second = matches.ratios(to);
    List<Double> changes =
        first.keySet().stream()
            .filter(second::containsKey)
            .map(task -> second.get(task).edges() / first.get(task).edges())
            .toList();
    return Bootstrap.geometricMean(changes)
        .map(
            change ->
                new Trend(
                    axis,
                    from.name(),
                    to.name(),
                    changes.size(),
                    change,
                    changes.size() < CompareLimits.FEW_TASKS
                        ? null
                        : Bootstrap.geometricInterval(changes).orElseThrow()));
  }
}
