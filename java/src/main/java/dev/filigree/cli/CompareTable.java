// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import dev.filigree.experiment.CompareResult;
import dev.filigree.experiment.CompareResult.Cell;
import dev.filigree.experiment.CompareResult.CurvePoint;
import dev.filigree.experiment.CompareResult.TaskRow;
import dev.filigree.experiment.CompareResult.Trend;
import java.util.List;
import org.apache.commons.text.WordUtils;

/** Writes the comparison of a grid as text. */
final class CompareTable {
  /** Columns, at most. */
  private static final int WIDTH = 100;

  private static final String MODEL = "%-30s %6s %7s %9s %5s %5s %5s %7s  %s%n";
  private static final String TASK = "%-26s %6s %5s %5s %7s %5s %5s %7s  %s%n";
  private static final String TREND = "%-30s %-30s %5s  %s%n";

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
    text.append(
        TASK.formatted("", "whole", "", "", "", "dense", "", "", "dense / sparse edges, weights"));
    text.append(
        TASK.formatted(
            "task", "model", "nodes", "edges", "weights", "nodes", "edges", "weights", ""));
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
          .append(TREND.formatted("from", "to", "tasks", "change of the ratio of edges"));
      result.trends().forEach(trend -> text.append(line(trend)));
    }
    text.append('\n');
    for (String limit : result.limits()) {
      text.append("- ").append(WordUtils.wrap(limit, WIDTH - 2, "\n  ", false)).append('\n');
    }
    text.append('\n').append(headline(result)).append('\n');
    text.append("Took %s of work.%n".formatted(ConsoleProgress.time(result.seconds())));
    return text.toString();
  }

  private static String headline(CompareResult result) {
    if (result.edgeRatio() == null) {
      return "No ratio: no task counts.";
    }
    return """
    At a loss of %s a dense circuit has
      %s the edges%s,
      %s the nodes%s,
      %s the weights between its nodes%s, which the published method counts as edges.\
    """
        .formatted(
            result.target(),
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
        cell.model().loss() == null ? "" : "%.3f".formatted(cell.model().loss()),
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
        trend.tasks(),
        "%.2fx%s"
            .formatted(
                trend.change(),
                trend.interval() == null
                    ? ""
                    : " (95%%: %.2f to %.2f)"
                        .formatted(trend.interval().getFirst(), trend.interval().getLast())));
  }

  private static String line(TaskRow row) {
    return TASK.formatted(
        row.task(),
        row.modelLoss() == null ? "" : "%.3f".formatted(row.modelLoss()),
        row.sparse() == null ? "" : "%,d".formatted(row.sparse().nodes()),
        row.sparse() == null ? "" : "%,d".formatted(row.sparse().edges()),
        row.sparse() == null ? "" : "%,d".formatted(row.sparse().weights()),
        row.dense() == null ? "" : whole(row.dense().nodes()),
        row.dense() == null ? "" : whole(row.dense().edges()),
        row.dense() == null ? "" : whole(row.dense().weights()),
        row.reason() == null
            ? ratio(row.edgeRatio()) + ", " + ratio(row.weightRatio())
            : row.reason());
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
