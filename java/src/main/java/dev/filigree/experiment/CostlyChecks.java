// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.BinarisationConfig;
import dev.filigree.BinaryLevels;
import dev.filigree.Calibration;
import dev.filigree.CircuitMask;
import dev.filigree.Examples;
import dev.filigree.FoundCircuit;
import dev.filigree.Model;
import dev.filigree.circuit.Checks.Binarised;
import dev.filigree.circuit.Checks.Levels;
import dev.filigree.circuit.Checks.RandomInit;
import dev.filigree.circuit.Checks.Seeds;
import dev.filigree.circuit.Checks.Variants;
import dev.filigree.circuit.Circuit;
import dev.filigree.circuit.Estimate;
import dev.filigree.circuit.Evidence.Scores;
import dev.filigree.task.Task;
import dev.filigree.task.Variant;
import dev.filigree.task.Variant.LevelExamples;
import dev.filigree.task.Variant.Member;
import java.util.ArrayList;
import java.util.List;

/** Questions that take minutes a circuit and are asked when all are: {@link Effort#FULL}. */
final class CostlyChecks {
  private static final int SEEDS = 5;

  /** Between the seeds of two searches: each may count up from its own, one a run. */
  private static final long SEED_STRIDE = 1_000_000;

  private static final int VARIANT_PAIRS = 64;
  private static final BinarisationConfig BINARISATION = new BinarisationConfig(150, 32, 32, 0.03);

  private final CircuitSearch session;
  private final Model model;
  private final Task task;
  private final Circuit circuit;
  private final CircuitConfig search;
  private final TaskExamples examples;
  private final CircuitMask mask;
  private final Calibration calibration;
  private final Calibration fit;
  private final Scores whole;

  CostlyChecks(CircuitSearch session, Subject subject) {
    this.session = session;
    this.model = session.model();
    this.task = subject.task();
    this.circuit = subject.circuit();
    this.search = subject.search();
    this.examples = subject.examples();
    this.mask = subject.mask();
    this.calibration = subject.calibration();
    this.fit = subject.fit();
    this.whole = subject.whole();
  }

  /**
   * Search with other seeds.
   *
   * @param last loss of the circuit on final examples
   */
  Seeds seeds(Estimate last) {
    List<Seeds.Kept> all = new ArrayList<>();
    all.add(new Seeds.Kept(search.maskSeed(), mask.keep(), last));
    for (int i = 1; i < SEEDS; i++) {
      long seed = search.maskSeed() + i * SEED_STRIDE;
      FoundCircuit other =
          PruneRun.find(
              model, search.withMaskSeed(seed), examples, mask.means(), session.progress());
      CircuitMask kept = other.mask(mask.means(), mask.frozenNorms());
      Calibration own = PruneRun.calibration(model, search, examples, other, kept);
      all.add(new Seeds.Kept(seed, other.keep(), loss(model, kept, own, examples.last())));
    }
    return Seeds.of(all);
  }

  private static Estimate loss(
      Model model, CircuitMask kept, Calibration calibration, Examples examples) {
    return Estimate.ofPairs(calibration.losses(model.differences(examples, kept)));
  }

  RandomInit randomInit() {
    session.phase("searching an untrained model for a circuit of %s", circuit);
    try (Model untrained = session.untrained();
        TaskExamples others = session.examples(untrained, task, search)) {
      float[] means = session.means(untrained, search);
      FoundCircuit found = PruneRun.find(untrained, search, others, means, session.progress());
      CircuitMask kept = found.mask(means, search.options().frozenNorms());
      Calibration own = PruneRun.calibration(untrained, search, others, found, kept);
      Calibration ofModel = untrained.calibrate(others.train()).calibration();
      return RandomInit.of(
          Estimate.ofPairs(ofModel.losses(untrained.differences(others.last()))),
          loss(untrained, kept, own, others.validation()),
          loss(untrained, kept, own, others.last()),
          found.nodes(),
          found.edges().size(),
          search.targetLoss(),
          whole);
    }
  }

  /** Let every node say one of two things; null for a circuit without nodes. */
  Binarised binarised() {
    if (circuit.nodes().isEmpty()) {
      return null;
    }
    session.phase("letting every node of %s say one of two things", circuit);
    BinaryLevels levels = model.binarise(examples.train(), mask, calibration, BINARISATION);
    Calibration anew = model.fit(model.differences(examples.validation(), mask, levels));
    return new Binarised(
        Estimate.ofPairs(anew.losses(model.differences(examples.last(), mask, levels))),
        circuit.nodes().stream()
            .map(
                node ->
                    new Levels(
                        node.index(), levels.low()[node.index()], levels.high()[node.index()]))
            .toList());
  }

  Variants variants() {
    session.phase("misleading the circuit of %s, then its model", circuit);
    List<Variants.Outcome> outcomes = new ArrayList<>();
    for (Variant variant : task.variants()) {
      List<Variants.Level> levels = new ArrayList<>();
      for (LevelExamples level :
          variant.examples(
              session.tokenizer(),
              session.config().model().blockSize(),
              VARIANT_PAIRS,
              circuit.seed())) {
        try (Examples misleading = model.examples(level.set())) {
          // The prediction comes first: it is made from the circuit alone.
          float[] predicted = model.differences(misleading, mask);
          float[] observed = model.differences(misleading);
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
  private static Estimate rightness(float[] differences, Calibration calibration, Member member) {
    double[] ofPairs = new double[differences.length / 2];
    for (int pair = 0; pair < ofPairs.length; pair++) {
      ofPairs[pair] =
          member == Member.A
              ? calibration.probability(differences[2 * pair])
              : 1 - calibration.probability(differences[2 * pair + 1]);
    }
    return Estimate.of(ofPairs);
  }
}
