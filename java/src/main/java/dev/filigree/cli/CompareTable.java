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
import dev.filigree.experiment.RunConfig.Setting;
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
            "dense / sparse edges (95%), tasks; against one alone"));
    result.cells().forEach(cell -> text.append(line(cell)));
    text.append("%n%s against a dense model of its loss%n".formatted(result.middle()));
    text.append(heading(result.neighbours()));
    result.tasks().forEach(row -> text.append(line(row)));
    text.append('\n');
    for (TaskRow row : result.tasks()) {
      if (row.reason() != null) {
        text.append(wrapped(row.task() + ": " + row.reason()));
      }
    }
    if (!result.curve().isEmpty()) {
      text.append(
          "%nedges against loss, geometric means over %d tasks%n"
              .formatted(result.curveTasks().size()));
      for (CurvePoint point : result.curve()) {
        text.append(
            ("  loss %-6s edges: sparse %,7.0f  dense %,7.0f  %6s   weights: sparse %,7.0f  dense"
                    + " %,7.0f  %6s%n")
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
    result.limits().forEach(limit -> text.append(wrapped(limit)));
    text.append('\n').append(headline(result)).append('\n');
    String made =
        "%s. Trained by the sources of %s, searched by those of %s; %s of work."
            .formatted(
                preset(result),
                commits(result.cells().stream().map(cell -> cell.model().git())),
                commits(
                    result.cells().stream()
                        .flatMap(cell -> cell.model().searches().stream())
                        .map(Search::git)),
                ConsoleProgress.time(result.seconds()));
    text.append(WordUtils.wrap(made, WIDTH, "\n", false)).append('\n');
    return text.toString();
  }

  /** A point of a list. */
  private static String wrapped(String sentence) {
    return "- " + WordUtils.wrap(sentence, WIDTH - 2, "\n  ", false) + "\n";
  }

  /** It, and what it was changed by. */
  private static String preset(CompareResult result) {
    String sparse = settings(result.settings());
    String dense = settings(result.plan().dense());
    return "Preset "
        + result.plan().preset().key()
        + (sparse.isEmpty() ? "" : " with " + sparse)
        + (dense.isEmpty() ? "" : ", its dense models with " + dense);
  }

  private static String settings(List<Setting> settings) {
    return settings.stream()
        .map(setting -> setting.key() + "=" + setting.value())
        .collect(Collectors.joining(", "));
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
      return "No ratio: " + result.noRatio() + ".";
    }
    long counted = result.tasks().stream().filter(row -> row.reason() == null).count();
    String sizes =
        """
        At a loss of %s a dense circuit has, over %d task%s,
          %s the edges%s,
          %s the nodes%s\
        """
            .formatted(
                result.plan().target(),
                counted,
                counted == 1 ? "" : "s",
                ratio(result.edgeRatio()),
                interval(result.interval()),
                ratio(result.nodeRatio()),
                interval(result.nodeInterval()));
    return sizes
        + (result.plan().base().prune().choosesEdges()
            ? """
            ,
              %s the weights between its nodes%s. The published method counts those as edges, in
              circuits that are made small in nodes; here they are made small in edges.\
            """
                .formatted(ratio(result.weightRatio()), interval(result.weightInterval()))
            : """
            .
            As in the published method circuits are made small in nodes, and every weight between
            two of them is an edge.\
            """);
  }

  private static String line(Cell cell) {
    String ratio;
    if (cell.model().diverged() != null) {
      ratio = "diverged";
    } else if (cell.place() == null) {
      ratio = "";
    } else if (cell.edgeRatio() != null) {
      ratio =
          "%s%s, %d%s"
              .formatted(
                  ratio(cell.edgeRatio()),
                  cell.interval() == null
                      ? ""
                      : " (%.1f to %.1f)"
                          .formatted(cell.interval().getFirst(), cell.interval().getLast()),
                  cell.counted(),
                  cell.neighbours().stream()
                      .map(one -> "; %s %s".formatted(one.model(), ratio(one.edgeRatio())))
                      .collect(Collectors.joining()));
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
        row.reason() == null ? ratio(row.edgeRatio()) + ", " + ratio(row.weightRatio()) : "");
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
