// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.filigree.experiment.CompareCellResult.Kind;
import dev.filigree.experiment.CompareCellResult.Outcome;
import dev.filigree.experiment.CompareCellResult.Point;
import dev.filigree.experiment.CompareCellResult.Search;
import dev.filigree.experiment.CompareConfig.Variant;
import dev.filigree.experiment.CompareResult.Axis;
import dev.filigree.experiment.CompareResult.Cell;
import dev.filigree.experiment.CompareResult.Change;
import dev.filigree.experiment.CompareResult.CurvePoint;
import dev.filigree.experiment.CompareResult.Neighbour;
import dev.filigree.experiment.CompareResult.Place;
import dev.filigree.experiment.CompareResult.RatioPoint;
import dev.filigree.experiment.CompareResult.TaskRow;
import dev.filigree.experiment.CompareResult.Trend;
import dev.filigree.experiment.RunConfig.Setting;
import dev.filigree.json.Json;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Ratios of made-up circuits, worked out by hand. */
class CompareResultTest {
  private static final double TARGET = 0.15;
  private static final List<String> TASKS = List.of("a", "b", "c");
  private static final CompareConfig PLAN =
      new CompareConfig(
          Presets.TINY,
          Presets.TINY.config(),
          List.of(128),
          List.of(1.0 / 16, 1.0 / 32),
          List.of(16, 32),
          List.of(6000L),
          TASKS,
          TARGET,
          List.of(0.4),
          List.of(),
          List.of());

  private static final String MIDDLE = "sparse 128, 1/16";
  private static final String SPARSER = "sparse 128, 1/32";

  /** A circuit that reaches its loss; at 0.4 with half the edges. */
  private static Search found(String task, int nodes, int edges) {
    return found(task, nodes, edges, 0.16);
  }

  private static Search found(String task, int nodes, int edges, double lossFinal) {
    return new Search(
        task,
        Outcome.SEARCHED,
        0.05,
        0.06,
        1,
        "c0ffee",
        List.of(
            new Point(TARGET, true, nodes, edges, weights(edges), 2 * edges, 0.14, lossFinal),
            new Point(0.4, true, nodes / 2, edges / 2, weights(edges / 2), edges, 0.39, 0.41)));
  }

  /** The larger a circuit, the more weights between its nodes are not used. */
  private static int weights(int edges) {
    return edges * edges;
  }

  private static Search notLearnt(String task) {
    return new Search(task, Outcome.NOT_LEARNT, 0.6, 0.6, 0, "c0ffee", List.of());
  }

  private static CompareCellResult dense(int width, double loss, Search... searches) {
    return model("dense " + width, Kind.DENSE, width, null, loss, searches);
  }

  private static CompareCellResult sparse(String name, double loss, Search... searches) {
    double kept = name.equals(MIDDLE) ? 1.0 / 16 : 1.0 / 32;
    return model(name, Kind.SPARSE, 128, kept, loss, searches);
  }

  private static CompareCellResult model(
      String name, Kind kind, int width, Double kept, double loss, Search... searches) {
    return model(name, kind, width, kept, 6000, null, loss, searches);
  }

  private static CompareCellResult model(
      String name,
      Kind kind,
      int width,
      Double kept,
      long steps,
      String variant,
      double loss,
      Search... searches) {
    return new CompareCellResult(
        name,
        kind,
        width,
        kept,
        steps,
        variant,
        "cells/x",
        "c0ffee",
        null,
        1_000,
        loss,
        Map.of(),
        10,
        2,
        List.of(searches));
  }

  private static List<CompareCellResult> models(double middleLoss) {
    return List.of(
        dense(16, 3.0, found("a", 40, 400), found("b", 20, 100), notLearnt("c")),
        dense(32, 2.0, found("a", 40, 1600), found("b", 20, 400), found("c", 8, 80)),
        sparse(MIDDLE, middleLoss, found("a", 10, 80), found("b", 10, 10), found("c", 8, 8)),
        sparse(SPARSER, 3.5, found("a", 6, 20), found("b", 6, 5), notLearnt("c")));
  }

  @Test
  void ratioIsTheGeometricMeanOverTasksThatAllThreeDo() {
    CompareResult result = CompareResult.of(PLAN, models(2.5), 7);
    // Halfway: a dense circuit of a has sqrt(400 * 1600) = 800 edges, of b 200: 10 and 20 times.
    assertThat(result.edgeRatio()).isCloseTo(Math.sqrt(10 * 20), within(1e-9));
    assertThat(result.nodeRatio()).isCloseTo(Math.sqrt(4 * 2), within(1e-9));
    assertThat(result.weightRatio()).isCloseTo(10 * 20, within(1e-9)); // of squares
    assertThat(result.interval()).isNull(); // of two tasks
    assertThat(result.middle()).isEqualTo(MIDDLE);
    assertThat(result.tasks()).extracting(TaskRow::task).isEqualTo(TASKS);
    TaskRow a = result.tasks().getFirst();
    assertThat(a.edgeRatio()).isCloseTo(10, within(1e-9));
    assertThat(a.weightRatio()).isCloseTo(100, within(1e-9));
    assertThat(a.dense().weights()).isCloseTo(800 * 800, within(1e-6));
    assertThat(a.dense().edges()).isCloseTo(800, within(1e-9));
    assertThat(List.of(a.below().model(), a.above().model()))
        .containsExactly("dense 32", "dense 16");
    assertThat(a.below().circuit().edges()).isEqualTo(1600);
    assertThat(a.above().modelLoss()).isEqualTo(0.05);
    assertThat(a.reason()).isNull();
    TaskRow c = result.tasks().getLast();
    assertThat(c.edgeRatio()).isNull();
    assertThat(c.reason()).startsWith("dense 16 does not do it (");
    assertThat(c.above().modelLoss()).isEqualTo(0.6);
    assertThat(c.above().circuit()).isNull();
  }

  @Test
  void aLossOutsideOfTheLadderHasNoRatioAndSaysSo() {
    CompareResult result = CompareResult.of(PLAN, models(1.9), 7);
    assertThat(result.edgeRatio()).isNull();
    assertThat(result.interval()).isNull();
    assertThat(result.noRatio())
        .isEqualTo("the loss of " + MIDDLE + " lies outside of the dense ladder");
    Cell middle = cell(result, MIDDLE);
    assertThat(middle.place()).isEqualTo(Place.BELOW);
    assertThat(cell(result, SPARSER).place()).isEqualTo(Place.ABOVE);
    assertThat(cell(result, SPARSER).edgeRatio()).isNull();
    assertThat(result.tasks())
        .extracting(TaskRow::reason)
        .containsOnly("the loss of the sparse model lies outside of the dense ladder");
    assertThat(String.join("\n", result.limits()))
        .contains(MIDDLE + ", loss 1.900, predicts better than every dense model")
        .contains(SPARSER + ", loss 3.500, predicts worse than every dense model");
  }

  @Test
  void sizesOfCellsAreOverTheTasksInCommon() {
    CompareResult result = CompareResult.of(PLAN, models(2.5), 7);
    assertThat(result.common()).containsExactly("a", "b");
    assertThat(cell(result, "dense 32").edges()).isCloseTo(800, within(1e-9));
    assertThat(cell(result, MIDDLE).edges()).isCloseTo(Math.sqrt(80 * 10), within(1e-9));
    assertThat(cell(result, SPARSER).edges()).isCloseTo(10, within(1e-9));
  }

  @Test
  void aModelThatDoesLittleIsLeftOutOfTheSizesInCommon() {
    List<CompareCellResult> models = new ArrayList<>(models(2.5));
    models.set(3, sparse(SPARSER, 2.8, notLearnt("a"), found("b", 6, 5), notLearnt("c")));
    CompareResult result = CompareResult.of(PLAN, models, 7);
    assertThat(result.common()).containsExactly("a", "b");
    assertThat(cell(result, SPARSER).edges()).isNull();
    assertThat(cell(result, SPARSER).counted()).isEqualTo(1);
    assertThat(cell(result, SPARSER).interval()).isNull();
    assertThat(result.limits())
        .contains(
            "Sizes over the grid are over the 2 tasks that all its models do; left out are those"
                + " that do fewer than half as many as the best.");
  }

  @Test
  void theDenseModelsAroundTheMiddleAreInTheSizesInCommon() {
    List<CompareCellResult> models = new ArrayList<>(models(2.5));
    models.set(0, dense(16, 3.0, found("a", 40, 400), notLearnt("b"), notLearnt("c")));
    CompareResult result = CompareResult.of(PLAN, models, 7);
    assertThat(result.common()).containsExactly("a");
    assertThat(cell(result, "dense 16").edges()).isCloseTo(400, within(1e-9));
  }

  @Test
  void theCurveIsOverTheSameTasksAtEveryLoss() {
    CompareResult result = CompareResult.of(PLAN, models(2.5), 7);
    assertThat(result.curveTasks()).containsExactly("a", "b");
    assertThat(result.curve()).extracting(CurvePoint::target).containsExactly(TARGET, 0.4);
    assertThat(result.curve().getFirst().sparseEdges()).isCloseTo(Math.sqrt(80 * 10), within(1e-9));
    assertThat(result.curve().getFirst().denseEdges())
        .isCloseTo(Math.sqrt(800 * 200), within(1e-9));
    assertThat(result.curve().getLast().denseEdges()).isCloseTo(Math.sqrt(400 * 100), within(1e-9));
    assertThat(result.curve().getLast().sparseWeights()).isCloseTo(40 * 5, within(1e-9));
    assertThat(result.curve().getLast().denseWeights()).isCloseTo(400 * 100, within(1e-6));
  }

  @Test
  void aCircuitWithoutEdgesOrBelowItsLossDoesNotCount() {
    List<CompareCellResult> models = new ArrayList<>(models(2.5));
    Search missed =
        new Search(
            "b",
            Outcome.SEARCHED,
            0.1,
            0.1,
            1,
            "c0ffee",
            List.of(new Point(TARGET, false, 900, 900, 900, 900, 0.2, 0.2)));
    models.set(2, sparse(MIDDLE, 2.5, found("a", 3, 0), missed, found("c", 8, 8)));
    CompareResult result = CompareResult.of(PLAN, models, 7);
    assertThat(result.tasks().get(0).reason()).contains("has no edge");
    assertThat(result.tasks().get(1).reason()).contains("reaches the loss");
    assertThat(result.edgeRatio()).isNull();
  }

  @Test
  void aModelThatDivergedIsNamed() {
    List<CompareCellResult> models = new ArrayList<>(models(2.5));
    models.set(3, diverged(SPARSER, 1.0 / 32));
    CompareResult result = CompareResult.of(PLAN, models, 7);
    assertThat(result.edgeRatio()).isCloseTo(Math.sqrt(200), within(1e-9));
    assertThat(result.noRatio()).isNull();
    assertThat(result.limits()).contains(SPARSER + " has diverged: the loss is not finite.");
    models.set(2, diverged(MIDDLE, 1.0 / 16));
    assertThat(CompareResult.of(PLAN, models, 7).noRatio()).isEqualTo(MIDDLE + " has diverged");
  }

  private static CompareCellResult diverged(String name, double kept) {
    return new CompareCellResult(
        name,
        Kind.SPARSE,
        128,
        kept,
        6000,
        null,
        "cells/y",
        "c0ffee",
        "the loss is not finite",
        0,
        null,
        Map.of(),
        0,
        0,
        List.of());
  }

  @Test
  void circuitsAboveTheLossOnFinalExamplesAreToldOnBothSides() {
    List<CompareCellResult> models = new ArrayList<>(models(2.5));
    assertThat(CompareResult.of(PLAN, models, 7).limits())
        .anyMatch(
            limit ->
                limit.endsWith(
                    "2 of 2 sparse ones are above 0.15, and a dense one is for 2 tasks."
                        + " No task is left."));
    models.set(0, dense(16, 3.0, found("a", 40, 400, 0.1), found("b", 9, 9), notLearnt("c")));
    models.set(1, dense(32, 2.0, found("a", 40, 1600, 0.1), found("b", 9, 9), notLearnt("c")));
    models.set(
        2, sparse(MIDDLE, 2.5, found("a", 10, 80, 0.1), found("b", 10, 10, 0.1), notLearnt("c")));
    CompareResult result = CompareResult.of(PLAN, models, 7);
    assertThat(result.tasks().getFirst().dense().lossFinal()).isEqualTo(0.1);
    assertThat(result.limits())
        .anyMatch(
            limit ->
                limit.endsWith(
                    "0 of 2 sparse ones are above 0.15, and a dense one is for 1 task."
                        + " Over the others, 1, the ratio is 10.0."));
  }

  @Test
  void theFileReadsBackAsItWas() {
    CompareResult result = CompareResult.of(PLAN, models(2.5), 7);
    assertThat(Json.read(Json.write(result), CompareResult.class)).isEqualTo(result);
  }

  @Test
  void theGridKeepsAsManyWeightsAtEveryWidth() {
    CompareConfig grid = CompareConfig.of(Presets.TINY, Presets.TINY.config(), TASKS);
    assertThat(grid.widths()).containsExactly(64, 128, 256);
    assertThat(grid.denseWidths()).containsExactly(16, 24, 32, 48, 64);
    List<CompareCell> cells = grid.cells();
    assertThat(cells).hasSize(5 + 9 + 5 + 1);
    assertThat(grid.middle()).isEqualTo(MIDDLE);
    CompareCell own = named(cells, MIDDLE);
    assertThat(own.config().model()).isEqualTo(Presets.TINY.config().model());
    assertThat(own.config().train()).isEqualTo(Presets.TINY.config().train());
    for (String name : List.of("sparse 64, 1/16", "sparse 256, 1/16")) {
      CompareCell cell = named(cells, name);
      assertThat(cell.config().model().nHead()).isEqualTo(cell.width() / 16);
      assertThat(cell.config().model().dMlp()).isEqualTo(4 * cell.width());
      assertThat(matrixWeights(cell)).isCloseTo(matrixWeights(own), within(1e-6));
      assertThat(embeddingWeights(cell)).isCloseTo(embeddingWeights(own), within(1e-6));
    }
    assertThat(named(cells, "dense 32").config().train().sparsity().fractions().matrix()).isOne();
    for (String name : List.of(MIDDLE + ", 3,000 steps", "dense 32, 3,000 steps")) {
      assertThat(named(cells, name).config().train().steps()).isEqualTo(3000);
    }
  }

  @Test
  void aWidthWithoutSoManyWeightsIsLeftOut() {
    CompareConfig grid = CompareConfig.of(Presets.NANO, Presets.NANO.config(), TASKS);
    assertThat(grid.withoutRoom()).containsExactly("sparse 32, 1/2");
    assertThat(grid.cells().stream().map(CompareCell::name))
        .contains("sparse 32, 1/4")
        .doesNotContain("sparse 32, 1/2");
  }

  @Test
  void variantsChangeTheMiddleAndDistilledOnesHaveTheWidestTeacher() {
    List<CompareCell> cells =
        plan(
                List.of(64, 128),
                List.of(1.0 / 16),
                "train.lr=0.01",
                "revive:train.sparsity.revive.every=200",
                "taught:train.distill.weight=0.5,train.distill.temperature=2")
            .cells();
    CompareCell revived = named(cells, MIDDLE + ", revive");
    assertThat(revived.config().train().sparsity().revive().every()).isEqualTo(200);
    assertThat(revived.teacher()).isNull();
    CompareCell taught = named(cells, MIDDLE + ", taught");
    assertThat(taught.config().train().distill().temperature()).isEqualTo(2);
    assertThat(taught.teacher()).isEqualTo("dense 32");
    assertThat(named(cells, "dense 32").config().train().lr()).isEqualTo(0.01);
    assertThat(taught.config().train().lr()).isNotEqualTo(0.01);
  }

  @Test
  void whatCellsHaveInCommonNoneCanChange() {
    List<Integer> widths = List.of(128);
    List<Double> kept = List.of(1.0 / 16);
    assertThatThrownBy(() -> plan(widths, kept, "train.lr=0.01", "long:train.steps=12000"))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("long cannot have a train.steps of its own");
    assertThatThrownBy(() -> plan(widths, kept, "prune.fast.margin=0.5"))
        .hasMessageContaining("a dense model cannot have a prune.fast.margin of its own");
    double lr = Presets.TINY.config().train().lr();
    CompareConfig same = plan(widths, kept, "train.lr=0.01", "same:train.lr=" + lr);
    assertThatThrownBy(same::cells).hasMessageContaining("the variant same changes nothing");
    CompareConfig narrow = plan(List.of(64), List.of(0.5), "train.lr=0.01");
    assertThatThrownBy(narrow::cells)
        .hasMessageContaining("sparse 64, 1/2 would keep more weights than its tensors have");
  }

  private static CompareConfig plan(
      List<Integer> widths, List<Double> kept, String dense, String... variants) {
    return new CompareConfig(
        Presets.TINY,
        Presets.TINY.config(),
        widths,
        kept,
        List.of(32, 16),
        List.of(6000L),
        TASKS,
        TARGET,
        List.of(),
        List.of(Setting.parse(dense)),
        Stream.of(variants).map(Variant::parse).toList());
  }

  @Test
  void ratiosOfTheGridAreOverTheTasksThatCountInAllOfIt() {
    List<CompareCellResult> models = new ArrayList<>(models(2.5));
    models.set(3, sparse(SPARSER, 2.8, found("a", 6, 20), notLearnt("b"), found("c", 9, 90)));
    CompareResult result = CompareResult.of(PLAN, models, 7);
    assertThat(result.gridRatios().tasks()).containsExactly("a");
    assertThat(result.gridRatios().points())
        .extracting(RatioPoint::model)
        .containsExactly(MIDDLE, SPARSER);
    assertThat(result.gridRatios().points().getFirst().ratio()).isCloseTo(10, within(1e-9));
    assertThat(cell(result, MIDDLE).edgeRatio()).isCloseTo(Math.sqrt(200), within(1e-9));
    // A fifth of the way from the narrow to the wide dense model: 400 * 4^0.2.
    assertThat(result.gridRatios().points().getLast().ratio())
        .isCloseTo(400 * Math.pow(4, 0.2) / 20, within(1e-9));
    assertThat(result.variantRatios().points())
        .extracting(RatioPoint::model)
        .containsExactly(MIDDLE);
  }

  @Test
  void aVariantTakesNoTaskFromTheGrid() {
    List<CompareCellResult> models = new ArrayList<>(models(2.5));
    models.add(
        model(
            MIDDLE + ", revive",
            Kind.SPARSE,
            128,
            1.0 / 16,
            6000,
            "revive",
            2.6,
            found("a", 6, 20),
            notLearnt("b"),
            notLearnt("c")));
    CompareResult result = CompareResult.of(PLAN, models, 7);
    assertThat(result.common()).containsExactly("a", "b");
    assertThat(result.gridRatios().tasks()).containsExactly("a", "b");
    assertThat(result.variantRatios().tasks()).containsExactly("a");
    assertThat(cell(result, MIDDLE + ", revive").edges()).isNull();
    assertThat(result.limits())
        .contains("Sizes over the grid are over the 2 tasks that all its models do.");
  }

  @Test
  void fewerStepsAreComparedWithDenseModelsOfFewerSteps() {
    List<CompareCellResult> models = new ArrayList<>(models(2.5));
    models.add(after(3000, "dense 16", Kind.DENSE, 16, null, 3.4, found("a", 40, 200)));
    models.add(after(3000, "dense 32", Kind.DENSE, 32, null, 2.4, found("a", 40, 800)));
    models.add(after(3000, MIDDLE, Kind.SPARSE, 128, 1.0 / 16, 2.9, found("a", 10, 20)));
    CompareResult result = CompareResult.of(PLAN, models, 7);
    // Halfway between 200 and 800 edges, over 20.
    assertThat(cell(result, MIDDLE + ", 3000 steps").edgeRatio()).isCloseTo(20, within(1e-9));
    assertThat(result.tokenRatios().tasks()).containsExactly("a");
    Trend trend = result.trends().get(1);
    assertThat(trend.axis()).isEqualTo(Axis.TOKENS);
    assertThat(trend.loss()).isCloseTo(-0.4, within(1e-9));
    assertThat(trend.edges().factor()).isCloseTo(80 / 20.0, within(1e-9));
    assertThat(trend.ratio().factor()).isCloseTo(10 / 20.0, within(1e-9));
    assertThat(result.edgeRatio()).isCloseTo(Math.sqrt(200), within(1e-9));
  }

  private static CompareCellResult after(
      long steps, String name, Kind kind, int width, Double kept, double loss, Search search) {
    String full = "%s, %d steps".formatted(name, steps);
    return model(full, kind, width, kept, steps, null, loss, search);
  }

  @Test
  void neighboursAreToldWithTheirOwnRatios() {
    CompareResult result = CompareResult.of(PLAN, models(2.5), 7);
    assertThat(result.neighbours())
        .extracting(Neighbour::model)
        .containsExactly("dense 32", "dense 16");
    // Edges of dense 32: 1600 / 80 and 400 / 10; of dense 16: 400 / 80 and 100 / 10.
    assertThat(result.neighbours().getFirst().edgeRatio())
        .isCloseTo(Math.sqrt(20 * 40), within(1e-9));
    assertThat(result.neighbours().getLast().edgeRatio())
        .isCloseTo(Math.sqrt(5 * 10), within(1e-9));
    assertThat(result.limits())
        .contains(
            "The ratio lies between those to two dense models, by where the loss of "
                + MIDDLE
                + ", 2.500, falls: over the same tasks it is 28.3 against dense 32 alone, loss"
                + " 2.000, and 7.1 against dense 16 alone, loss 3.000.");
    assertThat(cell(result, MIDDLE).neighbours()).isEqualTo(result.neighbours());
    assertThat(cell(result, "dense 32").neighbours()).isEmpty();
  }

  @Test
  void tasksOfOneNeighbourCountAgainstItAlone() {
    List<CompareCellResult> models = new ArrayList<>(models(2.5));
    // Against dense 32: 1600 / 80, 400 / 10 and 80 / 8 edges.
    assertThat(CompareResult.of(PLAN, models, 7).limits())
        .contains(
            "Against dense 32 alone the ratio is 20.0 over 3 tasks: those too that the other dense"
                + " model does not do.");
    models.set(0, dense(16, 3.0, found("a", 40, 400), found("b", 20, 100), found("c", 8, 160)));
    models.set(1, dense(32, 2.0, found("a", 40, 1600), found("b", 20, 400), notLearnt("c")));
    assertThat(CompareResult.of(PLAN, models, 7).limits())
        .contains(
            "Against dense 16 alone the ratio is 10.0 over 3 tasks: those too that the other dense"
                + " model does not do.");
  }

  @Test
  void changesOfThePresetAreTold() {
    CompareConfig plan =
        new CompareConfig(
            Presets.TINY,
            CompareConfig.base(Presets.TINY)
                .withAll(
                    List.of(
                        Setting.parse("prune.fast.edges=false"),
                        Setting.parse("prune.target_loss=0.7"), // the target is 0.15
                        Setting.parse("train.sparsity.anneal.shape=linear"))),
            PLAN.widths(),
            PLAN.kept(),
            PLAN.denseWidths(),
            PLAN.steps(),
            TASKS,
            TARGET,
            PLAN.curve(),
            List.of(),
            List.of());
    CompareResult result = CompareResult.of(plan, models(2.5), 7);
    assertThat(result.settings())
        .containsExactly(
            Setting.parse("prune.fast.edges=false"),
            Setting.parse("train.sparsity.anneal.shape=linear"));
    assertThat(result.plan().base().prune().targetLoss()).isEqualTo(TARGET);
    assertThat(result.plan()).isEqualTo(plan);
    assertThat(result.plan().base().prune().choosesEdges()).isFalse();
  }

  @Test
  void lossesAreToldByCorpus() {
    List<CompareCellResult> models = new ArrayList<>(models(2.5));
    models.set(0, withCorpora(models.get(0), 4.0, 2.0));
    models.set(1, withCorpora(models.get(1), 3.0, 1.0));
    models.set(2, withCorpora(models.get(2), 3.6, 1.4));
    assertThat(CompareResult.of(PLAN, models, 7).limits())
        .contains(
            "Losses are matched over the whole held-out text; by corpus the sparse model and the"
                + " dense ones in between have code 3.600 and 3.500, talk 1.400 and 1.500.");
  }

  private static CompareCellResult withCorpora(CompareCellResult model, double code, double talk) {
    Map<String, Double> losses = new LinkedHashMap<>();
    losses.put("code", code);
    losses.put("talk", talk);
    return new CompareCellResult(
        model.name(),
        model.kind(),
        model.width(),
        model.kept(),
        model.steps(),
        model.variant(),
        model.run(),
        model.git(),
        model.diverged(),
        model.tokens(),
        model.loss(),
        losses,
        model.nonzeros(),
        model.seconds(),
        model.searches());
  }

  @Test
  void trendsArePairedByTask() {
    List<CompareCellResult> models = new ArrayList<>(models(2.5));
    // Half the edges in both at the same loss.
    models.set(3, sparse(SPARSER, 2.5, found("a", 10, 40), found("b", 10, 5), notLearnt("c")));
    Trend trend = CompareResult.of(PLAN, models, 7).trends().getFirst();
    assertThat(trend.axis()).isEqualTo(Axis.KEPT);
    assertThat(List.of(trend.from(), trend.to())).containsExactly(MIDDLE, SPARSER);
    assertThat(trend.loss()).isZero();
    assertThat(trend.edges()).isEqualTo(new Change(2, 0.5, null)); // no interval of two tasks
    assertThat(trend.ratio().tasks()).isEqualTo(2);
    assertThat(trend.ratio().factor()).isCloseTo(2, within(1e-9));
  }

  @Test
  void trendsJoinNeighboursOfTheGridAndTheMiddleWithItsVariants() {
    List<String> tasks = List.of("a");
    CompareConfig plan =
        new CompareConfig(
            Presets.TINY,
            Presets.TINY.config(),
            List.of(256, 64, 128),
            List.of(1.0 / 16, 1.0 / 32),
            List.of(16, 32),
            List.of(6000L, 1500L, 3000L),
            tasks,
            TARGET,
            List.of(),
            List.of(),
            List.of(Variant.parse("revive:train.sparsity.revive.every=200")));
    List<CompareCellResult> models =
        plan.cells().stream()
            .map(
                cell ->
                    model(
                        cell.name(),
                        cell.kind(),
                        cell.width(),
                        cell.kept(),
                        cell.steps(),
                        cell.variant(),
                        cell.kind() == Kind.DENSE ? 3.0 + 16.0 / cell.width() : 3.6,
                        found("a", 10, 80)))
            .toList();
    assertThat(CompareResult.of(plan, models, 7).trends())
        .extracting(trend -> trend.axis() + ": " + trend.from() + " -> " + trend.to())
        .containsExactly(
            "WIDTH: sparse 64, 1/16 -> sparse 128, 1/16",
            "WIDTH: sparse 64, 1/32 -> sparse 128, 1/32",
            "WIDTH: sparse 128, 1/16 -> sparse 256, 1/16",
            "WIDTH: sparse 128, 1/32 -> sparse 256, 1/32",
            "KEPT: sparse 64, 1/16 -> sparse 64, 1/32",
            "KEPT: sparse 128, 1/16 -> sparse 128, 1/32",
            "KEPT: sparse 256, 1/16 -> sparse 256, 1/32",
            "TOKENS: sparse 128, 1/16, 1,500 steps -> sparse 128, 1/16, 3,000 steps",
            "TOKENS: sparse 128, 1/16, 3,000 steps -> sparse 128, 1/16",
            "VARIANT: sparse 128, 1/16 -> sparse 128, 1/16, revive");
  }

  private static double matrixWeights(CompareCell cell) {
    return cell.config().train().sparsity().fractions().matrix() * cell.width() * cell.width();
  }

  private static double embeddingWeights(CompareCell cell) {
    return cell.config().train().sparsity().fractions().embedding() * cell.width();
  }

  private static CompareCell named(List<CompareCell> cells, String name) {
    return cells.stream().filter(cell -> cell.name().equals(name)).findFirst().orElseThrow();
  }

  private static Cell cell(CompareResult result, String name) {
    return result.cells().stream()
        .filter(cell -> cell.model().name().equals(name))
        .findFirst()
        .orElseThrow();
  }
}
