// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.circuit.Checks;
import dev.filigree.circuit.Evidence.Scores;
import dev.filigree.task.Task;

/**
 * How a whole model does a task.
 *
 * @param task name of the task
 * @param control whether it is a control
 * @param model its scores on validation and final examples; null when the vocabulary cannot express
 *     the task
 * @param learnt whether that counts as doing the task ({@link Checks.Gate})
 * @param reason why the vocabulary cannot express the task, else null
 */
public record TaskScore(String task, boolean control, Scores model, boolean learnt, String reason) {
  static TaskScore of(Task task, Scores model) {
    boolean learnt = Checks.Gate.admits(model, Checks.GATE_LIMIT);
    return new TaskScore(task.name(), task.isControl(), model, learnt, null);
  }

  static TaskScore impossible(Task task, String reason) {
    return new TaskScore(task.name(), task.isControl(), null, false, reason);
  }
}
