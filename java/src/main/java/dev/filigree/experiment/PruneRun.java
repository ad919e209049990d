// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.filigree.Ablation;
import dev.filigree.Calibration;
import dev.filigree.CircuitMask;
import dev.filigree.Discretized;
import dev.filigree.Edge;
import dev.filigree.FastPruneStats;
import dev.filigree.FastPruner;
import dev.filigree.FoundCircuit;
import dev.filigree.Model;
import dev.filigree.PruneConfig;
import dev.filigree.PruneStats;
import dev.filigree.Pruner;
import dev.filigree.TaskStats;
import dev.filigree.TokenMask;
import dev.filigree.circuit.Checks;
import dev.filigree.circuit.Circuit;
import dev.filigree.circuit.Circuit.Losses;
import dev.filigree.circuit.Circuit.Method;
import dev.filigree.circuit.Circuit.Pair;
import dev.filigree.circuit.Circuit.Token;
import dev.filigree.circuit.CircuitWeights;
import dev.filigree.circuit.Evidence;
import dev.filigree.data.AtomicFile;
import dev.filigree.json.Json;
import dev.filigree.task.Task;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Finds the circuit of a task: learns on one set of templates, chooses on a second, reports on a
 * third, and writes {@code circuits/<task>.json}.
 */
public final class PruneRun {
  private static final int CURVE_FORMAT = 1;
  private static final long CHUNK_STEPS = 5;

  /** Edges that a nat above the target counts for in the search for hyper-parameters. */
  private static final double MISSED = 50_000;

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

    private final transient Evidence.Scores model;

    NotLearntException(String message, Evidence.Scores model) {
      super(message);
      this.model = model;
    }

    /** How the whole model does. */
    public Evidence.Scores model() {
      return model;
    }
  }

  /**
   * Find a circuit for each of several targets in one search.
   *
   * @param modelLimit the model does the task if its own losses are at most this, or the gate's
   *     limit
   * @return in the order of the targets; none is written to a file
   * @throws NotLearntException when the whole model does not do the task
   */
  List<Circuit> run(Task task, List<Double> targets, double modelLimit) {
    try (TaskExamples examples = session.examples(task, search)) {
      Evidence.Scores whole = session.whole(examples);
      double limit = Checks.Gate.limitOfSearch(modelLimit);
      if (!Checks.Gate.admits(whole, limit)) {
        throw notLearnt(task, whole, limit);
      }
      float[] means = session.means(search);
      progress.phase("learning which of %,d nodes %s needs".formatted(means.length, task.name()));
      List<FoundCircuit> found = find(model, search, examples, means, targets, progress);
      progress.phase("scoring the circuit on the final examples");
      List<Circuit> circuits = new ArrayList<>();
      for (int i = 0; i < targets.size(); i++) {
        FoundCircuit one = withTokens(found.get(i), targets.get(i), examples, means);
        circuits.add(circuit(task, examples, whole, targets.get(i), one, means));
      }
      return circuits;
    }
  }

  /**
   * Find the circuit and write it.
   *
   * @param modelLimit the model does the task if its own losses are at most this, or the gate's
   *     limit
   */
  Circuit runAndWrite(Task task, double modelLimit) {
    Circuit circuit = run(task, List.of(search.targetLoss()), modelLimit).getFirst();
    try {
      session.folder().forgetEvidence(task.name());
      circuit.write(session.folder().circuit(task.name()));
    } catch (IOException e) {
      throw new RunException("cannot write the circuit: " + e.getMessage(), e);
    }
    return circuit;
  }

  /** Find a circuit for each target and write them. */
  List<Circuit> runAndWrite(Task task, List<Double> targets, double modelLimit) {
    List<Circuit> circuits = run(task, targets, modelLimit);
    ObjectNode curve = Json.object();
    curve.put("format", CURVE_FORMAT).put("task", task.name()).set("circuits", Json.tree(circuits));
    try {
      AtomicFile.write(
          session.folder().curve(task.name()),
          (curve.toPrettyString() + "\n").getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new RunException("cannot write the circuits: " + e.getMessage(), e);
    }
    return circuits;
  }

  /** Leave out tokens that the circuit need not tell apart, where that was asked for. */
  private FoundCircuit withTokens(
      FoundCircuit found, double target, TaskExamples examples, float[] means) {
    if (!search.tokens()) {
      return found;
    }
    progress.phase("looking for the tokens that the circuit has to tell apart");
    boolean[] all = new boolean[session.config().model().vocabSize()];
    Arrays.fill(all, true);
    CircuitMask mask =
        found
            .mask(means, search.options().frozenNorms())
            .withTokens(new TokenMask(all, session.embedding(search)));
    FoundCircuit fewer =
        model.chooseTokens(
            examples.train(),
            examples.validation(),
            mask,
            search.method() == PruneMethod.FAST ? aim(found, target, examples, means) : target,
            search.options().calibrate());
    return fewer.reached()
        ? fewer
        : new FoundCircuit(
            found.keep(), found.edges(), found.calibration(), found.reached(), fewer.tokens());
  }

  /** Loss to keep when tokens are left out: a part of the way from the circuit's to the target. */
  private double aim(FoundCircuit found, double target, TaskExamples examples, float[] means) {
    CircuitMask mask = found.mask(means, search.options().frozenNorms());
    double scale = found.calibration().scale();
    double shift = found.calibration().shift();
    double loss =
        Math.max(
            model.evaluate(examples.train(), mask, scale, shift).loss(),
            model.evaluate(examples.validation(), mask, scale, shift).loss());
    double margin = search.fast().margin();
    return Math.min(target, loss + margin * (target - loss));
  }

  /**
   * Score what was found on the whole model, with exactly its nodes, edges and tokens, all else at
   * its mean, whatever it was ablated to in the search.
   */
  private Circuit circuit(
      Task task,
      TaskExamples examples,
      Evidence.Scores whole,
      double target,
      FoundCircuit found,
      float[] means) {
    CircuitMask mask = found.mask(means, search.options().frozenNorms());
    boolean byDonors = search.options().ablation() == Ablation.RESAMPLE;
    Calibration calibration = calibration(model, search, examples, found, mask);
    TaskStats validation =
        model.evaluate(examples.validation(), mask, calibration.scale(), calibration.shift());
    TaskStats last =
        model.evaluate(examples.last(), mask, calibration.scale(), calibration.shift());
    CircuitWeights weights =
        CircuitWeights.read(model, mask, examples.lastSet(), session.tokenizer()::decode);
    return new Circuit(
        Circuit.FORMAT,
        task.name(),
        session.source(examples),
        search.seed(),
        new Method(search.method().key(), search.options()),
        target,
        found.reached() && (byDonors || Checks.reaches(validation.loss(), target)),
        weights.counts(),
        calibration,
        new Losses(new Pair(validation, whole.validation()), new Pair(last, whole.last())),
        weights.nodes(),
        weights.edges(),
        weights.embeddings(),
        weights.unembeddings(),
        tokensOf(found),
        Json.tree(search));
  }

  /**
   * Calibration of what a search has found with all else at its mean. That of a search by donors is
   * for those, so it is fitted anew.
   *
   * @param mask what was found, as it is evaluated
   */
  static Calibration calibration(
      Model model,
      CircuitConfig search,
      TaskExamples examples,
      FoundCircuit found,
      CircuitMask mask) {
    return search.options().ablation() == Ablation.RESAMPLE && search.options().calibrate()
        ? model.calibrate(examples.train(), mask).calibration()
        : found.calibration();
  }

  private List<Token> tokensOf(FoundCircuit found) {
    if (found.tokens() == null) {
      return null;
    }
    boolean[] keep = found.tokens().keep();
    return IntStream.range(0, keep.length)
        .filter(token -> keep[token])
        .mapToObj(token -> new Token(token, session.tokenizer().decode(token)))
        .toList();
  }

  /** Search a model, whatever it can do, for one target. The examples are those of this model. */
  static FoundCircuit find(
      Model model, CircuitConfig search, TaskExamples examples, float[] means, Progress progress) {
    return find(model, search, examples, means, List.of(search.targetLoss()), progress).getFirst();
  }

  /** The same for several. */
  static List<FoundCircuit> find(
      Model model,
      CircuitConfig search,
      TaskExamples examples,
      float[] means,
      List<Double> targets,
      Progress progress) {
    if (search.method() == PruneMethod.PUBLISHED) {
      return published(model, search, examples, means, targets, progress);
    }
    FastPruner.Task task = new FastPruner.Task(examples.train(), examples.validation());
    try (FastPruner pruner =
        model.fastPruner(search.fast().config(search.options(), targets), List.of(task), means)) {
      FastPruneStats stats;
      do {
        stats = pruner.advance();
        progress.searched(stats);
      } while (stats.phase() != FastPruneStats.Phase.DONE);
      return IntStream.range(0, targets.size())
          .mapToObj(target -> pruner.circuit(0, target))
          .toList();
    }
  }

  /**
   * Run the published algorithm with one set of hyper-parameters after the other. Every run's masks
   * are cut for every target; what the next ones are like is decided by the strictest.
   */
  private static List<FoundCircuit> published(
      Model model,
      CircuitConfig search,
      TaskExamples examples,
      float[] means,
      List<Double> targets,
      Progress progress) {
    int runs = search.published().runs();
    int strictest = targets.indexOf(Collections.min(targets));
    MaskSearch hyper = new MaskSearch(search.published().masks(), search.maskSeed());
    List<Cut> smallest = new ArrayList<>();
    for (int run = 1; run <= runs; run++) {
      if (runs > 1) {
        progress.phase("run %d of %d".formatted(run, runs));
      }
      PruneConfig masks = hyper.next();
      List<Cut> cuts = learn(model, search, masks, examples, means, targets, progress);
      Cut judged = cuts.get(strictest);
      hyper.add(new MaskSearch.Trial(masks, judged.size(), judged.nodes()));
      if (run == 1) {
        smallest.addAll(cuts);
      }
      for (int i = 0; i < cuts.size(); i++) {
        if (cuts.get(i).size() < smallest.get(i).size()) {
          smallest.set(i, cuts.get(i));
        }
      }
    }
    return smallest.stream().map(Cut::circuit).toList();
  }

  /**
   * Masks cut down to a circuit for a target.
   *
   * @param size edges, and many more where the target is missed
   * @param nodes the same of nodes
   */
  private record Cut(FoundCircuit circuit, double size, double nodes) {
    static Cut of(Model model, Discretized chosen, double target) {
      List<Edge> edges = model.edges(chosen.keep());
      double missed = Math.max(0, chosen.stats().loss() - target);
      return new Cut(
          new FoundCircuit(chosen.keep(), edges, chosen.stats().calibration(), missed == 0),
          edges.size() + MISSED * missed,
          chosen.stats().nodes() + MISSED * missed);
    }
  }

  private static List<Cut> learn(
      Model model,
      CircuitConfig search,
      PruneConfig masks,
      TaskExamples examples,
      float[] means,
      List<Double> targets,
      Progress progress) {
    long steps = masks.steps();
    try (Pruner pruner = model.pruner(masks, search.options(), examples.train(), means)) {
      for (long step = 0; step < steps; ) {
        PruneStats stats = pruner.step(Math.min(CHUNK_STEPS, steps - step));
        step = stats.step();
        progress.pruned(stats, steps);
      }
      return targets.stream()
          .map(target -> Cut.of(model, pruner.discretize(examples.validation(), target), target))
          .toList();
    }
  }

  private NotLearntException notLearnt(Task task, Evidence.Scores whole, double limit) {
    return new NotLearntException(
        ("the model of step %,d has not learnt %s: its own two-way loss is %.3f nats on validation"
             + " and %.3f on final examples (guessing is 0.693); a model does a task with at most"
             + " %.3f on both. Train longer or on more text, or ask for less with --set"
             + " prune.target_loss=...; --unlearnt searches all the same")
            .formatted(
                session.checkpoint().step(),
                task.name(),
                whole.validation().loss(),
                whole.last().loss(),
                limit),
        whole);
  }
}
