// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.Calibration;
import dev.filigree.CircuitMask;
import dev.filigree.Edge;
import dev.filigree.Examples;
import dev.filigree.Model;
import dev.filigree.circuit.Checks.Ablations;
import dev.filigree.circuit.Checks.Draws;
import dev.filigree.circuit.Checks.Interchange;
import dev.filigree.circuit.Checks.Necessary;
import dev.filigree.circuit.Checks.NodeDelta;
import dev.filigree.circuit.Checks.Relaxation;
import dev.filigree.circuit.Checks.Resample;
import dev.filigree.circuit.Circuit;
import dev.filigree.circuit.Circuit.Node;
import dev.filigree.circuit.Estimate;
import dev.filigree.circuit.Evidence.Scores;
import dev.filigree.task.Example;
import dev.filigree.task.ExampleSet;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.IntPredicate;
import java.util.function.Predicate;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;

/** What becomes of the answers of a circuit and of its model when activations are changed. */
final class InterventionChecks {
  private static final int DRAWS = 8;
  private static final int LIVE_DRAWS = 4;
  private static final int RESAMPLES = 2;
  private static final int INTERCHANGES = 4;
  private static final List<Double> RELAXED_SHARES = List.of(0.25, 0.5, 0.75);
  private static final int RELAXATIONS = 4;
  private static final int ABLATION_PAIRS = 8;
  private static final int OTHERS = 20;

  private final CircuitSearch session;
  private final Model model;
  private final Circuit circuit;
  private final TaskExamples examples;
  private final Slices slices;
  private final CircuitMask mask;
  private final Calibration calibration;
  private final Calibration fit;
  private final Scores whole;
  private final boolean[] live;

  InterventionChecks(CircuitSearch session, Subject subject, Slices slices) {
    this.session = session;
    this.model = session.model();
    this.circuit = subject.circuit();
    this.examples = subject.examples();
    this.slices = slices;
    this.mask = subject.mask();
    this.calibration = subject.calibration();
    this.fit = subject.fit();
    this.whole = subject.whole();
    this.live = subject.live();
  }

  Necessary necessary() {
    session.phase("ablating the circuit of %s, and as many other nodes", circuit);
    int size = circuit.nodes().size();
    boolean[] inside = mask.keep();
    RandomGenerator random = new SplittableRandom(circuit.seed());
    return Necessary.of(
        Estimate.ofPairs(lossesOf(mask.inverted(), examples.last())),
        Draws.of(lossesWithout(i -> !inside[i], size, DRAWS, random), slices.all().size()),
        Draws.of(
            lossesWithout(i -> !inside[i] && live[i], size, LIVE_DRAWS, random),
            slices.all().size()),
        // The model is calibrated as the draws are.
        Estimate.ofPairs(lossesOf(mask.everything(), examples.last())));
  }

  /** Losses without some nodes, drawn from those that are eligible; none if these are too few. */
  private List<double[]> lossesWithout(
      IntPredicate eligible, int size, int draws, RandomGenerator random) {
    int[] from = IntStream.range(0, mask.keep().length).filter(eligible).toArray();
    List<double[]> losses = new ArrayList<>();
    for (int draw = 0; draw < draws && size <= from.length; draw++) {
      boolean[] ablated = draw(from, size, mask.keep().length, random);
      losses.add(lossesOf(mask.withNodes(ablated).inverted(), slices.of(draw).last()));
    }
    return losses;
  }

  /** Losses of what is left of the model, calibrated anew on the validation examples. */
  private double[] lossesOf(CircuitMask mask, Examples last) {
    Calibration anew = model.calibrate(examples.validation(), mask).calibration();
    return anew.losses(model.differences(last, mask));
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

  /** Null with a single pair: nobody is a stranger to it. */
  Resample resample() {
    if (examples.last().pairs() < 2 || examples.validation().pairs() < 2) {
      return null;
    }
    session.phase("running the circuit of %s in the surroundings of other examples", circuit);
    RandomGenerator random = new SplittableRandom(circuit.seed());
    Calibration anew =
        model.fit(
            model.differencesWithDonors(
                examples.validation(), mask, donors(examples.validationSet(), random)));
    double[] total = new double[2 * examples.last().pairs()];
    List<Double> draws = new ArrayList<>();
    for (int draw = 0; draw < RESAMPLES; draw++) {
      int[] donors = donors(examples.lastSet(), random);
      double[] losses = anew.losses(model.differencesWithDonors(examples.last(), mask, donors));
      draws.add(mean(losses));
      Arrays.setAll(total, i -> total[i] + losses[i] / RESAMPLES);
    }
    return Resample.of(Estimate.ofPairs(total), draws, whole);
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
              : IntStream.of(longest).filter(other -> other != pair).findFirst().orElseThrow();
      donors[i] = 2 * chosen + random.nextInt(2);
    }
    return donors;
  }

  /**
   * Let the circuit say what it does on the other member of the pair.
   *
   * @param ofModel differences of the whole model on the final examples
   */
  Interchange interchange(float[] ofModel) {
    session.phase("interchanging the activations of %s within pairs", circuit);
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
      CircuitMask drawn = mask.withNodes(draw(from, size, inside.length, random));
      Slices.Slice slice = slices.of(draw);
      float[] now = interchanged(slice.last(), drawn.inverted());
      float[] before = Arrays.copyOfRange(ofModel, slice.first(), slice.first() + now.length);
      int ofSlice = Math.toIntExact(rightOnes(before).count());
      right += ofSlice;
      followed += ofSlice * flipped(before, now);
    }
    float[] againstOther = new float[swapped.length];
    for (int i = 0; i < swapped.length; i++) {
      againstOther[i] = swapped[i ^ 1];
    }
    return Interchange.of(
        flipped(ofModel, swapped),
        Math.toIntExact(rightOnes(ofModel).count()),
        right == 0 ? null : Double.valueOf(followed / right),
        Estimate.ofPairs(fit.losses(againstOther)));
  }

  /** Differences when what the mask does not keep comes from the other member of the pair. */
  private float[] interchanged(Examples examples, CircuitMask mask) {
    int[] other = IntStream.range(0, 2 * examples.pairs()).map(i -> i ^ 1).toArray();
    return model.differencesWithDonors(examples, mask, other);
  }

  private IntStream rightOnes(float[] ofModel) {
    return IntStream.range(0, ofModel.length)
        .filter(i -> Calibration.isRight(i, fit.z(ofModel[i])));
  }

  /** Share of the sequences that the model answers rightly and that are answered otherwise now. */
  private double flipped(float[] ofModel, float[] now) {
    return rightOnes(ofModel)
        .mapToDouble(i -> Calibration.isRight(i, fit.z(now[i])) ? 0 : 1)
        .average()
        .orElse(0);
  }

  Relaxation relaxation() {
    session.phase("giving %s back a part of the other nodes", circuit);
    boolean[] inside = mask.keep();
    int[] outside = IntStream.range(0, inside.length).filter(i -> !inside[i]).toArray();
    RandomGenerator random = new SplittableRandom(circuit.seed());
    List<Relaxation.Step> steps = new ArrayList<>();
    Predicate<Edge> inCircuit = mask.joins();
    for (double share : RELAXED_SHARES) {
      List<double[]> losses = new ArrayList<>();
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
            lossesOf(
                mask.withNodes(keep).withEdges(edges).withTokens(mask.tokens()),
                slices.of(draw).last()));
      }
      Draws all = Draws.of(losses, slices.all().size());
      steps.add(new Relaxation.Step(share, all.loss(), all.draws()));
    }
    return Relaxation.of(steps, whole);
  }

  /**
   * Leave out single nodes.
   *
   * @param full those outside of the circuit too
   */
  Ablations ablations(boolean full) {
    session.phase("ablating the nodes of %s one by one", circuit);
    CircuitMask everything = mask.everything();
    int[] nodes = circuit.nodes().stream().mapToInt(Node::index).toArray();
    ExampleSet last = examples.lastSet();
    ExampleSet few = last.part(0, Math.min(ABLATION_PAIRS, last.pairs()));
    try (Examples sample = model.examples(few)) {
      double[] ofCircuit = calibration.losses(model.differences(sample, mask));
      double[] ofModel = fit.losses(model.differences(sample));
      List<NodeDelta> inside = new ArrayList<>();
      if (nodes.length > 0) {
        float[][] without = model.ablations(sample, mask, nodes);
        float[][] modelWithout = model.ablations(sample, everything, nodes);
        for (int i = 0; i < nodes.length; i++) {
          inside.add(
              new NodeDelta(
                  nodes[i],
                  rise(calibration.losses(without[i]), ofCircuit),
                  rise(fit.losses(modelWithout[i]), ofModel)));
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
            others.add(new NodeDelta(rest[i], null, rise(fit.losses(without[i]), ofModel)));
          }
        }
        others.sort(Comparator.comparing(delta -> -delta.model().mean()));
        others = others.subList(0, Math.min(OTHERS, others.size()));
      }
      return new Ablations(2 * few.pairs(), inside, others);
    }
  }

  private static Estimate rise(double[] without, double[] with) {
    double[] differences = new double[with.length];
    Arrays.setAll(differences, i -> without[i] - with[i]);
    return Estimate.ofPairs(differences);
  }
}
