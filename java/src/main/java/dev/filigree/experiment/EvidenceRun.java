// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.Calibration;
import dev.filigree.CircuitMask;
import dev.filigree.Model;
import dev.filigree.ModelInfo;
import dev.filigree.ModelInfo.Site;
import dev.filigree.TaskStats;
import dev.filigree.circuit.Checks;
import dev.filigree.circuit.Checks.Difference;
import dev.filigree.circuit.Checks.Faithful;
import dev.filigree.circuit.Checks.Final;
import dev.filigree.circuit.Checks.Gate;
import dev.filigree.circuit.Checks.Sufficient;
import dev.filigree.circuit.Circuit;
import dev.filigree.circuit.Circuit.Node;
import dev.filigree.circuit.Circuit.Source;
import dev.filigree.circuit.Circuit.SplitHashes;
import dev.filigree.circuit.Estimate;
import dev.filigree.circuit.Evidence;
import dev.filigree.circuit.Evidence.Answers;
import dev.filigree.circuit.Evidence.Probabilities;
import dev.filigree.circuit.Evidence.Prompt;
import dev.filigree.circuit.Evidence.Scores;
import dev.filigree.circuit.LiveNodes;
import dev.filigree.json.Json;
import dev.filigree.task.Example;
import dev.filigree.task.Task;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/** Checks circuits: those of a run in the checkpoint they were found in, or in another one. */
final class EvidenceRun {
  private static final int PROMPTS = 6;

  private final CircuitSearch session;
  private final Model model;

  EvidenceRun(CircuitSearch session) {
    this.session = session;
    this.model = session.model();
  }

  /**
   * Check the circuit of a task and write {@code evidence/<task>.json}, or take what is there when
   * it answers the same question. A circuit that is not there is looked for first.
   *
   * @param again do not take what is there
   */
  Evidence run(Task task, Effort effort, boolean again) {
    Optional<Circuit> circuit = session.folder().readCircuit(task.name());
    return circuit.isPresent()
        ? withCircuit(task, circuit.get(), effort, again)
        : withoutCircuit(task, effort);
  }

  private Evidence withCircuit(Task task, Circuit circuit, Effort effort, boolean again) {
    CircuitConfig search = searchOf(circuit);
    try (TaskExamples examples = session.examples(task, search)) {
      Source source = session.source(examples);
      requireSame(circuit, source);
      requireSame(circuit, "another model", circuit.source().modelHash(), source.modelHash());
      Optional<Evidence> recorded =
          session
              .folder()
              .evidenceAbout(circuit)
              .filter(there -> !again && (effort == Effort.QUICK || there.checks().withCostly()));
      if (recorded.isPresent()) {
        session.phase("taking the evidence of %s that is there", circuit);
        return recorded.get();
      }
      return written(check(task, circuit, search, source, examples, circuit.calibration(), effort));
    }
  }

  private Evidence withoutCircuit(Task task, Effort effort) {
    try (TaskExamples examples = session.examples(task, session.config().prune())) {
      TaskStats fit = model.calibrate(examples.train());
      Gate gate = gate(examples, fit.calibration(), model.differences(examples.last()));
      if (!gate.passed()) {
        Scores whole = session.whole(examples, fit);
        return written(Evidence.gateFailed(task.name(), session.source(examples), whole, gate));
      }
    }
    return withCircuit(task, session.prune(task.name()), effort, true);
  }

  private Evidence written(Evidence evidence) {
    try {
      evidence.write(session.folder().evidence(evidence.task()));
    } catch (IOException e) {
      throw new RunException("cannot write the evidence: " + e.getMessage(), e);
    }
    return evidence;
  }

  /**
   * Check a circuit in the checkpoint at hand, which need not be the one it was found in. Its nodes
   * are those of the file; means, edges and, where it has one, the calibration are those of the
   * checkpoint.
   */
  Evidence elsewhere(Task task, Circuit circuit, Effort effort) {
    CircuitConfig search = searchOf(circuit);
    try (TaskExamples examples = session.examples(task, search)) {
      Source source = session.source(examples);
      requireSame(circuit, source);
      requireFits(circuit);
      CircuitMask mask = session.mask(circuit, search);
      return check(
          task,
          circuit,
          search,
          source,
          examples,
          search.options().calibrate()
              ? model.calibrate(examples.train(), mask).calibration()
              : Calibration.NONE,
          effort);
    }
  }

  /** How a circuit was searched, which is not always how the run says now. */
  CircuitConfig searchOf(Circuit circuit) {
    try {
      return Json.read(circuit.config().toString(), CircuitConfig.class);
    } catch (IllegalArgumentException e) {
      throw new RunException(
          "%s does not say how its circuit was searched: %s"
              .formatted(session.folder().circuit(circuit.task()), e.getMessage()),
          e);
    }
  }

  private Gate gate(TaskExamples examples, Calibration fit, float[] ofLast) {
    return Gate.of(
        Estimate.ofPairs(fit.losses(model.differences(examples.validation()))),
        Estimate.ofPairs(fit.losses(ofLast)));
  }

  private void requireSame(Circuit circuit, Source now) {
    Source then = circuit.source();
    requireSame(circuit, "another tokenizer", then.tokenizerHash(), now.tokenizerHash());
    SplitHashes old = then.taskHashes();
    SplitHashes made = now.taskHashes();
    requireSame(circuit, "other training examples", old.train(), made.train());
    requireSame(circuit, "other validation examples", old.validation(), made.validation());
    requireSame(circuit, "other final examples", old.last(), made.last());
  }

  private void requireSame(Circuit circuit, String what, String then, String now) {
    if (!then.equals(now)) {
      throw new RunException(
          ("the circuit of %s was found with %s than there are now in %s at step %,d (SHA-256"
                  + " %.12s, now %.12s); ./filigree prune --task %s finds one there")
              .formatted(
                  circuit.task(),
                  what,
                  session.folder().path(),
                  session.checkpoint().step(),
                  then,
                  now,
                  circuit.task()));
    }
  }

  /** A circuit of another run may have its tokenizer and its examples, and none of its nodes. */
  private void requireFits(Circuit circuit) {
    ModelInfo info = model.info();
    boolean fits =
        circuit.counts().modelNodes() == info.nodes()
            && circuit.nodes().stream()
                .allMatch(node -> info.sites().stream().anyMatch(site -> has(site, node)));
    if (!fits) {
      throw new RunException(
          "the circuit of %s is one of a model of another architecture than that in %s"
              .formatted(circuit.task(), session.checkpoint().path()));
    }
  }

  private static boolean has(Site site, Node node) {
    return site.layer() == node.layer()
        && site.kind().equals(node.kind())
        && node.channel() >= 0
        && node.channel() < site.width()
        && node.index() == site.offset() + node.channel();
  }

  private Evidence check(
      Task task,
      Circuit circuit,
      CircuitConfig search,
      Source source,
      TaskExamples examples,
      Calibration calibration,
      Effort effort) {
    session.phase("scoring %s and its circuit", circuit);
    CircuitMask mask = session.mask(circuit, search);
    TaskStats fit = model.calibrate(examples.train());
    Scores whole = session.whole(examples, fit);
    float[] ofModel = model.differences(examples.last());
    float[] ofCircuit = model.differences(examples.last(), mask);
    Estimate validation =
        Estimate.ofPairs(calibration.losses(model.differences(examples.validation(), mask)));
    Estimate last = Estimate.ofPairs(calibration.losses(ofCircuit));
    List<Difference> differences =
        IntStream.range(0, ofModel.length)
            .mapToObj(
                i -> new Difference(fit.calibration().z(ofModel[i]), calibration.z(ofCircuit[i])))
            .toList();
    boolean full = effort == Effort.FULL;
    boolean[] live = LiveNodes.of(model, session.means(search.meanSequences()));
    Subject subject =
        new Subject(
            task, circuit, search, examples, mask, calibration, fit.calibration(), whole, live);
    CostlyChecks costly = new CostlyChecks(session, subject);
    try (Slices slices = new Slices(model, examples)) {
      InterventionChecks interventions = new InterventionChecks(session, subject, slices);
      Checks checks =
          new Checks(
              gate(examples, fit.calibration(), ofModel),
              Final.of(last, whole),
              Sufficient.of(circuit.targetLoss(), validation, last, whole),
              interventions.necessary(),
              interventions.resample(),
              interventions.interchange(ofModel),
              Faithful.of(differences),
              interventions.relaxation(),
              interventions.ablations(full),
              full ? costly.seeds(last) : null,
              full ? costly.randomInit() : null,
              full ? costly.binarised() : null,
              full ? costly.variants() : null);
      return Evidence.of(
          circuit, source, whole, checks, prompts(examples.lastSet().examples(), differences));
    }
  }

  /** Examples of as many templates as possible, one that the model gets wrong among them. */
  private List<Prompt> prompts(List<Example> examples, List<Difference> differences) {
    Map<String, Integer> seen = new HashMap<>();
    int[] round = new int[examples.size()]; // how many examples of its template come before
    Arrays.setAll(round, i -> seen.merge(examples.get(i).template(), 1, Integer::sum));
    List<Integer> chosen =
        new ArrayList<>(
            IntStream.range(0, round.length)
                .boxed()
                .sorted(Comparator.comparing(i -> round[i]))
                .limit(PROMPTS)
                .toList());
    if (chosen.stream().noneMatch(i -> isWrong(differences, i))) {
      IntStream.range(0, round.length)
          .filter(i -> isWrong(differences, i))
          .findFirst()
          .ifPresent(i -> chosen.set(chosen.size() - 1, i));
    }
    return chosen.stream().map(i -> prompt(examples.get(i), i, differences)).toList();
  }

  private static boolean isWrong(List<Difference> differences, int pair) {
    return !IntStream.of(2 * pair, 2 * pair + 1)
        .allMatch(i -> Calibration.isRight(i, differences.get(i).model()));
  }

  private Prompt prompt(Example example, int pair, List<Difference> differences) {
    Difference a = differences.get(2 * pair);
    Difference b = differences.get(2 * pair + 1);
    return new Prompt(
        example.id(),
        example.template(),
        example.textA(),
        example.textB(),
        new Answers(
            session.tokenizer().decode(example.targetA()),
            session.tokenizer().decode(example.targetB())),
        new Probabilities(
            Calibration.probabilityOf(a.model()), Calibration.probabilityOf(-b.model())),
        new Probabilities(
            Calibration.probabilityOf(a.circuit()), Calibration.probabilityOf(-b.circuit())));
  }
}
