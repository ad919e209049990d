// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import dev.filigree.experiment.CompareCellResult.Search;
import dev.filigree.experiment.CompareResult;
import dev.filigree.experiment.CompareResult.Cell;
import dev.filigree.experiment.CompareResult.Change;
import dev.filigree.experiment.CompareResult.CurvePoint;
import dev.filigree.experiment.CompareResult.DenseSide;
import dev.filigree.experiment.CompareResult.Neighbour;
import dev.filigree.experiment.CompareResult.TaskRow;
import dev.filigree.experiment.CompareResult.Trend;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.commons.text.WordUtils;

/** Writes the comparison of a grid as text. */
final class CompareTable {
  /** Columns, at most. */
  private static final int WIDTH = 100;

  private static final String MODEL = "%-30s %6s %7s %9s %5s %5s %5s %7s  %s%n";
  private static final String TASK = "%-26s %6s %5s %5s %7s  %6s %6s  %6s %6s  %7s  %s%n";
  private static final String TREND = "%-30s %-30s %7s  %-30s  %s%n";

  private CompareTable() {}

  static String of(CompareResult result) {
    StringBuilder text = new StringBuilder();
    text.append(
        MODEL.formatted(
            "",
            "loss",
            "tokens",
            "nonzeros",
            "tasks",
            "nodes",
            "edges",
            "weights",
            "dense / sparse edges"));
    result.cells().forEach(cell -> text.append(line(cell)));
    text.append("%n%s against a dense model of its loss%n".formatted(result.middle()));
    text.append(heading(result.neighbours()));
    result.tasks().forEach(row -> text.append(line(row)));
    if (!result.curve().isEmpty()) {
      text.append(
          "%nedges against loss, geometric means over %d tasks%n"
              .formatted(result.curveTasks().size()));
      for (CurvePoint point : result.curve()) {
        text.append(
            "  loss %-6s edges: sparse %,7.0f  dense %,7.0f  %6s   weights: %,7.0f %,7.0f  %6s%n"
                .formatted(
                    point.target(),
                    point.sparseEdges(),
                    point.denseEdges(),
                    ratio(point.denseEdges() / point.sparseEdges()),
                    point.sparseWeights(),
                    point.denseWeights(),
                    ratio(point.denseWeights() / point.sparseWeights())));
      }
    }
    if (!result.trends().isEmpty()) {
      text.append('\n')
          .append(TREND.formatted("change from", "to", "loss", "sparse edges", "ratio of edges"));
      result.trends().forEach(trend -> text.append(line(trend)));
    }
    text.append('\n');
    for (String limit : result.limits()) {
      text.append("- ").append(WordUtils.wrap(limit, WIDTH - 2, "\n  ", false)).append('\n');
    }
    text.append('\n').append(headline(result)).append('\n');
    text.append(
        "Trained by the sources of %s, searched by those of %s; %s of work.%n"
            .formatted(
                commits(result.cells().stream().map(cell -> cell.model().git())),
                commits(
                    result.cells().stream()
                        .flatMap(cell -> cell.model().searches().stream())
                        .map(Search::git)),
                ConsoleProgress.time(result.seconds())));
    return text.toString();
  }

  /** Each commit once, short. */
  private static String commits(Stream<String> names) {
    return names
        .map(name -> name == null ? "an unknown commit" : name.replaceFirst("^(\\w{7})\\w*", "$1"))
        .distinct()
        .collect(Collectors.joining(", "));
  }

  /** Two lines over the tasks: what belongs to which model, and what it is. */
  private static String heading(List<Neighbour> neighbours) {
    List<String> names = neighbours.stream().map(Neighbour::model).toList();
    String below = names.isEmpty() ? "" : names.getFirst();
    String above = names.isEmpty() ? "" : names.getLast();
    return "%-26s %-26s  %13s  %13s  %7s  %s%n"
            .formatted("", "sparse", below, above, "between", "dense / sparse")
        + TASK.formatted(
            "task",
            "model",
            "nodes",
            "edges",
            "weights",
            "model",
            "edges",
            "model",
            "edges",
            "edges",
            "edges, weights");
  }

  private static String headline(CompareResult result) {
    if (result.edgeRatio() == null) {
      return result.neighbours().isEmpty()
          ? "No ratio: the loss of %s lies outside of the dense ladder.".formatted(result.middle())
          : "No ratio: no task counts.";
    }
    return """
    At a loss of %s a dense circuit has, over %d tasks,
      %s the edges%s,
      %s the nodes%s,
      %s the weights between its nodes%s: the published method's edges, of circuits that are
        made small in others.\
    """
        .formatted(
            result.target(),
            result.tasks().stream().filter(row -> row.reason() == null).count(),
            ratio(result.edgeRatio()),
            interval(result.interval()),
            ratio(result.nodeRatio()),
            interval(result.nodeInterval()),
            ratio(result.weightRatio()),
            interval(result.weightInterval()));
  }

  private static String line(Cell cell) {
    String ratio;
    if (cell.model().diverged() != null) {
      ratio = "diverged";
    } else if (cell.place() == null) {
      ratio = "";
    } else if (cell.edgeRatio() != null) {
      ratio =
          "%s%s over %d"
              .formatted(ratio(cell.edgeRatio()), interval(cell.interval()), cell.counted());
    } else {
      ratio =
          switch (cell.place()) {
            case INSIDE -> "no task in common";
            case ABOVE, BELOW -> "outside of the ladder";
            case EMPTY -> "no ladder";
          };
    }
    return MODEL.formatted(
        cell.model().name(),
        loss(cell.model().loss()),
        ConsoleProgress.compact(cell.model().tokens()),
        "%,d".formatted(cell.model().nonzeros()),
        cell.done(),
        whole(cell.nodes()),
        whole(cell.edges()),
        whole(cell.weights()),
        ratio);
  }

  private static String line(Trend trend) {
    return TREND.formatted(
        trend.from(),
        trend.to(),
        "%+.3f".formatted(trend.loss()),
        change(trend.edges()),
        trend.ratio() == null ? "" : change(trend.ratio()));
  }

  private static String change(Change change) {
    return "%.2fx%s over %d"
        .formatted(
            change.factor(),
            change.interval() == null
                ? ""
                : " (%.2f to %.2f)"
                    .formatted(change.interval().getFirst(), change.interval().getLast()),
            change.tasks());
  }

  private static String line(TaskRow row) {
    return TASK.formatted(
        row.task(),
        loss(row.modelLoss()),
        row.sparse() == null ? "" : "%,d".formatted(row.sparse().nodes()),
        row.sparse() == null ? "" : "%,d".formatted(row.sparse().edges()),
        row.sparse() == null ? "" : "%,d".formatted(row.sparse().weights()),
        row.below() == null ? "" : loss(row.below().modelLoss()),
        edges(row.below()),
        row.above() == null ? "" : loss(row.above().modelLoss()),
        edges(row.above()),
        row.dense() == null ? "" : whole(row.dense().edges()),
        row.reason() == null
            ? ratio(row.edgeRatio()) + ", " + ratio(row.weightRatio())
            : row.reason());
  }

  private static String loss(Double value) {
    return value == null ? "" : "%.3f".formatted(value);
  }

  private static String edges(DenseSide side) {
    return side == null || side.circuit() == null ? "" : "%,d".formatted(side.circuit().edges());
  }

  private static String whole(Double value) {
    return value == null ? "" : "%,.0f".formatted(value);
  }

  private static String ratio(double value) {
    return "%.1fx".formatted(value);
  }

  private static String interval(List<Double> interval) {
    return interval == null
        ? ""
        : " (95%%: %.1f to %.1f)".formatted(interval.getFirst(), interval.getLast());
  }
}
