// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.filigree.experiment.CompareCellResult.Point;
import java.util.List;

/**
 * Sparse models against a ladder of dense ones.
 *
 * <p>A ratio says how many times as large the circuit of a dense model with the sparse one's
 * held-out loss is: its size is interpolated between the two dense models around that loss, task by
 * task. It is taken over the tasks that all three do, as a geometric mean, with the 95% interval
 * that resampling of the tasks gives. Where the loss lies outside of the ladder there is none.
 *
 * @param preset that the models are variations of
 * @param target two-way loss at which circuits are counted, nats per sequence
 * @param middle name of the sparse model that the ratios are about
 * @param edgeRatio edges of dense over those of sparse; null where there is none
 * @param interval its 95% interval; null with fewer than two tasks
 * @param nodeRatio the same of nodes
 * @param nodeInterval its 95% interval
 * @param weightRatio the same of all nonzero weights between the nodes, which the published method
 *     counts as edges
 * @param weightInterval its 95% interval
 * @param tasks one row for each, about the middle of the grid
 * @param cells every model
 * @param curve sizes against loss, of the middle of the grid and of its dense match
 * @param curveTasks that the curve is over: those with a circuit on both sides at every loss
 * @param common tasks that the sizes of cells are over: those with a circuit in all cells that do
 *     at least half as many tasks as the best
 * @param trendTasks that the ratios of the trends are over: those that count in all sparse cells
 *     that have a ratio and do at least half as many tasks as the best
 * @param trends how the ratio moves from one sparse model to a neighbour, task by task
 * @param limits what keeps this from saying more, in sentences
 * @param seconds of work
 */
public record CompareResult(
    String preset,
    double target,
    String middle,
    Double edgeRatio,
    List<Double> interval,
    Double nodeRatio,
    List<Double> nodeInterval,
    Double weightRatio,
    List<Double> weightInterval,
    List<TaskRow> tasks,
    List<Cell> cells,
    List<CurvePoint> curve,
    List<String> curveTasks,
    List<String> common,
    List<String> trendTasks,
    List<Trend> trends,
    List<String> limits,
    double seconds) {
  public CompareResult {
    tasks = List.copyOf(tasks);
    cells = List.copyOf(cells);
    curve = List.copyOf(curve);
    trends = List.copyOf(trends);
    limits = List.copyOf(limits);
  }

  /**
   * One task of the middle of the grid.
   *
   * @param sparse its circuit
   * @param modelLoss of the whole sparse model on validation examples
   * @param dense size in a dense model of the same held-out loss
   * @param edgeRatio dense over sparse; null when the task does not count
   * @param nodeRatio the same of nodes
   * @param weightRatio the same of the weights between the nodes
   * @param reason why it does not count; null when it does
   */
  public record TaskRow(
      String task,
      Point sparse,
      Double modelLoss,
      DenseSize dense,
      Double edgeRatio,
      Double nodeRatio,
      Double weightRatio,
      String reason) {}

  /**
   * An interpolated circuit.
   *
   * @param below name of the dense model with the lower loss
   * @param above of the one with the higher loss
   * @param lossFinal the worse of their circuits' losses on final examples
   */
  public record DenseSize(
      double nodes, double edges, double weights, String below, String above, double lossFinal) {}

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
   * @param trendRatio of edges, over the tasks of the trends; null where it has no part in them
   * @param trendInterval of it
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
      Double trendRatio,
      List<Double> trendInterval) {}

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
   * From one sparse model to another that differs in one thing. Paired: the change of every task's
   * ratio is taken first and averaged then, so that what tasks have in common falls out.
   *
   * @param from name of the narrower one, of the one that keeps more or saw fewer tokens, or of the
   *     middle of the grid
   * @param to name of the other one: its neighbour in the grid, or a variant
   * @param tasks that count in both
   * @param change ratio of edges of {@code to} over that of {@code from}, geometric mean over these
   *     tasks
   * @param interval its 95% interval; null with fewer than five tasks
   */
  public record Trend(
      Axis axis, String from, String to, int tasks, double change, List<Double> interval) {}

  /** Work out a comparison from what came of its cells. */
  static CompareResult of(CompareConfig plan, List<CompareCellResult> models, double seconds) {
    return new CompareSummary(plan, models).result(seconds);
  }
}
