// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.Calibration;
import dev.filigree.CircuitMask;
import dev.filigree.Discretized;
import dev.filigree.Model;
import dev.filigree.PruneStats;
import dev.filigree.Pruner;
import dev.filigree.TaskStats;
import dev.filigree.circuit.Checks;
import dev.filigree.circuit.Circuit;
import dev.filigree.circuit.Circuit.Losses;
import dev.filigree.circuit.Circuit.Pair;
import dev.filigree.circuit.CircuitWeights;
import dev.filigree.circuit.Evidence;
import dev.filigree.json.Json;
import dev.filigree.task.Task;
import java.io.IOException;
import java.nio.file.Files;

/**
 * Finds the circuit of a task: learns node masks on one set of templates, chooses their number on a
 * second, reports on a third, and writes {@code circuits/<task>.json}.
 */
public final class PruneRun {
  private static final long CHUNK_STEPS = 5;

  private final CircuitSearch session;
  private final Model model;
  private final CircuitConfig search;
  private final Progress progress;

  PruneRun(CircuitSearch session) {
    this.session = session;
    this.model = session.model();
    this.search = session.config().prune();
    this.progress = session.progress();
  }

  /** The model does not do the task well enough for a circuit to be looked for. */
  public static final class NotLearntException extends RunException {
    private static final long serialVersionUID = 1L;

    private final transient TaskStats model;

    NotLearntException(String message, TaskStats model) {
      super(message);
      this.model = model;
    }

    /** How the whole model does on the validation examples. */
    public TaskStats model() {
      return model;
    }
  }

  /**
   * Find the circuit.
   *
   * @throws NotLearntException when the whole model does not do the task
   */
  Circuit run(Task task) {
    try (TaskExamples examples = session.examples(task, search)) {
      Evidence.Scores whole = session.whole(examples);
      double limit = Math.max(search.targetLoss(), Checks.GATE_LIMIT);
      if (whole.validation().loss() > limit) {
        throw notLearnt(task, whole.validation(), limit);
      }
      float[] means = session.means(search.meanSequences());
      progress.phase("learning which of %,d nodes %s needs".formatted(means.length, task.name()));
      Discretized chosen = learn(model, search, examples, means, progress);
      TaskStats stats = chosen.stats();
      progress.phase("scoring the circuit on the final examples");
      TaskStats result =
          model.evaluate(
              examples.last(), new CircuitMask(chosen.keep(), means), stats.scale(), stats.shift());
      CircuitWeights weights =
          CircuitWeights.read(
              model, chosen.keep(), means, examples.lastSet(), session.tokenizer()::decode);
      Circuit circuit =
          new Circuit(
              Circuit.FORMAT,
              task.name(),
              session.source(examples),
              search.seed(),
              search.targetLoss(),
              stats.loss() <= search.targetLoss(),
              weights.counts(),
              new Calibration(stats.scale(), stats.shift()),
              new Losses(new Pair(stats, whole.validation()), new Pair(result, whole.last())),
              weights.nodes(),
              weights.edges(),
              weights.embeddings(),
              weights.unembeddings(),
              Json.tree(search));
      // Evidence is about the circuit that was there before.
      Files.deleteIfExists(session.folder().evidence(task.name()));
      circuit.write(session.folder().circuit(task.name()));
      return circuit;
    } catch (IOException e) {
      throw new RunException("cannot write the circuit: " + e.getMessage(), e);
    }
  }

  /** Search a model, whatever it can do. The examples are those of this model. */
  static Discretized learn(
      Model model, CircuitConfig search, TaskExamples examples, float[] means, Progress progress) {
    long steps = search.masks().steps();
    try (Pruner pruner = model.pruner(search.masks(), examples.train(), means)) {
      for (long step = 0; step < steps; ) {
        PruneStats stats = pruner.step(Math.min(CHUNK_STEPS, steps - step));
        step = stats.step();
        progress.pruned(stats, steps);
      }
      progress.phase("choosing the number of nodes");
      return pruner.discretize(examples.validation(), search.targetLoss());
    }
  }

  private NotLearntException notLearnt(Task task, TaskStats whole, double limit) {
    return new NotLearntException(
        ("the model of step %,d has not learnt %s: its own two-way loss is %.3f nats (%.0f%% right;"
                + " guessing is 0.693), above %.3f, up to which it counts as doing the task. Train"
                + " longer or on more text, or ask for less with --set prune.target_loss=...")
            .formatted(
                session.checkpoint().step(),
                task.name(),
                whole.loss(),
                100 * whole.accuracy(),
                limit),
        whole);
  }
}
