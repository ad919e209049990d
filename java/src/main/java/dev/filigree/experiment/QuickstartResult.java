// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.circuit.Checks;
import dev.filigree.circuit.Evidence;
import dev.filigree.circuit.Grade;
import java.util.List;

/**
 * Circuits of a sparse model beside those of a dense one with the same held-out loss.
 *
 * @param seconds wall time it took
 * @param pretraining held-out losses of both models
 * @param tasks one row a task
 */
public record QuickstartResult(double seconds, Pretraining pretraining, List<TaskRow> tasks) {
  public QuickstartResult {
    tasks = List.copyOf(tasks);
  }

  /** Held-out losses over the mix, nats per token. */
  public record Pretraining(double sparseLoss, double denseLoss) {
    /** Whether the dense model got as far as the sparse one: only then are circuits comparable. */
    public boolean matched() {
      return denseLoss <= sparseLoss;
    }
  }

  /**
   * One task.
   *
   * @param nodeRatio nodes of the dense circuit for one of the sparse one; null unless both are
   *     sufficient and the models' held-out losses are matched
   * @param edgeRatio the same of edges
   */
  public record TaskRow(String task, Side sparse, Side dense, Double nodeRatio, Double edgeRatio) {
    /**
     * Compare both sides.
     *
     * @param matched whether the models' held-out losses are
     */
    public static TaskRow of(String task, Side sparse, Side dense, boolean matched) {
      return new TaskRow(
          task,
          sparse,
          dense,
          matched && both(sparse, dense) ? ratio(dense.nodes(), sparse.nodes()) : null,
          matched && both(sparse, dense) ? ratio(dense.edges(), sparse.edges()) : null);
    }

    /** A circuit that falls short says nothing about how large one has to be. */
    private static boolean both(Side sparse, Side dense) {
      return sparse.sufficient() && dense.sufficient();
    }

    private static Double ratio(Integer dense, Integer sparse) {
      return dense == null || sparse == null || sparse == 0 ? null : (double) dense / sparse;
    }
  }

  /**
   * One model on one task. Where the model does not do the task there is no circuit: losses and
   * sizes of it are null.
   *
   * @param modelLossFinal two-way loss of the whole model on final examples, nats per sequence;
   *     null when the vocabulary cannot express the task
   * @param lossValidation of the circuit, on the examples it was chosen by
   * @param lossFinal of the circuit, on final examples
   * @param sufficient whether the circuit alone does the task
   * @param necessary whether the model without the circuit cannot
   * @param holds whether the circuit's loss on final examples is low enough
   * @param grade of the evidence; null when the vocabulary cannot express the task
   */
  public record Side(
      Double modelLossFinal,
      Double lossValidation,
      Double lossFinal,
      Integer nodes,
      Integer edges,
      boolean sufficient,
      boolean necessary,
      boolean holds,
      Grade grade) {
    /** What the evidence says. A circuit counts only where the model does the task. */
    public static Side of(Evidence evidence) {
      double model = evidence.model().last().loss();
      Checks checks = evidence.checks();
      if (checks.sufficient() == null || !checks.gate().passed()) {
        return new Side(model, null, null, null, null, false, false, false, Grade.F);
      }
      return new Side(
          model,
          evidence.lossValidation(),
          evidence.lossFinal(),
          evidence.nodes(),
          evidence.edges(),
          checks.sufficient().passed(),
          checks.necessary().passed(),
          evidence.holds(),
          evidence.grade());
    }

    /** A task that the vocabulary cannot express. */
    static final Side IMPOSSIBLE =
        new Side(null, null, null, null, null, false, false, false, null);
  }
}
