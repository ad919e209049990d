// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.experiment.CompareCellResult.Kind;
import dev.filigree.experiment.CompareMatches.TaskRatio;
import dev.filigree.experiment.CompareResult.Cell;
import dev.filigree.experiment.CompareResult.Neighbour;
import dev.filigree.experiment.CompareResult.Place;
import dev.filigree.experiment.CompareResult.TaskRow;
import dev.filigree.experiment.CompareResult.Trend;
import dev.filigree.experiment.DenseLadder.Pair;
import dev.filigree.experiment.DenseLadder.Rung;
import dev.filigree.statistics.Bootstrap;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What keeps a comparison from saying more, in sentences. */
final class CompareLimits {
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
      limits.add(name + " is not there: it would keep more weights than its tensors have.");
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
    if (counted > 0 && counted < Bootstrap.FEWEST) {
      limits.add(
          ("Over fewer than %d tasks there is no interval: resampling cannot make one that is wide"
                  + " enough.")
              .formatted(Bootstrap.FEWEST));
    }
    betweenNeighbours(middle).ifPresent(limits::add);
    limits.addAll(againstOne(middle));
    byCorpus(middle.model()).ifPresent(limits::add);
    limits.add(
        "The interval is over tasks alone: every model has one seed, and so has every search.");
    return limits;
  }

  /** How much hangs on where the loss falls between two dense models. */
  private static Optional<String> betweenNeighbours(Cell middle) {
    List<Neighbour> neighbours = middle.neighbours();
    if (neighbours.size() < 2 || neighbours.getFirst().edgeRatio() == null) {
      return Optional.empty();
    }
    String each =
        neighbours.stream()
            .map(
                dense ->
                    "%.1f against %s alone, loss %.3f"
                        .formatted(dense.edgeRatio(), dense.model(), dense.loss()))
            .collect(Collectors.joining(", and "));
    return Optional.of(
        "The ratio lies between those to two dense models, by where the loss of %s, %.3f, falls: over"
                .formatted(middle.model().name(), middle.model().loss())
            + " the same tasks it is %s.".formatted(each));
  }

  /** Tasks that one of two dense neighbours alone does count against that one. */
  private List<String> againstOne(Cell middle) {
    List<String> sentences = new ArrayList<>();
    List<Rung> rungs = matches.rungs(middle.model());
    for (Rung rung : rungs) {
      List<Double> ratios =
          plan.tasks().stream()
              .map(task -> matches.ratio(middle.model(), rung, task))
              .flatMap(Optional::stream)
              .map(TaskRatio::edges)
              .toList();
      if (ratios.size() > middle.counted()) {
        sentences.add(
            ("Against %s alone the ratio is %.1f over %d tasks: those too that the other dense"
                    + " model does not do.")
                .formatted(
                    rung.name(), Bootstrap.geometricMean(ratios).orElseThrow(), ratios.size()));
      }
    }
    return sentences;
  }

  /** The loss that is matched is that of the mix. */
  private Optional<String> byCorpus(CompareCellResult middle) {
    Optional<Pair> around = matches.around(middle, plan.target());
    if (around.isEmpty() || middle.lossByCorpus().size() < 2) {
      return Optional.empty();
    }
    Pair pair = around.get();
    Map<String, Double> below = matches.named(pair.below().name()).lossByCorpus();
    Map<String, Double> above = matches.named(pair.above().name()).lossByCorpus();
    String each =
        middle.lossByCorpus().entrySet().stream()
            .map(
                own ->
                    "%s %.3f and %.3f"
                        .formatted(
                            own.getKey(),
                            own.getValue(),
                            (1 - pair.weight()) * below.get(own.getKey())
                                + pair.weight() * above.get(own.getKey())))
            .collect(Collectors.joining(", "));
    return Optional.of(
        "Losses are matched over the whole held-out text; by corpus the sparse model and the dense"
            + " ones in between have %s.".formatted(each));
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

  private String ofGrid(List<Cell> cells, List<String> common) {
    if (common.isEmpty()) {
      return "No task is done by all models that do half as many as the best, so there is nothing"
          + " to draw over the grid.";
    }
    boolean leftOut =
        cells.stream()
            .map(Cell::model)
            .anyMatch(
                model -> matches.inGrid(model) && model.loss() != null && !matches.plotted(model));
    return "Sizes over the grid are over the %d tasks that all its models do%s."
        .formatted(
            common.size(),
            leftOut ? "; left out are those that do fewer than half as many as the best" : "");
  }

  private static List<String> ofTrends(List<Trend> trends) {
    long intervals =
        trends.stream()
            .flatMap(trend -> Stream.of(trend.edges(), trend.ratio()))
            .filter(change -> change != null && change.interval() != null)
            .count();
    return intervals == 0
        ? List.of()
        : List.of(
            "Of intervals of changes, here %d, one in twenty leaves out the truth by chance."
                .formatted(intervals));
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
