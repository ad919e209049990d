// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.filigree.experiment.CompareCellResult.Point;
import dev.filigree.experiment.RunConfig.Setting;
import dev.filigree.statistics.Bootstrap;
import java.util.List;

/**
 * Sparse models against a ladder of dense ones.
 *
 * <p>A ratio says how many times as large the circuit of a dense model with the sparse one's
 * held-out loss is: its size is interpolated between the two dense models around that loss, task by
 * task. It is taken over the tasks that all three do, as a geometric mean, with the 95% interval
 * that resampling of the tasks gives. Where the loss lies outside of the ladder there is none.
 *
 * @param plan what was compared
 * @param settings changes of the preset before anything was made of it
 * @param middle name of the sparse model that the ratios are about
 * @param noRatio why there is no ratio; null where there is one
 * @param edgeRatio edges of dense over those of sparse; null where there is none
 * @param interval its 95% interval; null with fewer than {@value Bootstrap#FEWEST} tasks, as every
 *     interval here
 * @param nodeRatio the same of nodes
 * @param nodeInterval its 95% interval
 * @param weightRatio the same of all nonzero weights between the nodes, which the published method
 *     counts as edges
 * @param weightInterval its 95% interval
 * @param neighbours of the middle
 * @param tasks one row for each, about the middle of the grid
 * @param cells every model
 * @param curve sizes against loss, of the middle of the grid and of its dense match
 * @param curveTasks that the curve is over: those with a circuit on both sides at every loss
 * @param common tasks that the sizes of cells are over: those with a circuit in all cells of grid
 *     and ladder that do at least half as many tasks as the best, and in the middle's neighbours
 * @param gridRatios ratios of the sparse cells of the grid, over the same tasks
 * @param tokenRatios ratios of the middle after different numbers of steps
 * @param variantRatios ratios of the middle and of its variants
 * @param trends how circuits and ratio change from one sparse model to a neighbour, task by task
 * @param limits what keeps this from saying more, in sentences
 * @param seconds of work
 */
public record CompareResult(
    CompareConfig plan,
    List<Setting> settings,
    String middle,
    String noRatio,
    Double edgeRatio,
    List<Double> interval,
    Double nodeRatio,
    List<Double> nodeInterval,
    Double weightRatio,
    List<Double> weightInterval,
    List<Neighbour> neighbours,
    List<TaskRow> tasks,
    List<Cell> cells,
    List<CurvePoint> curve,
    List<String> curveTasks,
    List<String> common,
    RatioSet gridRatios,
    RatioSet tokenRatios,
    RatioSet variantRatios,
    List<Trend> trends,
    List<String> limits,
    double seconds) {
  public CompareResult {
    settings = List.copyOf(settings);
    neighbours = List.copyOf(neighbours);
    tasks = List.copyOf(tasks);
    cells = List.copyOf(cells);
    curve = List.copyOf(curve);
    curveTasks = List.copyOf(curveTasks);
    common = List.copyOf(common);
    trends = List.copyOf(trends);
    limits = List.copyOf(limits);
  }

  /**
   * A dense model next to a sparse one.
   *
   * @param model its name
   * @param loss held out, nats per token
   * @param edgeRatio edges of its own circuits over those of the sparse model, geometric mean over
   *     the tasks that count; null where none does
   */
  public record Neighbour(String model, double loss, Double edgeRatio) {}

  /**
   * One task of the middle of the grid.
   *
   * @param sparse its circuit
   * @param modelLoss of the whole sparse model on validation examples
   * @param below the dense model with the lower held-out loss; null outside of the ladder
   * @param above the one with the higher loss
   * @param dense size in a dense model of the same held-out loss, between those of both; null
   *     unless both have a circuit
   * @param edgeRatio dense over sparse; null when the task does not count
   * @param nodeRatio the same of nodes
   * @param weightRatio the same of the weights between the nodes
   * @param reason why it does not count; null when it does
   */
  public record TaskRow(
      String task,
      Point sparse,
      Double modelLoss,
      DenseSide below,
      DenseSide above,
      DenseSize dense,
      Double edgeRatio,
      Double nodeRatio,
      Double weightRatio,
      String reason) {}

  /**
   * What a dense model next to the middle makes of a task.
   *
   * @param model its name
   * @param modelLoss of the whole model on validation examples; null where the vocabulary cannot
   *     express the task
   * @param circuit null where it has none that counts
   */
  public record DenseSide(String model, Double modelLoss, Point circuit) {}

  /**
   * An interpolated circuit.
   *
   * @param lossFinal the worse of its neighbours' losses on final examples
   */
  public record DenseSize(double nodes, double edges, double weights, double lossFinal) {}

  /**
   * One model.
   *
   * @param model what came of it
   * @param done tasks with a circuit
   * @param edges geometric mean over the common tasks; null where there is none
   * @param nodes the same
   * @param weights the same of the weights between the nodes
   * @param place of its loss on the dense ladder; null for a dense model
   * @param edgeRatio dense over sparse; null for a dense model and outside of the ladder
   * @param interval of it
   * @param nodeRatio the same of nodes
   * @param nodeInterval of it
   * @param weightRatio the same of the weights between the nodes
   * @param weightInterval of it
   * @param counted number of tasks that the ratios are over
   * @param neighbours the dense models around its held-out loss, the one with the lower loss first;
   *     none for a dense model and outside of the ladder
   */
  public record Cell(
      CompareCellResult model,
      int done,
      Double edges,
      Double nodes,
      Double weights,
      Place place,
      Double edgeRatio,
      List<Double> interval,
      Double nodeRatio,
      List<Double> nodeInterval,
      Double weightRatio,
      List<Double> weightInterval,
      int counted,
      List<Neighbour> neighbours) {
    public Cell {
      neighbours = List.copyOf(neighbours);
    }
  }

  /** Where a held-out loss lies on the dense ladder. */
  public enum Place {
    @JsonProperty("inside")
    INSIDE,
    /** Worse than every dense model. */
    @JsonProperty("above")
    ABOVE,
    /** Better than every dense model. */
    @JsonProperty("below")
    BELOW,
    /** There is no dense model. */
    @JsonProperty("empty")
    EMPTY
  }

  /** Geometric means at one target loss. */
  public record CurvePoint(
      double target,
      double sparseEdges,
      double denseEdges,
      double sparseNodes,
      double denseNodes,
      double sparseWeights,
      double denseWeights) {}

  /** What two neighbouring sparse models differ in. */
  public enum Axis {
    @JsonProperty("width")
    WIDTH,
    /** Number of kept weights. */
    @JsonProperty("kept")
    KEPT,
    @JsonProperty("tokens")
    TOKENS,
    /** Trained otherwise. */
    @JsonProperty("variant")
    VARIANT
  }

  /**
   * Ratios of edges of several sparse models over one set of tasks: those over different tasks do
   * not compare.
   *
   * @param tasks that count in all of them
   * @param points one for each; models that do fewer than half as many tasks as the best of them
   *     are left out
   */
  public record RatioSet(List<String> tasks, List<RatioPoint> points) {
    public RatioSet {
      tasks = List.copyOf(tasks);
      points = List.copyOf(points);
    }
  }

  /** One ratio of a set, with its interval, by name of the model. */
  public record RatioPoint(String model, double ratio, List<Double> interval) {}

  /**
   * From one sparse model to another that differs in one thing. Paired: the change of every task is
   * taken first and averaged then, so that what tasks have in common falls out.
   *
   * @param from name of the narrower one, of the one that keeps more or saw fewer tokens, or of the
   *     middle of the grid
   * @param to name of the other one: its neighbour in the grid, or a variant
   * @param loss held-out loss of {@code to} less that of {@code from}, nats per token
   * @param edges of the sparse circuits, over the tasks with one in both; asks no dense model
   * @param ratio of edges, dense over sparse, over the tasks that count in both; null without any
   */
  public record Trend(Axis axis, String from, String to, double loss, Change edges, Change ratio) {}

  /**
   * A change from one model to another.
   *
   * @param tasks it is over
   * @param factor geometric mean: 1 is no change
   * @param interval its 95% interval
   */
  public record Change(int tasks, double factor, List<Double> interval) {}

  /** Work out a comparison from what came of its cells. */
  static CompareResult of(CompareConfig plan, List<CompareCellResult> models, double seconds) {
    return new CompareSummary(plan, models).result(seconds);
  }
}
