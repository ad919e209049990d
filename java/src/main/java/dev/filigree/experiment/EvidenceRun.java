// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.Calibration;
import dev.filigree.CircuitMask;
import dev.filigree.Model;
import dev.filigree.TaskStats;
import dev.filigree.circuit.Circuit;
import dev.filigree.circuit.Circuit.Node;
import dev.filigree.circuit.Circuit.Source;
import dev.filigree.circuit.Circuit.SplitHashes;
import dev.filigree.circuit.Evidence;
import dev.filigree.circuit.Evidence.Answers;
import dev.filigree.circuit.Evidence.Difference;
import dev.filigree.circuit.Evidence.Faithful;
import dev.filigree.circuit.Evidence.Gate;
import dev.filigree.circuit.Evidence.Necessary;
import dev.filigree.circuit.Evidence.Probabilities;
import dev.filigree.circuit.Evidence.Prompt;
import dev.filigree.circuit.Evidence.Scores;
import dev.filigree.circuit.Evidence.Sufficient;
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
import java.util.SplittableRandom;
import java.util.function.IntPredicate;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;

/** Checks the circuit of a task and writes {@code evidence/<task>.json}. */
final class EvidenceRun {
  private static final int DRAWS = 8;
  private static final int LIVE_DRAWS = 4;
  private static final int PROMPTS = 6;

  private final CircuitSearch session;
  private final Model model;

  EvidenceRun(CircuitSearch session) {
    this.session = session;
    this.model = session.model();
  }

  Evidence run(Task task) {
    Circuit circuit = session.folder().readCircuit(task.name()).orElse(null);
    CircuitConfig search = circuit == null ? session.config().prune() : searchOf(circuit);
    try (TaskExamples examples = session.examples(task, search)) {
      Source source = session.source(examples);
      Evidence evidence;
      if (circuit == null) {
        evidence = withoutCircuit(task, source, session.whole(examples));
      } else {
        requireSame(circuit, source);
        evidence = check(circuit, examples, session.means(search.meanSequences()));
      }
      evidence.write(session.folder().evidence(task.name()));
      return evidence;
    } catch (IOException e) {
      throw new RunException("cannot write the evidence: " + e.getMessage(), e);
    }
  }

  /** How a circuit was searched, which is not always how the run says now. */
  private CircuitConfig searchOf(Circuit circuit) {
    try {
      return Json.read(circuit.config().toString(), CircuitConfig.class);
    } catch (IllegalArgumentException e) {
      throw new RunException(
          "%s does not say how its circuit was searched: %s"
              .formatted(session.folder().circuit(circuit.task()), e.getMessage()),
          e);
    }
  }

  private static Evidence withoutCircuit(Task task, Source source, Scores whole) {
    if (Gate.of(whole).passed()) {
      throw new RunException(
          "there is no circuit of %s yet; ./filigree prune --task %s finds it"
              .formatted(task.name(), task.name()));
    }
    return Evidence.gateFailed(task.name(), source, whole);
  }

  private void requireSame(Circuit circuit, Source now) {
    Source then = circuit.source();
    requireSame(circuit, "another model", then.modelHash(), now.modelHash());
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
          ("the circuit in %s was found with %s than there are now at step %,d (SHA-256 %.12s, now"
                  + " %.12s); find it anew with ./filigree prune --task %s")
              .formatted(
                  session.folder().circuit(circuit.task()),
                  what,
                  session.checkpoint().step(),
                  then,
                  now,
                  circuit.task()));
    }
  }

  private Evidence check(Circuit circuit, TaskExamples examples, float[] means) {
    boolean[] inside = new boolean[means.length];
    for (Node node : circuit.nodes()) {
      inside[node.index()] = true;
    }
    CircuitMask mask = new CircuitMask(inside, means);
    session.progress().phase("scoring %s and its circuit".formatted(circuit.task()));
    TaskStats fit = model.calibrate(examples.train());
    Scores whole = session.whole(examples, fit);
    double scale = circuit.calibration().scale();
    double shift = circuit.calibration().shift();
    Sufficient sufficient =
        Sufficient.of(
            circuit.targetLoss(),
            model.evaluate(examples.validation(), mask, scale, shift).loss(),
            model.evaluate(examples.last(), mask, scale, shift).loss(),
            whole);
    List<Difference> differences =
        differences(
            model.differences(examples.last()),
            fit,
            model.differences(examples.last(), mask),
            circuit.calibration());
    return new Evidence(
        Evidence.FORMAT,
        circuit.task(),
        circuit.source(),
        circuit.counts().nodes(),
        circuit.counts().edges(),
        whole,
        Gate.of(whole),
        sufficient,
        necessary(circuit, examples, means, inside, whole.last().loss()),
        Faithful.of(differences),
        prompts(examples.lastSet().examples(), differences),
        Gate.of(whole).passed() && sufficient.last() <= sufficient.limit());
  }

  private static List<Difference> differences(
      float[] whole, TaskStats fit, float[] circuit, Calibration calibration) {
    return IntStream.range(0, whole.length)
        .mapToObj(
            i ->
                new Difference(
                    whole[i] * fit.scale() + fit.shift(),
                    circuit[i] * calibration.scale() + calibration.shift()))
        .toList();
  }

  private Necessary necessary(
      Circuit circuit, TaskExamples examples, float[] means, boolean[] inside, double whole) {
    int size = circuit.nodes().size();
    session
        .progress()
        .phase("ablating the %,d nodes of %s, and others".formatted(size, circuit.task()));
    boolean[] live = LiveNodes.of(model, means);
    RandomGenerator random = new SplittableRandom(circuit.seed());
    return Necessary.of(
        lossWithout(inside, examples, means),
        lossesWithout(i -> !inside[i], size, DRAWS, random, examples, means),
        lossesWithout(i -> !inside[i] && live[i], size, LIVE_DRAWS, random, examples, means),
        whole);
  }

  /** Losses without some nodes, drawn from those that are eligible; none if these are too few. */
  private List<Double> lossesWithout(
      IntPredicate eligible,
      int size,
      int draws,
      RandomGenerator random,
      TaskExamples examples,
      float[] means) {
    int[] from = IntStream.range(0, means.length).filter(eligible).toArray();
    List<Double> losses = new ArrayList<>();
    for (int draw = 0; draw < draws && size <= from.length; draw++) {
      losses.add(lossWithout(draw(from, size, means.length, random), examples, means));
    }
    return losses;
  }

  /** Final loss of the model with nodes ablated, calibrated anew on the training examples. */
  private double lossWithout(boolean[] ablated, TaskExamples examples, float[] means) {
    CircuitMask rest = new CircuitMask(ablated, means).inverted();
    TaskStats fit = model.calibrate(examples.train(), rest);
    return model.evaluate(examples.last(), rest, fit.scale(), fit.shift()).loss();
  }

  /** Draw nodes without replacement: the first places of a Fisher-Yates shuffle. */
  private static boolean[] draw(int[] from, int size, int nodes, RandomGenerator random) {
    int[] order = from.clone();
    boolean[] drawn = new boolean[nodes];
    for (int i = 0; i < size; i++) {
      int other = i + random.nextInt(order.length - i);
      drawn[order[other]] = true;
      order[other] = order[i];
    }
    return drawn;
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
    return !(differences.get(2 * pair).model() > 0 && differences.get(2 * pair + 1).model() < 0);
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
        new Probabilities(probability(a.model()), probability(-b.model())),
        new Probabilities(probability(a.circuit()), probability(-b.circuit())));
  }

  private static double probability(double difference) {
    return 1 / (1 + Math.exp(-difference));
  }
}
