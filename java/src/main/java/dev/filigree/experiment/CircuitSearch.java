// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.Ablation;
import dev.filigree.CircuitMask;
import dev.filigree.Edge;
import dev.filigree.Engine;
import dev.filigree.EngineException;
import dev.filigree.Model;
import dev.filigree.TaskStats;
import dev.filigree.circuit.Circuit;
import dev.filigree.circuit.Circuit.Source;
import dev.filigree.circuit.Evidence;
import dev.filigree.circuit.Trace;
import dev.filigree.data.TokenFile;
import dev.filigree.data.Tokenizer;
import dev.filigree.experiment.Checkpoints.Checkpoint;
import dev.filigree.task.ExampleBuilder;
import dev.filigree.task.Task;
import dev.filigree.task.TaskException;
import dev.filigree.task.Tasks;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/**
 * One checkpoint, opened to find and check the circuits of several tasks: model, tokenizer and node
 * means are loaded once. Made by {@link Experiment#circuits}.
 *
 * <p>One thread at a time; close it before its engine.
 */
public final class CircuitSearch implements AutoCloseable {
  private final Engine engine;
  private final RunFolder folder;
  private final RunConfig config;
  private final List<Task> own;
  private final Progress progress;
  private final Checkpoint checkpoint;
  private final PreparedData data;
  private final Model model;
  private final Map<Integer, float[]> means = new HashMap<>(); // by windows of each corpus
  private float[] meanEmbedding; // of the training text, once it was asked for

  private CircuitSearch(
      Engine engine,
      RunFolder folder,
      RunConfig config,
      List<Task> own,
      Progress progress,
      Checkpoint checkpoint,
      PreparedData data,
      Model model) {
    this.engine = engine;
    this.folder = folder;
    this.config = config;
    this.own = own;
    this.progress = progress;
    this.checkpoint = checkpoint;
    this.data = data;
    this.model = model;
  }

  static CircuitSearch open(
      Engine engine,
      RunFolder folder,
      RunConfig config,
      List<Task> own,
      OptionalLong step,
      Progress progress) {
    Checkpoint checkpoint =
        step.isPresent() ? folder.checkpoints().at(step.getAsLong()) : folder.checkpoints().last();
    return open(engine, folder, config, own, checkpoint, progress);
  }

  /**
   * Open a checkpoint that may be one of another run.
   *
   * @throws RunException when its architecture is not the one of the configuration
   */
  static CircuitSearch open(
      Engine engine,
      RunFolder folder,
      RunConfig config,
      List<Task> own,
      Checkpoint checkpoint,
      Progress progress) {
    PreparedData data = PreparedData.open(folder, config);
    try {
      Model model = engine.loadModel(checkpoint.path(), config.init().execution());
      if (!model.config().equals(config.model())) {
        model.close();
        throw new RunException(
            "the model in %s has another architecture than the run in %s"
                .formatted(checkpoint.path(), folder.path()));
      }
      return new CircuitSearch(engine, folder, config, own, progress, checkpoint, data, model);
    } catch (RuntimeException e) {
      data.close();
      throw e;
    }
  }

  /**
   * Find the circuit of a task and write {@code circuits/<task>.json}.
   *
   * @throws PruneRun.NotLearntException when the whole model does not do the task
   */
  public Circuit prune(String task) {
    return prune(task, config.prune().targetLoss());
  }

  /**
   * The same for a model that does the task up to a loss.
   *
   * @param modelLimit the model does the task if its own losses are at most this, or the gate's
   *     limit; nats per sequence
   */
  public Circuit prune(String task, double modelLimit) {
    return new PruneRun(this).runAndWrite(task(task), modelLimit);
  }

  /**
   * Find a circuit of a task for each of several targets in one search, and write {@code
   * curves/<task>.json}.
   *
   * @param modelLimit as for {@link #prune(String, double)}
   * @return in the order of the targets
   * @throws PruneRun.NotLearntException when the whole model does not do the task
   */
  public List<Circuit> curve(String task, List<Double> targets, double modelLimit) {
    return new PruneRun(this).runAndWrite(task(task), targets, modelLimit);
  }

  /**
   * Find a circuit of a task for each of several targets in one search, and write nothing.
   *
   * @param modelLimit the model does the task if its own loss is at most this, or the gate's limit
   * @return in the order of the targets
   * @throws PruneRun.NotLearntException when the whole model does not do the task
   */
  List<Circuit> find(String task, List<Double> targets, double modelLimit) {
    return new PruneRun(this).run(task(task), targets, modelLimit);
  }

  /**
   * Check the circuit of a task, as {@code circuits/<task>.json} has it, and write {@code
   * evidence/<task>.json}. A circuit that is not there is looked for first; the evidence of a model
   * that does not do the task says so. Evidence that is there for this very circuit, model and
   * examples is taken as it is.
   *
   * @param effort how much is asked
   * @param again run every check anew, whatever is there
   * @throws RunException when the circuit is one of another model, vocabulary or set of examples
   */
  public Evidence evidence(String task, Effort effort, boolean again) {
    return new EvidenceRun(this).run(task(task), effort, again);
  }

  /**
   * Follow a prompt through the circuit of a task, as {@code circuits/<task>.json} has it; one that
   * is not there is looked for first.
   *
   * @param prompt text that ends where the answer comes; of a long one the end counts
   * @param answers the two answers, each one token; null for those of the task's examples
   * @throws RunException when the model does not do the task, or the circuit is one of another
   *     model or vocabulary
   * @throws IllegalArgumentException when an answer is not one token
   */
  public Trace trace(String task, String prompt, List<String> answers) {
    return new TraceRun(this).run(task(task), prompt, answers);
  }

  /** The task of a name, of those of Filigree and those of one's own. */
  Task task(String name) {
    return Tasks.named(name, own);
  }

  /** Score the whole model on a task. */
  public TaskScore score(String name) {
    Task task = Tasks.named(name, own);
    try (TaskExamples examples = examples(task, config.prune())) {
      return TaskScore.of(task, whole(examples));
    } catch (TaskException e) {
      return TaskScore.impossible(task, e.getMessage());
    }
  }

  /** Stop what runs now; it throws {@link EngineException.Cancelled}. Any thread. */
  void cancel() {
    model.cancel();
  }

  @Override
  public void close() {
    model.close();
    data.close();
  }

  RunFolder folder() {
    return folder;
  }

  RunConfig config() {
    return config;
  }

  Progress progress() {
    return progress;
  }

  Checkpoint checkpoint() {
    return checkpoint;
  }

  Tokenizer tokenizer() {
    return data.tokenizer();
  }

  Model model() {
    return model;
  }

  /**
   * Say what is done now.
   *
   * @param format with a place for the task of the circuit
   */
  void phase(String format, Circuit circuit) {
    progress.phase(format.formatted(circuit.task()));
  }

  /** Threads that the native core computes with. */
  int threads() {
    return engine.info().runtime().path("threads").asInt();
  }

  TaskExamples examples(Task task, CircuitConfig search) {
    return examples(model, task, search);
  }

  /** The same for another model with this tokenizer. */
  TaskExamples examples(Model model, Task task, CircuitConfig search) {
    progress.phase("making examples of " + task.name());
    return TaskExamples.make(
        model, new ExampleBuilder(task, tokenizer(), config.model().blockSize()), search);
  }

  /** What a circuit found with these examples is found in. */
  Source source(TaskExamples examples) {
    return new Source(
        folder.name(),
        checkpoint.step(),
        Checkpoints.hash(checkpoint, "model.safetensors"),
        tokenizer().hash(),
        examples.hashes());
  }

  /** What ablated nodes hold in a search: means, or zeros. */
  float[] means(CircuitConfig search) {
    return search.options().ablation() == Ablation.ZERO
        ? new float[Math.toIntExact(config.model().nodes())]
        : means(search.meanSequences());
  }

  /**
   * What a circuit is evaluated by in the model at hand, which need not be the one it was found in.
   * Where single edges were looked for, those of the circuit that are not zero here; else all
   * between its nodes, which such a circuit is the one of.
   *
   * @param search how it was found
   */
  CircuitMask mask(Circuit circuit, CircuitConfig search) {
    CircuitMask mask =
        circuit.mask(
            means(search),
            config.model().vocabSize(),
            circuit.tokens() == null ? null : embedding(search));
    List<Edge> edges = model.edges(mask.keep());
    boolean single = search.method() == PruneMethod.FAST && search.fast().edges();
    return mask.withEdges(single ? edges.stream().filter(mask.joins()).toList() : edges);
  }

  /**
   * What tokens are embedded as that a circuit does not tell apart: the mean embedding over the
   * training text, or zeros.
   */
  float[] embedding(CircuitConfig search) {
    if (search.options().ablation() == Ablation.ZERO) {
      return new float[config.model().dModel()];
    }
    if (meanEmbedding == null) {
      meanEmbedding = meanEmbedding();
    }
    return meanEmbedding;
  }

  private float[] meanEmbedding() {
    double[] shares = data.tokenShares(config.model().vocabSize());
    float[] table = model.readTensor("transformer.wte.weight");
    float[] mean = new float[config.model().dModel()];
    for (int channel = 0; channel < mean.length; channel++) {
      double sum = 0;
      for (int token = 0; token < shares.length; token++) {
        sum += shares[token] * table[token * mean.length + channel];
      }
      mean[channel] = (float) sum;
    }
    return mean;
  }

  /** The same for another model of this configuration, measured at every call. */
  float[] means(Model model, CircuitConfig search) {
    return search.options().ablation() == Ablation.ZERO
        ? new float[Math.toIntExact(config.model().nodes())]
        : means(model, search.meanSequences());
  }

  /**
   * Mean activations over the training text: each corpus weighs its share.
   *
   * @param sequences windows of each corpus, 0 for all
   */
  float[] means(int sequences) {
    return means.computeIfAbsent(sequences, _ -> means(model, sequences));
  }

  /** The same for another model of this configuration, measured at every call. */
  float[] means(Model model, int sequences) {
    progress.phase("averaging activations over the training text");
    float[] mean = new float[Math.toIntExact(config.model().nodes())];
    for (PreparedData.Part part : data.parts()) {
      TokenFile text = part.train();
      float[] of = model.nodeMeans(text, config.run().evalBatch(), sequences);
      double weight = data.weight(part);
      for (int i = 0; i < mean.length; i++) {
        mean[i] += (float) (weight * of[i]);
      }
    }
    return mean;
  }

  /** Make a model of this configuration that has learnt nothing. */
  Model untrained() {
    return UntrainedModel.of(engine, model, config.init());
  }

  /** Score the whole model with the calibration that is fitted to the training examples. */
  Evidence.Scores whole(TaskExamples examples) {
    return whole(examples, model.calibrate(examples.train()));
  }

  /** Score the whole model with a calibration. */
  Evidence.Scores whole(TaskExamples examples, TaskStats fit) {
    return new Evidence.Scores(
        model.evaluate(examples.validation(), null, fit.scale(), fit.shift()),
        model.evaluate(examples.last(), null, fit.scale(), fit.shift()));
  }
}
