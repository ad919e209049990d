// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.Discretized;
import dev.filigree.Engine;
import dev.filigree.Examples;
import dev.filigree.Model;
import dev.filigree.PruneStats;
import dev.filigree.Pruner;
import dev.filigree.TaskStats;
import dev.filigree.circuit.Circuit;
import dev.filigree.circuit.Circuit.Calibration;
import dev.filigree.circuit.Circuit.Losses;
import dev.filigree.circuit.Circuit.Pair;
import dev.filigree.circuit.Circuit.Source;
import dev.filigree.circuit.Circuit.SplitHashes;
import dev.filigree.circuit.CircuitWeights;
import dev.filigree.data.TokenFile;
import dev.filigree.data.Tokenizer;
import dev.filigree.experiment.Checkpoints.Checkpoint;
import dev.filigree.json.Json;
import dev.filigree.task.ExampleBuilder;
import dev.filigree.task.ExampleSet;
import dev.filigree.task.Split;
import dev.filigree.task.Task;
import dev.filigree.task.Tasks;
import java.io.IOException;
import java.util.OptionalLong;

/**
 * Finds the circuit of a task: learns node masks on one set of templates, chooses their number on a
 * second, reports on a third, and writes {@code circuits/<task>.json}.
 */
public final class PruneRun {
  private static final long CHUNK_STEPS = 5;

  private final Engine engine;
  private final RunFolder folder;
  private final RunConfig config;
  private final Progress progress;

  PruneRun(Engine engine, RunFolder folder, RunConfig config, Progress progress) {
    this.engine = engine;
    this.folder = folder;
    this.config = config;
    this.progress = progress;
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
   * @param step of the checkpoint, the last one if none is asked for
   * @throws NotLearntException when the whole model misses the target loss already
   */
  Circuit run(String taskName, OptionalLong step) {
    Task task = Tasks.named(taskName);
    Checkpoint checkpoint =
        step.isPresent() ? folder.checkpoints().at(step.getAsLong()) : folder.checkpoints().last();
    CircuitConfig search = config.prune();
    try (PreparedData data = PreparedData.open(folder, config);
        Model model = engine.loadModel(checkpoint.path(), config.init().precision())) {
      progress.phase("making examples of " + taskName);
      Tokenizer tokenizer = data.tokenizer();
      ExampleBuilder builder = new ExampleBuilder(task, tokenizer, config.model().blockSize());
      ExampleSet train = builder.build(Split.TRAIN, search.trainPairs(), search.seed());
      ExampleSet validation =
          builder.build(Split.VALIDATION, search.validationPairs(), search.seed());
      ExampleSet last = builder.build(Split.FINAL, search.finalPairs(), search.seed());
      try (Examples trainExamples = model.examples(train);
          Examples validationExamples = model.examples(validation);
          Examples lastExamples = model.examples(last)) {
        TaskStats fit = model.calibrate(trainExamples);
        TaskStats whole = whole(model, validationExamples, fit);
        if (whole.loss() > search.targetLoss()) {
          throw notLearnt(task, checkpoint, whole);
        }
        progress.phase("averaging activations over the training text");
        float[] means = means(model, data);
        progress.phase("learning which of %,d nodes %s needs".formatted(means.length, taskName));
        Discretized chosen = learn(model, trainExamples, validationExamples, means);
        TaskStats stats = chosen.stats();
        progress.phase("scoring the circuit on the final examples");
        TaskStats result =
            model.evaluate(lastExamples, means, chosen.keep(), stats.scale(), stats.shift());
        CircuitWeights weights =
            CircuitWeights.read(model, chosen.keep(), means, last, tokenizer::decode);
        Circuit circuit =
            new Circuit(
                Circuit.FORMAT,
                taskName,
                new Source(
                    folder.name(),
                    checkpoint.step(),
                    Checkpoints.hash(checkpoint, "model.safetensors"),
                    tokenizer.hash(),
                    new SplitHashes(train.hash(), validation.hash(), last.hash())),
                search.seed(),
                search.targetLoss(),
                stats.loss() <= search.targetLoss(),
                weights.counts(),
                new Calibration(stats.scale(), stats.shift()),
                new Losses(
                    new Pair(stats, whole), new Pair(result, whole(model, lastExamples, fit))),
                weights.nodes(),
                weights.edges(),
                weights.embeddings(),
                weights.unembeddings(),
                Json.tree(search));
        circuit.write(folder.circuit(taskName));
        return circuit;
      }
    } catch (IOException e) {
      throw new RunException("cannot write the circuit: " + e.getMessage(), e);
    }
  }

  /** Score the whole model with the calibration that was fitted to the training examples. */
  private static TaskStats whole(Model model, Examples examples, TaskStats fit) {
    return model.evaluate(examples, null, null, fit.scale(), fit.shift());
  }

  private Discretized learn(Model model, Examples train, Examples validation, float[] means) {
    CircuitConfig search = config.prune();
    long steps = search.masks().steps();
    try (Pruner pruner = model.pruner(search.masks(), train, means)) {
      for (long step = 0; step < steps; ) {
        PruneStats stats = pruner.step(Math.min(CHUNK_STEPS, steps - step));
        step = stats.step();
        progress.pruned(stats, steps);
      }
      progress.phase("choosing the number of nodes");
      return pruner.discretize(validation, search.targetLoss());
    }
  }

  /** Mean activations over the training text: each corpus weighs its share. */
  private float[] means(Model model, PreparedData data) {
    float[] mean = new float[Math.toIntExact(config.model().nodes())];
    for (PreparedData.Part part : data.parts()) {
      TokenFile text = part.train();
      float[] of = model.nodeMeans(text, config.run().evalBatch(), config.prune().meanSequences());
      double weight = data.weight(part);
      for (int i = 0; i < mean.length; i++) {
        mean[i] += (float) (weight * of[i]);
      }
    }
    return mean;
  }

  private NotLearntException notLearnt(Task task, Checkpoint checkpoint, TaskStats whole) {
    return new NotLearntException(
        ("the model of step %,d has not learnt %s: its own two-way loss is %.3f nats (%.0f%% right;"
                + " guessing is 0.693), above the target of %.3f that a circuit should reach. Train"
                + " longer or on more text, or ask for less with --set prune.target_loss=...")
            .formatted(
                checkpoint.step(),
                task.name(),
                whole.loss(),
                100 * whole.accuracy(),
                config.prune().targetLoss()),
        whole);
  }
}
