// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.experiment.CompareCellResult.Kind;
import dev.filigree.experiment.CompareCellResult.Outcome;
import dev.filigree.experiment.CompareCellResult.Point;
import dev.filigree.experiment.CompareCellResult.Search;
import dev.filigree.experiment.CompareConfig.Variant;
import dev.filigree.experiment.RunConfig.Setting;
import dev.filigree.json.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;

/** A comparison of made-up models: its shapes are right, its numbers are drawn around a trend. */
public final class SampleCells {
  /** Folder of the run that the headline is about, below that of the comparison. */
  public static final String MIDDLE_RUN = "cells/sparse-128-000000000000";

  private static final String COMMIT = "0123456789abcdef0123456789abcdef01234567";

  private SampleCells() {}

  /**
   * Write compare.json.
   *
   * @param task name of the last task
   * @param variant name of one that diverged
   */
  public static void write(Path folder, String task, String variant) throws IOException {
    CompareConfig usual =
        CompareConfig.of(
            Presets.TINY,
            Presets.TINY.config(),
            List.of(
                "single_double_quote",
                "bracket_counting",
                "for_while",
                "if_equals",
                "set_or_string",
                task));
    CompareConfig plan =
        new CompareConfig(
            usual.preset(),
            usual.base(),
            usual.widths(),
            usual.kept(),
            usual.denseWidths(),
            List.of(6000L, 3000L, 1500L),
            usual.tasks(),
            usual.target(),
            usual.curve(),
            usual.dense(),
            List.of(
                Variant.parse("revive:train.sparsity.revive.every=200"),
                new Variant(variant, List.of(Setting.parse("train.lr=9")))));
    List<CompareCellResult> models = plan.cells().stream().map(c -> cell(plan, c)).toList();
    Files.writeString(
        folder.resolve(CompareRun.FILE), Json.write(CompareResult.of(plan, models, 8_300)));
  }

  private static CompareCellResult cell(CompareConfig plan, CompareCell cell) {
    boolean diverged = cell.variant() != null && !cell.variant().equals("revive");
    boolean dense = cell.kind() == Kind.DENSE;
    double width = Math.log(cell.width() / 128.0) / Math.log(2);
    double kept = dense ? 0 : Math.log(cell.kept() * 16) / Math.log(2);
    double more = Math.log(cell.steps() / 6000.0) / Math.log(2);
    double loss =
        (dense ? 2.35 - 0.22 * width : 2.76 - 0.13 * width - 0.1 * kept)
            - 0.09 * more
            - (cell.variant() == null ? 0 : 0.02);
    List<Search> searches = new ArrayList<>();
    for (int i = 0; i < plan.tasks().size() && !diverged; i++) {
      double size = (dense ? 6.4 + 0.1 * width : 3.7 - 0.35 * width + 0.45 * kept) + 0.4 * i;
      searches.add(search(plan, cell, plan.tasks().get(i), size));
    }
    return new CompareCellResult(
        cell.name(),
        cell.kind(),
        cell.width(),
        cell.kept(),
        cell.steps(),
        cell.variant(),
        cell.name().equals(plan.middle()) ? MIDDLE_RUN : "cells/" + cell.name(),
        COMMIT,
        diverged ? "the gradient is not finite at step 12" : null,
        2048 * cell.steps(),
        diverged ? null : Double.valueOf(loss),
        diverged ? Map.of() : new TreeMap<>(Map.of("stdlib", loss + 0.7, "tinypython", loss - 0.3)),
        Math.round((dense ? 12 * cell.width() * cell.width() : 95_440) * Math.pow(2, kept)),
        340,
        searches);
  }

  private static Search search(CompareConfig plan, CompareCell cell, String task, double size) {
    if (task.equals("set_or_string")) {
      return new Search(task, Outcome.NOT_LEARNT, 0.62, 0.6, 1, COMMIT, List.of());
    }
    if (task.equals("if_equals") && cell.kind() == Kind.DENSE && cell.width() < 32) {
      return new Search(task, Outcome.NOT_LEARNT, 0.31, 0.4, 1, COMMIT, List.of());
    }
    SplittableRandom random = new SplittableRandom((cell.name() + task).hashCode());
    List<Point> points = new ArrayList<>();
    for (double target : plan.losses()) {
      double edges = Math.exp(size + 0.5 * Math.log(0.15 / target) + 0.2 * random.nextGaussian());
      points.add(
          new Point(
              target,
              true,
              (int) Math.round(3 * Math.sqrt(edges)),
              (int) Math.round(edges),
              (int) Math.round(1.3 * edges),
              (int) Math.round(1.6 * edges),
              target - 0.002,
              target * 1.1));
    }
    return new Search(task, Outcome.SEARCHED, 0.03, 0.04, 6, COMMIT, points);
  }
}
