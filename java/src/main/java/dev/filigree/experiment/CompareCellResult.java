// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What came of one model of a comparison.
 *
 * @param name of the cell
 * @param kind dense or sparse
 * @param width of the residual stream
 * @param kept fraction of the block matrices at the preset's width; null for a dense model
 * @param steps of training
 * @param variant what is different from the grid; null for nothing
 * @param run its folder below that of the comparison
 * @param git commit of the sources that trained it; null where unknown
 * @param diverged why there is no model; null when there is one
 * @param tokens trained on
 * @param loss held out, nats per token; null without a model
 * @param lossByCorpus the same by corpus; empty without a model
 * @param nonzeros weights that are not zero
 * @param seconds of training
 * @param searches by task, in the order of the comparison
 */
public record CompareCellResult(
    String name,
    Kind kind,
    int width,
    Double kept,
    long steps,
    String variant,
    String run,
    String git,
    String diverged,
    long tokens,
    Double loss,
    Map<String, Double> lossByCorpus,
    long nonzeros,
    double seconds,
    List<Search> searches) {
  public CompareCellResult {
    lossByCorpus = Collections.unmodifiableMap(new LinkedHashMap<>(lossByCorpus));
    searches = List.copyOf(searches);
  }

  /** Dense models are the ladder, sparse ones are compared with it. */
  public enum Kind {
    @JsonProperty("dense")
    DENSE,
    @JsonProperty("sparse")
    SPARSE
  }

  /** What a search ended with. */
  public enum Outcome {
    /** The whole model does the task; whether its circuit is small is another matter. */
    @JsonProperty("searched")
    SEARCHED,
    /** The whole model does not do the task. */
    @JsonProperty("not_learnt")
    NOT_LEARNT,
    /** The vocabulary cannot express the task. */
    @JsonProperty("impossible")
    IMPOSSIBLE
  }

  /**
   * The circuits of one task.
   *
   * @param modelLoss of the whole model on validation examples, two-way, nats per sequence; null
   *     where the vocabulary cannot express the task
   * @param modelLossFinal the same on final examples
   * @param seconds that it took, the making of examples included
   * @param git commit of the sources that searched; null where unknown
   * @param points one for each loss that was asked for; none unless searched
   */
  public record Search(
      String task,
      Outcome outcome,
      Double modelLoss,
      Double modelLossFinal,
      double seconds,
      String git,
      List<Point> points) {
    public Search {
      points = List.copyOf(points);
    }

    /** The circuit that reaches a loss; empty where there is none. */
    Optional<Point> at(double target) {
      return points.stream()
          .filter(point -> point.target() == target && point.reached())
          .findFirst();
    }
  }

  /**
   * One circuit.
   *
   * @param target loss that was asked for on validation examples
   * @param reached whether it was
   * @param nodes of the circuit
   * @param edges of the circuit
   * @param weights all nonzero weights between its nodes, used or not: edges as the published
   *     method counts them
   * @param extendedEdges with embedding, unembedding and biases
   * @param lossValidation two-way, nats per sequence
   * @param lossFinal the same on final examples
   */
  public record Point(
      double target,
      boolean reached,
      int nodes,
      int edges,
      int weights,
      int extendedEdges,
      double lossValidation,
      double lossFinal) {}

  /** The search of a task. */
  Optional<Search> search(String task) {
    return searches.stream().filter(search -> search.task().equals(task)).findFirst();
  }

  /** The circuit of a task at a loss, where there is one that has edges. */
  Optional<Point> circuit(String task, double target) {
    return search(task).flatMap(search -> search.at(target)).filter(point -> point.edges() > 0);
  }
}
