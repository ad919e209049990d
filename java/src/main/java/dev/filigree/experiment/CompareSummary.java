// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.experiment.CompareCellResult.Kind;
import dev.filigree.experiment.CompareCellResult.Point;
import dev.filigree.experiment.CompareCellResult.Search;
import dev.filigree.experiment.CompareMatches.TaskRatio;
import dev.filigree.experiment.CompareResult.Cell;
import dev.filigree.experiment.CompareResult.CurvePoint;
import dev.filigree.experiment.CompareResult.DenseSide;
import dev.filigree.experiment.CompareResult.DenseSize;
import dev.filigree.experiment.CompareResult.Neighbour;
import dev.filigree.experiment.CompareResult.TaskRow;
import dev.filigree.experiment.CompareResult.Trend;
import dev.filigree.experiment.DenseLadder.Pair;
import dev.filigree.experiment.DenseLadder.Rung;
import dev.filigree.experiment.DenseLadder.Size;
import dev.filigree.statistics.Bootstrap;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
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
    List<Cell> cells = models.stream().map(model -> cell(model, common)).toList();
    Cell middle =
        cells.stream()
            .filter(cell -> cell.model().name().equals(plan.middle()))
            .findFirst()
            .orElseThrow();
    List<TaskRow> rows = plan.tasks().stream().map(task -> row(task, middle.model())).toList();
    List<String> curveTasks = curveTasks(middle.model());
    CompareTrends moves = new CompareTrends(plan, models, matches);
    List<Trend> trends = moves.changes();
    return new CompareResult(
        plan,
        plan.settings(),
        plan.middle(),
        noRatio(middle),
        middle.edgeRatio(),
        middle.interval(),
        middle.nodeRatio(),
        middle.nodeInterval(),
        middle.weightRatio(),
        middle.weightInterval(),
        middle.neighbours(),
        rows,
        cells,
        curve(middle.model(), curveTasks),
        curveTasks,
        common,
        moves.ofGrid(),
        moves.ofTokens(),
        moves.ofVariants(),
        trends,
        new CompareLimits(plan, matches).sentences(middle, rows, cells, common, trends),
        seconds);
  }

  /** Why there is no ratio; null where there is one. */
  private String noRatio(Cell middle) {
    if (middle.edgeRatio() != null) {
      return null;
    }
    String name = plan.middle();
    if (middle.model().diverged() != null) {
      return name + " has diverged";
    }
    return switch (middle.place()) {
      case INSIDE -> "no task counts";
      case ABOVE, BELOW -> "the loss of " + name + " lies outside of the dense ladder";
      case EMPTY -> "there is no dense model";
    };
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

  /** The dense models around a sparse one, each against it alone over the tasks that count. */
  private List<Neighbour> neighbours(CompareCellResult sparse) {
    List<Neighbour> neighbours = new ArrayList<>();
    for (Rung rung : matches.rungs(sparse)) {
      List<Double> ratios =
          matches.ratios(sparse).keySet().stream()
              .map(task -> matches.ratio(sparse, rung, task).orElseThrow().edges())
              .toList();
      neighbours.add(
          new Neighbour(rung.name(), rung.loss(), Bootstrap.geometricMean(ratios).orElse(null)));
    }
    return neighbours;
  }

  private Cell cell(CompareCellResult model, List<String> common) {
    List<Point> sizes =
        matches.plotted(model)
            ? common.stream().map(task -> model.circuit(task, plan.target()).orElseThrow()).toList()
            : List.of();
    boolean compared = model.kind() == Kind.SPARSE && model.loss() != null;
    Map<String, TaskRatio> ratios = compared ? matches.ratios(model) : Map.of();
    List<Double> edgeRatios = ratios.values().stream().map(TaskRatio::edges).toList();
    List<Double> nodeRatios = ratios.values().stream().map(TaskRatio::nodes).toList();
    List<Double> weightRatios = ratios.values().stream().map(TaskRatio::weights).toList();
    return new Cell(
        model,
        (int) matches.done(model),
        mean(sizes, Point::edges).orElse(null),
        mean(sizes, Point::nodes).orElse(null),
        mean(sizes, Point::weights).orElse(null),
        compared ? matches.ladder(model, plan.target()).place(model.loss()) : null,
        Bootstrap.geometricMean(edgeRatios).orElse(null),
        Bootstrap.geometricInterval(edgeRatios).orElse(null),
        Bootstrap.geometricMean(nodeRatios).orElse(null),
        Bootstrap.geometricInterval(nodeRatios).orElse(null),
        Bootstrap.geometricMean(weightRatios).orElse(null),
        Bootstrap.geometricInterval(weightRatios).orElse(null),
        ratios.size(),
        compared ? neighbours(model) : List.of());
  }

  private TaskRow row(String task, CompareCellResult model) {
    Optional<Point> own = model.search(task).flatMap(search -> search.at(plan.target()));
    Optional<Pair> around = matches.around(model, plan.target());
    Optional<Size> dense = around.flatMap(pair -> pair.size(task));
    DenseSide below = around.map(pair -> side(pair.below(), task)).orElse(null);
    DenseSide above = around.map(pair -> side(pair.above(), task)).orElse(null);
    Optional<DenseSize> size =
        dense.map(
            s ->
                new DenseSize(
                    s.nodes(),
                    s.edges(),
                    s.weights(),
                    Math.max(below.circuit().lossFinal(), above.circuit().lossFinal())));
    TaskRatio ratio = matches.ratios(model).get(task);
    return new TaskRow(
        task,
        own.orElse(null),
        model.search(task).map(Search::modelLoss).orElse(null),
        below,
        above,
        size.orElse(null),
        ratio == null ? null : ratio.edges(),
        ratio == null ? null : ratio.nodes(),
        ratio == null ? null : ratio.weights(),
        new CompareReasons(plan, matches).reason(model, task, own, around, dense));
  }

  private DenseSide side(Rung rung, String task) {
    CompareCellResult model = matches.named(rung.name());
    return new DenseSide(
        rung.name(),
        model.search(task).map(Search::modelLoss).orElse(null),
        model.circuit(task, plan.target()).orElse(null));
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
}
