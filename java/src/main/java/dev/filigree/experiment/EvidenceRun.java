// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.BinarisationConfig;
import dev.filigree.BinaryLevels;
import dev.filigree.Calibration;
import dev.filigree.CircuitMask;
import dev.filigree.Edge;
import dev.filigree.Examples;
import dev.filigree.FoundCircuit;
import dev.filigree.Model;
import dev.filigree.TaskStats;
import dev.filigree.circuit.Checks;
import dev.filigree.circuit.Checks.Ablations;
import dev.filigree.circuit.Checks.Binarised;
import dev.filigree.circuit.Checks.Difference;
import dev.filigree.circuit.Checks.Faithful;
import dev.filigree.circuit.Checks.Final;
import dev.filigree.circuit.Checks.Gate;
import dev.filigree.circuit.Checks.Interchange;
import dev.filigree.circuit.Checks.Levels;
import dev.filigree.circuit.Checks.Necessary;
import dev.filigree.circuit.Checks.NodeDelta;
import dev.filigree.circuit.Checks.RandomInit;
import dev.filigree.circuit.Checks.Relaxation;
import dev.filigree.circuit.Checks.Resample;
import dev.filigree.circuit.Checks.Seeds;
import dev.filigree.circuit.Checks.Sufficient;
import dev.filigree.circuit.Checks.Variants;
import dev.filigree.circuit.Circuit;
import dev.filigree.circuit.Circuit.Node;
import dev.filigree.circuit.Circuit.Source;
import dev.filigree.circuit.Circuit.SplitHashes;
import dev.filigree.circuit.Evidence;
import dev.filigree.circuit.Evidence.Answers;
import dev.filigree.circuit.Evidence.Probabilities;
import dev.filigree.circuit.Evidence.Prompt;
import dev.filigree.circuit.Evidence.Scores;
import dev.filigree.circuit.LiveNodes;
import dev.filigree.circuit.Loss;
import dev.filigree.json.Json;
import dev.filigree.task.Example;
import dev.filigree.task.ExampleSet;
import dev.filigree.task.Task;
import dev.filigree.task.Variant;
import dev.filigree.task.Variant.LevelExamples;
import dev.filigree.task.Variant.Member;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.function.IntPredicate;
import java.util.function.Predicate;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;

/** Checks circuits: those of a run in the checkpoint they were found in, or in another one. */
final class EvidenceRun {
  private static final int DRAWS = 8;
  private static final int LIVE_DRAWS = 4;
  private static final int RESAMPLES = 2;
  private static final int INTERCHANGES = 4;
  private static final List<Double> RELAXED_SHARES = List.of(0.25, 0.5, 0.75);
  private static final int RELAXATIONS = 4;
  private static final int SLICES = 4; // one is enough for a draw of other nodes
  private static final int SLICE_PAIRS = 16; // at least
  private static final int ABLATION_PAIRS = 8;
  private static final int OTHERS = 20;
  private static final int SEEDS = 5;

  /** Between the seeds of two searches: each may count up from its own, one a run. */
  private static final long SEED_STRIDE = 1_000_000;

  private static final int VARIANT_PAIRS = 64;
  private static final int PROMPTS = 6;
  private static final BinarisationConfig BINARISATION = new BinarisationConfig(150, 32, 32, 0.03);

  private final CircuitSearch session;
  private final Model model;

  EvidenceRun(CircuitSearch session) {
    this.session = session;
    this.model = session.model();
  }

  /**
   * Check the circuit of a task and write {@code evidence/<task>.json}, or take what is there when
   * it answers the same question.
   */
  Evidence run(Task task, Effort effort) {
    Circuit circuit = session.folder().readCircuit(task.name()).orElse(null);
    CircuitConfig search = circuit == null ? session.config().prune() : searchOf(circuit);
    try (TaskExamples examples = session.examples(task, search)) {
      Source source = session.source(examples);
      Evidence evidence;
      if (circuit == null) {
        evidence = withoutCircuit(task, source, session.whole(examples));
      } else {
        requireSame(circuit, source);
        requireSame(circuit, "another model", circuit.source().modelHash(), source.modelHash());
        Optional<Evidence> recorded = recorded(circuit, source, effort);
        if (recorded.isPresent()) {
          progress("taking the evidence of %s that is there", circuit);
          return recorded.get();
        }
        evidence = check(task, circuit, search, source, examples, circuit.calibration(), effort);
      }
      evidence.write(session.folder().evidence(task.name()));
      return evidence;
    } catch (IOException e) {
      throw new RunException("cannot write the evidence: " + e.getMessage(), e);
    }
  }

  /** The evidence that is there, if it is about this circuit in this model and asked as much. */
  private Optional<Evidence> recorded(Circuit circuit, Source source, Effort effort) {
    try {
      return session
          .folder()
          .readEvidence(circuit.task())
          .filter(
              evidence ->
                  evidence.isAbout(circuit, source)
                      && (effort == Effort.QUICK || evidence.checks().seeds() != null));
    } catch (RunException _) {
      return Optional.empty(); // of an older version, or damaged: it is written anew
    }
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

  private Evidence check(
      Task task,
      Circuit circuit,
      CircuitConfig search,
      Source source,
      TaskExamples examples,
      Calibration calibration,
      Effort effort) {
    progress("scoring %s and its circuit", circuit);
    CircuitMask mask = session.mask(circuit, search);
    TaskStats fit = model.calibrate(examples.train());
    Scores whole = session.whole(examples, fit);
    float[] ofModel = model.differences(examples.last());
    float[] ofCircuit = model.differences(examples.last(), mask);
    Loss validation = Loss.of(calibration.losses(model.differences(examples.validation(), mask)));
    Loss last = Loss.of(calibration.losses(ofCircuit));
    List<Difference> differences =
        IntStream.range(0, ofModel.length)
            .mapToObj(
                i -> new Difference(fit.calibration().z(ofModel[i]), calibration.z(ofCircuit[i])))
            .toList();
    boolean full = effort == Effort.FULL;
    boolean[] live = LiveNodes.of(model, session.means(search.meanSequences()));
    try (Slices slices = new Slices(model, examples)) {
      Checks checks =
          new Checks(
              Gate.of(whole),
              Final.of(last, whole),
              Sufficient.of(circuit.targetLoss(), validation, last, whole),
              necessary(circuit, examples, slices, mask, live),
              resample(circuit, examples, mask, whole),
              interchange(circuit, examples, slices, mask, live, ofModel, fit.calibration()),
              Faithful.of(differences),
              relaxation(circuit, slices, mask, whole),
              ablations(circuit, examples, mask, calibration, fit.calibration(), live, full),
              full ? seeds(circuit, search, examples, mask) : null,
              full ? randomInit(task, circuit, search, whole) : null,
              full ? binarised(circuit, examples, mask, calibration) : null,
              full ? variants(task, circuit, mask, calibration, fit.calibration()) : null);
      return Evidence.of(
          circuit, source, whole, checks, prompts(examples.lastSet().examples(), differences));
    }
  }

  /**
   * The validation and final examples in parts, one for each draw in turn: draws together are
   * scored on all final examples. Each has the calibration of its own part.
   */
  private static final class Slices implements AutoCloseable {
    private final List<Slice> all = new ArrayList<>();
    private final List<Examples> open = new ArrayList<>();

    Slices(Model model, TaskExamples examples) {
      int pairs = Math.min(examples.validationSet().pairs(), examples.lastSet().pairs());
      int count = Integer.highestOneBit(Math.clamp(pairs / SLICE_PAIRS, 1, SLICES));
      try {
        for (int i = 0; i < count; i++) {
          Examples validation = model.examples(part(examples.validationSet(), i, count));
          open.add(validation);
          Examples last = model.examples(part(examples.lastSet(), i, count));
          open.add(last);
          all.add(new Slice(2 * begin(examples.lastSet(), i, count), validation, last));
        }
      } catch (RuntimeException e) {
        close();
        throw e;
      }
    }

    /** That of a draw. */
    Slice of(int draw) {
      return all.get(draw % all.size());
    }

    @Override
    public void close() {
      open.forEach(Examples::close);
    }

    private static ExampleSet part(ExampleSet set, int i, int count) {
      return pairsOf(set, begin(set, i, count), begin(set, i + 1, count));
    }

    private static int begin(ExampleSet set, int i, int count) {
      return i * set.pairs() / count;
    }
  }

  /**
   * A part of the examples.
   *
   * @param first of the final sequences
   */
  private record Slice(int first, Examples validation, Examples last) {}

  private void progress(String format, Circuit circuit) {
    session.progress().phase(format.formatted(circuit.task()));
  }

  // ---- Necessary --------------------------------------------------------------------------------

  private Necessary necessary(
      Circuit circuit, TaskExamples examples, Slices slices, CircuitMask mask, boolean[] live) {
    progress("ablating the circuit of %s, and as many other nodes", circuit);
    int size = circuit.nodes().size();
    boolean[] inside = mask.keep();
    RandomGenerator random = new SplittableRandom(circuit.seed());
    // The model is scored as the draws are: few examples cost it as much calibration as them.
    CircuitMask whole = mask.everything();
    return Necessary.of(
        Loss.of(lossesOf(mask.inverted(), examples.validation(), examples.last())),
        lossesWithout(i -> !inside[i], size, DRAWS, random, slices, mask),
        lossesWithout(i -> !inside[i] && live[i], size, LIVE_DRAWS, random, slices, mask),
        slices.all.stream().mapToDouble(slice -> meanLoss(whole, slice)).average().orElseThrow());
  }

  /** Losses without some nodes, drawn from those that are eligible; none if these are too few. */
  private List<Double> lossesWithout(
      IntPredicate eligible,
      int size,
      int draws,
      RandomGenerator random,
      Slices slices,
      CircuitMask mask) {
    int[] from = IntStream.range(0, mask.keep().length).filter(eligible).toArray();
    List<Double> losses = new ArrayList<>();
    for (int draw = 0; draw < draws && size <= from.length; draw++) {
      boolean[] ablated = draw(from, size, mask.keep().length, random);
      losses.add(meanLoss(mask.withNodes(ablated).inverted(), slices.of(draw)));
    }
    return losses;
  }

  private double meanLoss(CircuitMask mask, Slice slice) {
    return mean(lossesOf(mask, slice.validation(), slice.last()));
  }

  /** Final losses of what is left of the model, calibrated anew on the validation examples. */
  private double[] lossesOf(CircuitMask mask, Examples validation, Examples last) {
    Calibration fit = model.calibrate(validation, mask).calibration();
    return fit.losses(model.differences(last, mask));
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

  private static double mean(double[] values) {
    return Arrays.stream(values).average().orElseThrow();
  }

  // ---- Other interventions ----------------------------------------------------------------------

  private Resample resample(
      Circuit circuit, TaskExamples examples, CircuitMask mask, Scores whole) {
    progress("running the circuit of %s in the surroundings of other examples", circuit);
    RandomGenerator random = new SplittableRandom(circuit.seed());
    Calibration fit =
        model.fit(
            model.differencesWithDonors(
                examples.validation(), mask, donors(examples.validationSet(), random)));
    double[] total = new double[2 * examples.last().pairs()];
    List<Double> draws = new ArrayList<>();
    for (int draw = 0; draw < RESAMPLES; draw++) {
      int[] donors = donors(examples.lastSet(), random);
      double[] losses = fit.losses(model.differencesWithDonors(examples.last(), mask, donors));
      draws.add(mean(losses));
      Arrays.setAll(total, i -> total[i] + losses[i] / RESAMPLES);
    }
    return Resample.of(Loss.of(total), draws, whole);
  }

  /** For every sequence one of another pair that is no shorter, or else one of the longest. */
  private static int[] donors(ExampleSet set, RandomGenerator random) {
    int[] lengths = set.examples().stream().mapToInt(Example::evalPosition).toArray();
    int[] longest =
        IntStream.range(0, lengths.length)
            .boxed()
            .sorted(Comparator.comparing(i -> -lengths[i]))
            .mapToInt(Integer::intValue)
            .toArray();
    int[] donors = new int[2 * lengths.length];
    for (int i = 0; i < donors.length; i++) {
      int pair = i / 2;
      int[] others =
          IntStream.of(longest)
              .filter(other -> other != pair && lengths[other] >= lengths[pair])
              .toArray();
      int chosen =
          others.length > 0
              ? others[random.nextInt(others.length)]
              : IntStream.of(longest).filter(other -> other != pair).findFirst().orElse(pair);
      donors[i] = 2 * chosen + random.nextInt(2);
    }
    return donors;
  }

  private Interchange interchange(
      Circuit circuit,
      TaskExamples examples,
      Slices slices,
      CircuitMask mask,
      boolean[] live,
      float[] ofModel,
      Calibration fit) {
    progress("interchanging the activations of %s within pairs", circuit);
    boolean[] inside = mask.keep();
    int size = circuit.nodes().size();
    RandomGenerator random = new SplittableRandom(circuit.seed());
    float[] swapped = interchanged(examples.last(), mask.inverted());
    int[] liveOutside =
        IntStream.range(0, inside.length).filter(i -> !inside[i] && live[i]).toArray();
    int[] outside = IntStream.range(0, inside.length).filter(i -> !inside[i]).toArray();
    int[] from = liveOutside.length >= size ? liveOutside : outside;
    int right = 0;
    double followed = 0;
    for (int draw = 0; draw < INTERCHANGES && size <= from.length; draw++) {
      CircuitMask drawn = new CircuitMask(draw(from, size, inside.length, random), mask.means());
      Slice slice = slices.of(draw);
      float[] now = interchanged(slice.last(), drawn.inverted());
      float[] before = Arrays.copyOfRange(ofModel, slice.first(), slice.first() + now.length);
      int ofSlice = Math.toIntExact(rightOnes(before, fit).count());
      right += ofSlice;
      followed += ofSlice * flipped(before, now, fit);
    }
    float[] againstOther = new float[swapped.length];
    for (int i = 0; i < swapped.length; i++) {
      againstOther[i] = swapped[i ^ 1];
    }
    return Interchange.of(
        flipped(ofModel, swapped, fit),
        Math.toIntExact(rightOnes(ofModel, fit).count()),
        right == 0 ? null : Double.valueOf(followed / right),
        Loss.of(fit.losses(againstOther)));
  }

  /** Differences when what the mask does not keep comes from the other member of the pair. */
  private float[] interchanged(Examples examples, CircuitMask mask) {
    int[] other = IntStream.range(0, 2 * examples.pairs()).map(i -> i ^ 1).toArray();
    return model.differencesWithDonors(examples, mask, other);
  }

  private static IntStream rightOnes(float[] ofModel, Calibration fit) {
    return IntStream.range(0, ofModel.length).filter(i -> isRight(i, fit.z(ofModel[i])));
  }

  private static boolean isRight(int sequence, double z) {
    return sequence % 2 == 0 ? z > 0 : z < 0;
  }

  /** Share of the sequences that the model answers rightly and that are answered otherwise now. */
  private static double flipped(float[] ofModel, float[] now, Calibration fit) {
    return rightOnes(ofModel, fit)
        .mapToDouble(i -> isRight(i, fit.z(now[i])) ? 0 : 1)
        .average()
        .orElse(0);
  }

  private Relaxation relaxation(Circuit circuit, Slices slices, CircuitMask mask, Scores whole) {
    progress("giving %s back a part of the other nodes", circuit);
    boolean[] inside = mask.keep();
    int[] outside = IntStream.range(0, inside.length).filter(i -> !inside[i]).toArray();
    RandomGenerator random = new SplittableRandom(circuit.seed());
    List<Relaxation.Step> steps = new ArrayList<>();
    Predicate<Edge> inCircuit = mask.joins();
    int drawn = 0;
    for (double share : RELAXED_SHARES) {
      List<Double> losses = new ArrayList<>();
      for (int draw = 0; draw < RELAXATIONS; draw++) {
        int size = (int) Math.round(share * outside.length);
        boolean[] keep = draw(outside, size, inside.length, random);
        for (int i = 0; i < keep.length; i++) {
          keep[i] |= inside[i];
        }
        // Of the edges those of the circuit, and all of the nodes that are given back.
        List<Edge> edges =
            model.edges(keep).stream()
                .filter(
                    edge ->
                        !inside[edge.source()] || !inside[edge.target()] || inCircuit.test(edge))
                .toList();
        losses.add(
            meanLoss(
                mask.withNodes(keep).withEdges(edges).withTokens(mask.tokens()),
                slices.of(drawn++)));
      }
      steps.add(
          new Relaxation.Step(
              share, losses, losses.stream().mapToDouble(x -> x).average().orElseThrow()));
    }
    return Relaxation.of(steps, whole);
  }

  // ---- Nodes ------------------------------------------------------------------------------------

  private Ablations ablations(
      Circuit circuit,
      TaskExamples examples,
      CircuitMask mask,
      Calibration calibration,
      Calibration fit,
      boolean[] live,
      boolean full) {
    progress("ablating the nodes of %s one by one", circuit);
    CircuitMask everything = mask.everything();
    int[] nodes = circuit.nodes().stream().mapToInt(Node::index).toArray();
    ExampleSet last = examples.lastSet();
    ExampleSet few = pairsOf(last, 0, Math.min(ABLATION_PAIRS, last.pairs()));
    try (Examples sample = model.examples(few)) {
      double ofCircuit = mean(calibration.losses(model.differences(sample, mask)));
      double ofModel = mean(fit.losses(model.differences(sample)));
      List<NodeDelta> inside = new ArrayList<>();
      if (nodes.length > 0) {
        float[][] without = model.ablations(sample, mask, nodes);
        float[][] modelWithout = model.ablations(sample, everything, nodes);
        for (int i = 0; i < nodes.length; i++) {
          inside.add(
              new NodeDelta(
                  nodes[i],
                  mean(calibration.losses(without[i])) - ofCircuit,
                  mean(fit.losses(modelWithout[i])) - ofModel));
        }
      }
      List<NodeDelta> others = null;
      if (full) {
        int[] rest =
            IntStream.range(0, live.length).filter(i -> live[i] && !mask.keep()[i]).toArray();
        others = new ArrayList<>();
        if (rest.length > 0) {
          float[][] without = model.ablations(sample, everything, rest);
          for (int i = 0; i < rest.length; i++) {
            others.add(new NodeDelta(rest[i], null, mean(fit.losses(without[i])) - ofModel));
          }
        }
        others.sort(Comparator.comparing(delta -> -delta.model()));
        others = others.subList(0, Math.min(OTHERS, others.size()));
      }
      return new Ablations(2 * few.pairs(), inside, others);
    }
  }

  private static ExampleSet pairsOf(ExampleSet set, int from, int to) {
    return new ExampleSet(
        set.task(),
        set.split(),
        set.seed(),
        set.vocabularyHash(),
        set.examples().subList(from, to),
        Map.of());
  }

  private Binarised binarised(
      Circuit circuit, TaskExamples examples, CircuitMask mask, Calibration calibration) {
    if (circuit.nodes().isEmpty()) {
      return null;
    }
    progress("letting every node of %s say one of two things", circuit);
    BinaryLevels levels = model.binarise(examples.train(), mask, calibration, BINARISATION);
    Calibration fit = model.fit(model.differences(examples.validation(), mask, levels));
    return new Binarised(
        Loss.of(fit.losses(model.differences(examples.last(), mask, levels))),
        circuit.nodes().stream()
            .map(
                node ->
                    new Levels(
                        node.index(), levels.low()[node.index()], levels.high()[node.index()]))
            .toList());
  }

  // ---- Other searches ---------------------------------------------------------------------------

  private Seeds seeds(
      Circuit circuit, CircuitConfig search, TaskExamples examples, CircuitMask mask) {
    List<boolean[]> found = new ArrayList<>(List.of(mask.keep()));
    List<Seeds.Found> rows = new ArrayList<>();
    rows.add(
        new Seeds.Found(
            search.maskSeed(),
            circuit.nodes().size(),
            1,
            circuit.losses().last().circuit().loss()));
    for (int i = 1; i < SEEDS; i++) {
      long seed = search.maskSeed() + i * SEED_STRIDE;
      FoundCircuit other =
          PruneRun.find(
              model, search.withMaskSeed(seed), examples, mask.means(), session.progress());
      CircuitMask kept = other.mask(mask.means(), mask.frozenNorms());
      found.add(other.keep());
      rows.add(
          new Seeds.Found(
              seed,
              other.nodes(),
              jaccard(mask.keep(), other.keep()),
              mean(other.calibration().losses(model.differences(examples.last(), kept)))));
    }
    double sum = 0;
    int pairs = 0;
    for (int i = 0; i < found.size(); i++) {
      for (int j = 0; j < i; j++) {
        sum += jaccard(found.get(i), found.get(j));
        pairs++;
      }
    }
    double agreement = sum / pairs;
    return new Seeds(rows, agreement, Checks.SEED_AGREEMENT, agreement >= Checks.SEED_AGREEMENT);
  }

  /** Nodes in both over nodes in either; 1 for two empty ones. */
  private static double jaccard(boolean[] a, boolean[] b) {
    int both = 0;
    int either = 0;
    for (int i = 0; i < a.length; i++) {
      both += a[i] && b[i] ? 1 : 0;
      either += a[i] || b[i] ? 1 : 0;
    }
    return either == 0 ? 1 : (double) both / either;
  }

  private RandomInit randomInit(Task task, Circuit circuit, CircuitConfig search, Scores whole) {
    progress("searching an untrained model for a circuit of %s", circuit);
    try (Model untrained = session.untrained();
        TaskExamples examples = session.examples(untrained, task, search)) {
      float[] means = session.means(untrained, search);
      FoundCircuit found = PruneRun.find(untrained, search, examples, means, session.progress());
      CircuitMask mask = found.mask(means, search.options().frozenNorms());
      Calibration fit = found.calibration();
      return RandomInit.of(
          untrained.calibrate(examples.last()).loss(),
          Loss.of(fit.losses(untrained.differences(examples.validation(), mask))),
          Loss.of(fit.losses(untrained.differences(examples.last(), mask))),
          found.nodes(),
          found.edges().size(),
          whole);
    }
  }

  // ---- Variants ---------------------------------------------------------------------------------

  private Variants variants(
      Task task, Circuit circuit, CircuitMask mask, Calibration calibration, Calibration fit) {
    progress("misleading the circuit of %s, then its model", circuit);
    List<Variants.Outcome> outcomes = new ArrayList<>();
    for (Variant variant : task.variants()) {
      List<Variants.Level> levels = new ArrayList<>();
      for (LevelExamples level :
          variant.examples(
              session.tokenizer(),
              session.config().model().blockSize(),
              VARIANT_PAIRS,
              circuit.seed())) {
        try (Examples examples = model.examples(level.set())) {
          // The prediction comes first: it is made from the circuit alone.
          float[] predicted = model.differences(examples, mask);
          float[] observed = model.differences(examples);
          levels.add(
              new Variants.Level(
                  level.level().label(),
                  level.level().amount(),
                  level.set().pairs(),
                  rightness(predicted, calibration, variant.member()),
                  rightness(observed, fit, variant.member())));
        }
      }
      outcomes.add(
          Variants.Outcome.of(
              variant.name(),
              variant.description(),
              variant.member() == Member.A ? "a" : "b",
              levels));
    }
    return Variants.of(outcomes);
  }

  /** Probability of the right answer of one member of every pair. */
  private static Loss rightness(float[] differences, Calibration calibration, Member member) {
    double[] twice = new double[differences.length]; // both places of a pair hold its one value
    for (int pair = 0; pair < differences.length / 2; pair++) {
      double a = calibration.probability(differences[2 * pair]);
      double b = 1 - calibration.probability(differences[2 * pair + 1]);
      Arrays.fill(twice, 2 * pair, 2 * pair + 2, member == Member.A ? a : b);
    }
    return Loss.of(twice);
  }

  // ---- Prompts ----------------------------------------------------------------------------------

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
