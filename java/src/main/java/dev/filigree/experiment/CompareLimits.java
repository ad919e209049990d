// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.experiment.CompareCellResult.Kind;
import dev.filigree.experiment.CompareMatches.TaskRatio;
import dev.filigree.experiment.CompareResult.Axis;
import dev.filigree.experiment.CompareResult.Cell;
import dev.filigree.experiment.CompareResult.Place;
import dev.filigree.experiment.CompareResult.TaskRow;
import dev.filigree.experiment.CompareResult.Trend;
import dev.filigree.experiment.DenseLadder.Pair;
import dev.filigree.experiment.DenseLadder.Rung;
import dev.filigree.experiment.DenseLadder.Size;
import dev.filigree.statistics.Bootstrap;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What keeps a comparison from saying more, in sentences. */
final class CompareLimits {
  /** Fewer values than these resample too much alike for an interval of their mean. */
  static final int FEW_TASKS = 5;

  private final CompareConfig plan;
  private final CompareMatches matches;

  CompareLimits(CompareConfig plan, CompareMatches matches) {
    this.plan = plan;
    this.matches = matches;
  }

  /**
   * Say it.
   *
   * @param middle of the grid
   * @param rows about it, by task
   * @param cells every model
   * @param common tasks that sizes over the grid are over
   * @param trends from model to model
   */
  List<String> sentences(
      Cell middle, List<TaskRow> rows, List<Cell> cells, List<String> common, List<Trend> trends) {
    List<String> limits = new ArrayList<>(ofTasks(middle, rows));
    cells.stream().map(this::ofPlace).flatMap(Optional::stream).forEach(limits::add);
    limits.add(ofGrid(cells, common));
    limits.addAll(ofTrends(trends));
    for (String name : plan.withoutRoom()) {
      limits.add(name + " is not there: it would keep more weights than its matrices have.");
    }
    finals(rows).ifPresent(limits::add);
    limits.add(
        "Learning rates are fixed, not searched for each model: %s."
            .formatted(
                Stream.of(Kind.SPARSE, Kind.DENSE)
                    .map(kind -> kind.name().toLowerCase(Locale.ROOT) + " " + rates(kind))
                    .collect(Collectors.joining(", "))));
    return limits;
  }

  /** How many tasks there are to tell from, and which. */
  private List<String> ofTasks(Cell middle, List<TaskRow> rows) {
    List<String> limits = new ArrayList<>();
    int counted = middle.counted();
    limits.add(
        "%d of %d tasks count: %s."
            .formatted(
                counted,
                rows.size(),
                counted == rows.size() ? "all" : "the table says why the others do not"));
    if (counted > 0 && counted < FEW_TASKS) {
      limits.add(
          "With fewer than %d tasks an interval from resampling is too narrow: it cannot be wider"
                  .formatted(FEW_TASKS)
              + " than what was found.");
    }
    againstTheBetter(middle.model(), counted).ifPresent(limits::add);
    limits.add(
        "The interval is over tasks alone: every model has one seed, and so has every search.");
    return limits;
  }

  /** Tasks that the worse of two dense neighbours does not do count against the better alone. */
  private Optional<String> againstTheBetter(CompareCellResult model, int counted) {
    Optional<Rung> better = matches.around(model, plan.target()).map(Pair::below);
    if (better.isEmpty()) {
      return Optional.empty();
    }
    List<Double> ratios = new ArrayList<>();
    for (String task : plan.tasks()) {
      Size dense = better.get().sizes().get(task);
      model
          .circuit(task, plan.target())
          .filter(_ -> dense != null)
          .ifPresent(own -> ratios.add(TaskRatio.of(dense, own).edges()));
    }
    return ratios.size() <= counted
        ? Optional.empty()
        : Bootstrap.geometricMean(ratios)
            .map(
                ratio ->
                    ("Against %s alone, which predicts better (%.3f, not %.3f), the ratio is"
                            + " %.1f over %d tasks: those too that the worse dense model does not"
                            + " do.")
                        .formatted(
                            better.get().name(),
                            better.get().loss(),
                            model.loss(),
                            ratio,
                            ratios.size()));
  }

  /** Why a model has no ratio, where it has none. */
  private Optional<String> ofPlace(Cell cell) {
    String name = cell.model().name();
    if (cell.model().diverged() != null) {
      return Optional.of("%s has diverged: %s.".formatted(name, cell.model().diverged()));
    }
    if (cell.place() == Place.ABOVE || cell.place() == Place.BELOW) {
      boolean worse = cell.place() == Place.ABOVE;
      return Optional.of(
          ("%s, loss %.3f, predicts %s than every dense model, so it has no match; %s dense model"
                  + " would give one.")
              .formatted(
                  name,
                  cell.model().loss(),
                  worse ? "worse" : "better",
                  worse ? "a narrower" : "a wider"));
    }
    return cell.place() == Place.EMPTY
        ? Optional.of(name + " has no match: there is no dense model.")
        : Optional.empty();
  }

  private static String ofGrid(List<Cell> cells, List<String> common) {
    if (common.isEmpty()) {
      return "No task is done by all models that do half as many as the best, so there is nothing"
          + " to draw over the grid.";
    }
    boolean leftOut =
        cells.stream().anyMatch(cell -> cell.edges() == null && cell.model().loss() != null);
    return "Sizes over the grid are over the %d tasks that all its models do%s."
        .formatted(
            common.size(),
            leftOut ? "; models that do fewer than half as many as the best are left out" : "");
  }

  private List<String> ofTrends(List<Trend> trends) {
    List<String> limits = new ArrayList<>();
    long few = trends.stream().filter(trend -> trend.tasks() < FEW_TASKS).count();
    if (few > 0) {
      limits.add(
          "%d of the %d changes of the ratio are over fewer than %d tasks, too few for an interval."
              .formatted(few, trends.size(), FEW_TASKS));
    }
    if (trends.stream().anyMatch(trend -> trend.axis() == Axis.TOKENS)) {
      limits.add(
          "A sparse model that saw fewer tokens is compared with dense ones of its loss that saw"
              + " all of them.");
    }
    return limits;
  }

  private String rates(Kind kind) {
    return plan.cells().stream()
        .filter(cell -> cell.kind() == kind)
        .map(cell -> String.valueOf(cell.config().train().lr()))
        .distinct()
        .collect(Collectors.joining(" and "));
  }

  /** What is left of the ratio when circuits have to reach the loss on final examples too. */
  private Optional<String> finals(List<TaskRow> rows) {
    List<TaskRow> counted = rows.stream().filter(row -> row.reason() == null).toList();
    List<TaskRow> sparse =
        counted.stream().filter(row -> row.sparse().lossFinal() <= plan.target()).toList();
    long dense = counted.stream().filter(row -> row.dense().lossFinal() <= plan.target()).count();
    if (sparse.size() == counted.size() && dense == counted.size()) {
      return Optional.empty();
    }
    List<Double> both =
        sparse.stream()
            .filter(row -> row.dense().lossFinal() <= plan.target())
            .map(TaskRow::edgeRatio)
            .toList();
    return Optional.of(
        "Circuits are chosen on validation examples; on final ones, %d of %d sparse ones are above"
                .formatted(counted.size() - sparse.size(), counted.size())
            + " %s, and a dense one is for %s. %s"
                .formatted(
                    plan.target(),
                    counted.size() - dense == 1
                        ? "1 task"
                        : "%d tasks".formatted(counted.size() - dense),
                    Bootstrap.geometricMean(both)
                        .map(
                            ratio ->
                                "Over the others, %d, the ratio is %.1f."
                                    .formatted(both.size(), ratio))
                        .orElse("No task is left.")));
  }
}
