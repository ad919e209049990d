// SPDX-License-Identifier: Apache-2.0
package dev.filigree.circuit;

import com.fasterxml.jackson.annotation.JsonFormat;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import dev.filigree.Calibration;
import dev.filigree.circuit.Evidence.Scores;
import dev.filigree.circuit.Grade.Verdict;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.stream.IntStream;

/**
 * The checks of one circuit, each with its numbers and its limits; null for one that was not run.
 * docs/evidence.md says what each means. Losses are two-way, calibrated, in nats per sequence, and
 * those of final examples unless it says otherwise.
 *
 * @param gate whether the whole model does the task at all
 * @param last whether the circuit does it on wordings that had no part in the search
 * @param sufficient whether the circuit alone does it
 * @param necessary whether the model without the circuit fails
 * @param resample whether the circuit still does it when the rest says what it says on other
 *     examples
 * @param interchange whether the answer follows the circuit's activations
 * @param faithful whether the circuit answers as the model does
 * @param relaxation whether giving back ablated nodes leaves the answers alone
 * @param ablations what each node of the circuit matters
 * @param seeds whether other searches find the same nodes; with --full
 * @param randomInit what the same search finds in an untrained model; with --full
 * @param binarised what is left when each node says one of two things; with --full
 * @param variants whether the circuit foretells where the model errs; with --full, for tasks that
 *     have variants
 */
public record Checks(
    Gate gate,
    @JsonProperty("final") Final last,
    Sufficient sufficient,
    Necessary necessary,
    Resample resample,
    Interchange interchange,
    Faithful faithful,
    Relaxation relaxation,
    Ablations ablations,
    Seeds seeds,
    RandomInit randomInit,
    Binarised binarised,
    Variants variants) {
  /** Two-way loss up to which a model, or a circuit, does a task; nats per sequence. */
  public static final double GATE_LIMIT = 0.15;

  /** What a compacted model and the whole one may differ by, relative to a loss. */
  private static final double ROUNDING = 1e-4;

  /** A circuit may be this much worse than its model on the final examples, and still hold. */
  public static final double FINAL_MARGIN = 0.10;

  /** Loss that the model must reach without a circuit that is necessary; guessing is 0.693. */
  public static final double NECESSARY_LOSS = 0.5;

  /** Without as many nodes drawn at random the model's loss may move this much, on average. */
  public static final double RANDOM_MARGIN = 0.05;

  /** Share of answers that must follow the activations of an interchanged circuit. */
  public static final double FLIPPED_SHARE = 0.8;

  /** Share of answers that may follow as many interchanged nodes from elsewhere. */
  public static final double RANDOM_FLIPPED_SHARE = 0.1;

  /** Divergence of a circuit's answers from its model's that still counts as the same; nats. */
  public static final double FAITHFUL_DIVERGENCE = 0.15;

  /** Mean Jaccard index of the nodes that different seeds find. */
  public static final double SEED_AGREEMENT = 0.5;

  /** A prediction of a variant may miss the model's probability by this much. */
  public static final double VARIANT_MARGIN = 0.25;

  /** The part of a circuit that was looked for and not found. */
  static Checks gateFailed(Gate gate) {
    return new Checks(gate, null, null, null, null, null, null, null, null, null, null, null, null);
  }

  /** Return what every check that has a verdict says, by its name in the file. */
  public Map<String, Verdict> verdicts() {
    Map<String, Verdict> all = new LinkedHashMap<>();
    all.put("gate", verdict(gate == null ? null : gate.passed()));
    all.put("final", verdict(last == null ? null : last.passed()));
    all.put("sufficient", verdict(sufficient == null ? null : sufficient.passed()));
    all.put("necessary", verdict(necessary == null ? null : necessary.passed()));
    all.put("resample", verdict(resample == null ? null : resample.passed()));
    all.put("interchange", verdict(interchange == null ? null : interchange.passed()));
    all.put("faithful", verdict(faithful == null ? null : faithful.passed()));
    all.put("relaxation", verdict(relaxation == null ? null : relaxation.passed()));
    all.put("seeds", verdict(seeds == null ? null : seeds.passed()));
    all.put("random_init", verdict(randomInit == null ? null : randomInit.passed()));
    all.put(
        "variants",
        variants != null && variants.passed() == null
            ? Verdict.NOT_APPLICABLE
            : verdict(variants == null ? null : variants.passed()));
    return all;
  }

  /** Whether the costly ones were run too. */
  public boolean withCostly() {
    return seeds != null;
  }

  Verdict verdict(String name) {
    return verdicts().get(name);
  }

  /** Return the names of the checks that said this. */
  public List<String> with(Verdict verdict) {
    return verdicts().entrySet().stream()
        .filter(entry -> entry.getValue() == verdict)
        .map(Map.Entry::getKey)
        .toList();
  }

  private static Verdict verdict(Boolean passed) {
    return passed == null ? Verdict.NOT_RUN : passed ? Verdict.PASSED : Verdict.FAILED;
  }

  /** Whether a loss keeps to the target of a search, up to the rounding of a compacted model. */
  public static boolean reaches(double loss, double target) {
    return loss <= target * (1 + ROUNDING);
  }

  /**
   * Highest loss of a circuit on final examples that still counts as doing its model's task. A
   * model that does not do it sets no standard.
   */
  public static double finalLimit(Scores model) {
    return Math.clamp(model.last().loss() + FINAL_MARGIN, GATE_LIMIT, GATE_LIMIT + FINAL_MARGIN);
  }

  /**
   * Whether the whole model does the task.
   *
   * @param validation loss of the model
   * @param last its loss on the final examples
   * @param limit highest of either
   */
  public record Gate(
      Estimate validation, @JsonProperty("final") Estimate last, double limit, boolean passed) {
    /** Judge a model by its losses. */
    public static Gate of(Estimate validation, Estimate last) {
      return new Gate(
          validation, last, GATE_LIMIT, admits(validation.mean(), last.mean(), GATE_LIMIT));
    }

    /** Whether a model does a task: up to a loss, on both sets of examples. */
    public static boolean admits(double validation, double last, double limit) {
      return validation <= limit && last <= limit;
    }

    /** The same of a model's scores. */
    public static boolean admits(Scores model, double limit) {
      return admits(model.validation().loss(), model.last().loss(), limit);
    }

    /**
     * Loss up to which a model does a task well enough to look for a circuit.
     *
     * @param target loss that the circuit is to reach, nats per sequence
     */
    public static double limitOfSearch(double target) {
      return Math.max(target, GATE_LIMIT);
    }
  }

  /**
   * Whether the circuit does the task on final examples.
   *
   * @param loss of the circuit
   * @param limit what that may be: {@link #GATE_LIMIT}, or the whole model's loss + {@link
   *     #FINAL_MARGIN} where that is more, but not more than both together
   */
  public record Final(Estimate loss, double limit, boolean passed) {
    /** Judge a circuit. */
    public static Final of(Estimate loss, Scores model) {
      double limit = finalLimit(model);
      return new Final(loss, limit, loss.mean() <= limit);
    }
  }

  /**
   * Whether the circuit alone does the task, everything else being mean-ablated.
   *
   * @param target loss it was searched for, on the validation examples
   * @param validation its loss there
   * @param last its loss on the final examples
   * @param limit of that, see {@link Final}
   */
  public record Sufficient(
      double target,
      Estimate validation,
      @JsonProperty("final") Estimate last,
      double limit,
      boolean passed) {
    /** Judge a circuit. */
    public static Sufficient of(double target, Estimate validation, Estimate last, Scores model) {
      double limit = finalLimit(model);
      return new Sufficient(
          target,
          validation,
          last,
          limit,
          reaches(validation.mean(), target) && last.mean() <= limit);
    }
  }

  /**
   * Whether the model fails without the circuit, and only without it. Each loss has a calibration
   * of its own.
   *
   * @param loss of the whole model with only the circuit mean-ablated
   * @param threshold what that must reach
   * @param random losses with as many nodes from outside the circuit ablated instead, each draw on
   *     a part of the examples; null where there are not as many
   * @param randomMargin how far their mean may be from the whole model's loss, either way
   * @param live the same with nodes that are live: a harder comparison, as most nodes of a sparse
   *     model are dead; reported, not judged
   * @param model loss of the whole model, on the same parts
   * @param passed false too when fewer nodes lie outside the circuit than in it, so that there is
   *     nothing to compare with
   */
  public record Necessary(
      Estimate loss,
      double threshold,
      Draws random,
      double randomMargin,
      Draws live,
      Estimate model,
      boolean passed) {
    /** Judge a circuit. */
    public static Necessary of(Estimate loss, Draws random, Draws live, Estimate model) {
      return new Necessary(
          loss,
          NECESSARY_LOSS,
          random,
          RANDOM_MARGIN,
          live,
          model,
          loss.mean() >= NECESSARY_LOSS
              && random != null
              && Math.abs(random.loss().mean() - model.mean()) <= RANDOM_MARGIN);
    }
  }

  /**
   * Losses of several draws of nodes.
   *
   * @param loss over all examples, the mean of the draws that each was scored with
   * @param draws mean of each draw
   */
  public record Draws(Estimate loss, List<Double> draws) {
    public Draws {
      draws = List.copyOf(draws);
    }

    /**
     * Summarise. Losses of one example in several draws are one value for the interval: they are no
     * independent examples.
     *
     * @param ofDraws the losses of each draw, two sequences per pair
     * @param parts number of parts that the examples are in; draw i is of part i modulo that
     * @return null without draws
     */
    public static Draws of(List<double[]> ofDraws, int parts) {
      return ofDraws.isEmpty()
          ? null
          : new Draws(
              Estimate.ofPairs(
                  IntStream.range(0, Math.min(parts, ofDraws.size()))
                      .mapToObj(part -> meanOf(ofDraws, part, parts))
                      .flatMapToDouble(Arrays::stream)
                      .toArray()),
              ofDraws.stream().map(draw -> Arrays.stream(draw).average().orElseThrow()).toList());
    }

    private static double[] meanOf(List<double[]> ofDraws, int part, int parts) {
      double[] sum = new double[ofDraws.get(part).length];
      int draws = 0;
      for (int draw = part; draw < ofDraws.size(); draw += parts) {
        double[] losses = ofDraws.get(draw);
        Arrays.setAll(sum, i -> sum[i] + losses[i]);
        draws++;
      }
      int count = draws;
      return Arrays.stream(sum).map(loss -> loss / count).toArray();
    }
  }

  /**
   * Whether the circuit does the task when every other node says, instead of its mean, what it says
   * in the whole model on another example.
   *
   * @param loss of every example, mean over the draws of others; calibrated anew
   * @param draws the mean loss of each draw
   * @param limit that of {@link Final} + {@link #FINAL_MARGIN}
   */
  public record Resample(Estimate loss, List<Double> draws, double limit, boolean passed) {
    public Resample {
      draws = List.copyOf(draws);
    }

    /** Judge a circuit. */
    public static Resample of(Estimate loss, List<Double> draws, Scores model) {
      double limit = finalLimit(model) + FINAL_MARGIN;
      return new Resample(loss, draws, limit, loss.mean() <= limit);
    }
  }

  /**
   * Whether the answer of the whole model follows the circuit: its nodes say what they say on the
   * other member of the pair, all others go on as they were.
   *
   * @param flipped share of the sequences, of those that the model answers rightly, whose answer
   *     becomes that of the other member
   * @param sequences how many these are
   * @param threshold what that share must reach
   * @param randomFlipped the same share with as many nodes from elsewhere, mean of the draws; null
   *     where there are not as many
   * @param randomLimit what that may be
   * @param loss against the other member's answer, with the whole model's calibration
   * @param passed whether both shares are as they should be
   */
  public record Interchange(
      double flipped,
      int sequences,
      double threshold,
      Double randomFlipped,
      double randomLimit,
      Estimate loss,
      boolean passed) {
    /** Judge a circuit. */
    public static Interchange of(
        double flipped, int sequences, Double randomFlipped, Estimate loss) {
      return new Interchange(
          flipped,
          sequences,
          FLIPPED_SHARE,
          randomFlipped,
          RANDOM_FLIPPED_SHARE,
          loss,
          flipped >= FLIPPED_SHARE
              && randomFlipped != null
              && randomFlipped <= RANDOM_FLIPPED_SHARE);
    }
  }

  /**
   * Whether the circuit answers as the whole model does, sequence by sequence.
   *
   * @param correlation Pearson's, of the calibrated logit differences; null where either does not
   *     vary
   * @param sequences two per final example
   * @param memberCorrelation the same without what tells the right answer: of every difference the
   *     mean over the sequences with the same right answer is taken out first
   * @param wrongCorrelation the same as the first over the sequences that the whole model gets
   *     wrong; null where there are fewer than three or either does not vary
   * @param wrongSequences how many these are
   * @param agreement share of the sequences that both answer alike
   * @param wrongAgreement the same over those that the whole model gets wrong; null without any
   * @param divergence Kullback-Leibler, of the circuit's two-way answer from the model's; nats
   * @param wrongDivergence the same over those that the whole model gets wrong, pair by pair; null
   *     without any
   * @param limit what the mean of the first may be
   * @param differences of every sequence
   */
  public record Faithful(
      Double correlation,
      int sequences,
      Double memberCorrelation,
      Double wrongCorrelation,
      int wrongSequences,
      double agreement,
      Double wrongAgreement,
      Estimate divergence,
      Estimate wrongDivergence,
      double limit,
      boolean passed,
      List<Difference> differences) {
    private static final int FEWEST = 3; // two points lie on a line whatever they are

    public Faithful {
      differences = List.copyOf(differences);
    }

    /**
     * Compare a circuit with its model.
     *
     * @param differences sequences in which the first answer is right alternate with such in which
     *     the second is
     */
    public static Faithful of(List<Difference> differences) {
      List<Difference> wrong =
          IntStream.range(0, differences.size())
              .filter(i -> !Calibration.isRight(i, differences.get(i).model()))
              .mapToObj(differences::get)
              .toList();
      Estimate divergence =
          Estimate.ofPairs(differences.stream().mapToDouble(Difference::divergence).toArray());
      return new Faithful(
          correlation(differences),
          differences.size(),
          correlation(centred(differences)),
          correlation(wrong),
          wrong.size(),
          agreement(differences).orElseThrow(),
          wrong.isEmpty() ? null : Double.valueOf(agreement(wrong).orElseThrow()),
          divergence,
          wrongDivergence(differences),
          FAITHFUL_DIVERGENCE,
          divergence.mean() <= FAITHFUL_DIVERGENCE,
          differences);
    }

    /**
     * Of the pairs of which the model gets a member wrong, over what it gets wrong; null for none.
     */
    private static Estimate wrongDivergence(List<Difference> differences) {
      double[] ofPairs =
          IntStream.range(0, differences.size() / 2)
              .mapToObj(
                  pair ->
                      IntStream.of(2 * pair, 2 * pair + 1)
                          .filter(i -> !Calibration.isRight(i, differences.get(i).model()))
                          .mapToDouble(i -> differences.get(i).divergence())
                          .average())
              .flatMapToDouble(OptionalDouble::stream)
              .toArray();
      return ofPairs.length == 0 ? null : Estimate.of(ofPairs);
    }

    /** Of sequences with the same right answer the mean is taken out, of model and of circuit. */
    private static List<Difference> centred(List<Difference> differences) {
      Difference[] means =
          IntStream.of(0, 1)
              .mapToObj(member -> mean(differences, member))
              .toArray(Difference[]::new);
      return IntStream.range(0, differences.size())
          .mapToObj(
              i ->
                  new Difference(
                      differences.get(i).model() - means[i % 2].model(),
                      differences.get(i).circuit() - means[i % 2].circuit()))
          .toList();
    }

    private static Difference mean(List<Difference> differences, int member) {
      List<Difference> own =
          IntStream.range(0, differences.size())
              .filter(i -> i % 2 == member)
              .mapToObj(differences::get)
              .toList();
      return new Difference(
          own.stream().mapToDouble(Difference::model).average().orElseThrow(),
          own.stream().mapToDouble(Difference::circuit).average().orElseThrow());
    }

    private static OptionalDouble agreement(List<Difference> points) {
      return points.stream()
          .mapToDouble(point -> point.model() > 0 == point.circuit() > 0 ? 1 : 0)
          .average();
    }

    private static Double correlation(List<Difference> points) {
      if (points.size() < FEWEST) {
        return null;
      }
      double meanX = points.stream().mapToDouble(Difference::model).average().orElseThrow();
      double meanY = points.stream().mapToDouble(Difference::circuit).average().orElseThrow();
      double xx = 0;
      double yy = 0;
      double xy = 0;
      for (Difference point : points) {
        double x = point.model() - meanX;
        double y = point.circuit() - meanY;
        xx += x * x;
        yy += y * y;
        xy += x * y;
      }
      return xx > 0 && yy > 0 ? Double.valueOf(xy / Math.sqrt(xx * yy)) : null;
    }
  }

  /** Calibrated logit differences of one sequence: above 0 where the pair's first answer wins. */
  @JsonFormat(shape = JsonFormat.Shape.ARRAY)
  @JsonPropertyOrder({"model", "circuit"})
  public record Difference(double model, double circuit) {
    /** Divergence of the circuit's two-way answer from the model's, nats; finite for any logits. */
    double divergence() {
      double p = Calibration.probabilityOf(model);
      return p * (softplus(-circuit) - softplus(-model))
          + (1 - p) * (softplus(circuit) - softplus(model));
    }

    private static double softplus(double x) {
      return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
    }
  }

  /**
   * Whether the circuit goes on doing the task when a part of the ablated nodes is given back.
   *
   * @param steps by the share that is given back
   * @param limit what the mean loss of every step may be, see {@link Final}
   */
  public record Relaxation(List<Step> steps, double limit, boolean passed) {
    public Relaxation {
      steps = List.copyOf(steps);
    }

    /** Judge a circuit. */
    public static Relaxation of(List<Step> steps, Scores model) {
      double limit = finalLimit(model);
      return new Relaxation(
          steps, limit, steps.stream().allMatch(step -> step.loss().mean() <= limit));
    }

    /**
     * One share.
     *
     * @param share of the nodes outside the circuit that run
     * @param loss over the examples of all draws of these nodes
     * @param draws the mean loss of each draw, with a calibration of its own
     */
    public record Step(double share, Estimate loss, List<Double> draws) {
      public Step {
        draws = List.copyOf(draws);
      }
    }
  }

  /**
   * What single nodes matter: how much the loss rises without them. No verdict hangs on it.
   *
   * @param sequences it was measured on
   * @param nodes of the circuit, in its order
   * @param others live nodes outside the circuit that the whole model misses most, with --full;
   *     null without
   */
  public record Ablations(int sequences, List<NodeDelta> nodes, List<NodeDelta> others) {
    public Ablations {
      nodes = List.copyOf(nodes);
      others = others == null ? null : List.copyOf(others);
    }
  }

  /**
   * One node.
   *
   * @param node flat index
   * @param circuit rise of the circuit's loss without it, example by example; null for a node that
   *     is not in it
   * @param model rise of the whole model's loss without it
   */
  @JsonFormat(shape = JsonFormat.Shape.ARRAY)
  @JsonPropertyOrder({"node", "circuit", "model"})
  public record NodeDelta(int node, Estimate circuit, Estimate model) {}

  /**
   * Whether searches that differ in their seed alone find the same nodes.
   *
   * @param found one per seed, the circuit at hand first
   * @param agreement mean Jaccard index of the nodes, over all pairs of them
   * @param threshold what that must reach
   */
  public record Seeds(List<Found> found, double agreement, double threshold, boolean passed) {
    public Seeds {
      found = List.copyOf(found);
    }

    /**
     * What one search kept.
     *
     * @param seed of the masks
     * @param keep one per node of the model
     * @param loss on final examples
     */
    public record Kept(long seed, boolean[] keep, Estimate loss) {
      private int nodes() {
        int nodes = 0;
        for (boolean kept : keep) {
          nodes += kept ? 1 : 0;
        }
        return nodes;
      }

      /** Nodes in both over nodes in either; 1 for two empty circuits. */
      private double jaccard(Kept other) {
        int both = 0;
        for (int i = 0; i < keep.length; i++) {
          both += keep[i] && other.keep[i] ? 1 : 0;
        }
        int either = nodes() + other.nodes() - both;
        return either == 0 ? 1 : (double) both / either;
      }
    }

    /**
     * Judge several searches.
     *
     * @param all the circuit at hand first, at least one other
     */
    public static Seeds of(List<Kept> all) {
      double agreement =
          IntStream.range(0, all.size())
              .mapToObj(i -> IntStream.range(0, i).mapToDouble(j -> all.get(i).jaccard(all.get(j))))
              .flatMapToDouble(pairs -> pairs)
              .average()
              .orElseThrow();
      return new Seeds(
          all.stream()
              .map(
                  one ->
                      new Found(one.seed(), one.nodes(), one.jaccard(all.getFirst()), one.loss()))
              .toList(),
          agreement,
          SEED_AGREEMENT,
          agreement >= SEED_AGREEMENT);
    }

    /**
     * One search.
     *
     * @param seed of the masks
     * @param nodes it kept
     * @param jaccard nodes in common with the circuit at hand, over nodes in either
     * @param loss on final examples
     */
    public record Found(long seed, int nodes, double jaccard, Estimate loss) {}
  }

  /**
   * What the same search finds in an untrained model: fresh weights, cut down to as many of the
   * largest as the trained one has in every tensor.
   *
   * @param modelLoss of the whole untrained model
   * @param validation loss of what was found, on validation examples
   * @param last on final examples
   * @param nodes kept
   * @param edges between them
   * @param reached whether the search came to its target; one that does not gives the circuit with
   *     the least loss that it came by
   * @param limit of the loss on final examples; at or below it the search has found a circuit where
   *     there is nothing to find
   */
  public record RandomInit(
      Estimate modelLoss,
      Estimate validation,
      @JsonProperty("final") Estimate last,
      int nodes,
      int edges,
      boolean reached,
      double limit,
      boolean passed) {
    /**
     * Judge a search.
     *
     * @param target loss that it was to come to
     */
    public static RandomInit of(
        Estimate modelLoss,
        Estimate validation,
        Estimate last,
        int nodes,
        int edges,
        double target,
        Scores model) {
      double limit = finalLimit(model);
      return new RandomInit(
          modelLoss,
          validation,
          last,
          nodes,
          edges,
          reaches(validation.mean(), target),
          limit,
          last.mean() > limit);
    }
  }

  /**
   * What is left when each node says one of two things. No verdict hangs on it.
   *
   * @param loss of the binarised circuit, calibrated anew
   * @param levels of every node, in the circuit's order
   */
  public record Binarised(Estimate loss, List<Levels> levels) {
    public Binarised {
      levels = List.copyOf(levels);
    }
  }

  /** The two values of a node. */
  @JsonFormat(shape = JsonFormat.Shape.ARRAY)
  @JsonPropertyOrder({"node", "low", "high"})
  public record Levels(int node, double low, double high) {}

  /**
   * Whether the circuit foretells what misleading prompts do to the whole model.
   *
   * @param variants of the task; most tasks have none
   * @param passed null when nothing was foretold: without variants, or when all went as with
   *     ordinary prompts, in the circuit as in the model
   */
  public record Variants(List<Outcome> variants, Boolean passed) {
    public Variants {
      variants = List.copyOf(variants);
    }

    /** Judge a circuit. */
    public static Variants of(List<Outcome> variants) {
      boolean confirmed = variants.stream().allMatch(Outcome::confirmed);
      boolean misled = variants.stream().anyMatch(Outcome::misled);
      return new Variants(variants, confirmed && !misled ? null : Boolean.valueOf(confirmed));
    }

    /**
     * One variant.
     *
     * @param name of the variant
     * @param description what is changed, and why that should mislead
     * @param member "a" or "b", whose right answer should become less likely
     * @param levels from the ordinary prompt to the most misleading one
     * @param margin how far a prediction may be off
     * @param misled whether, at some level, the model's mean probability is further than the margin
     *     below that of the first
     * @param confirmed whether, at every level, the model's mean probability is within the margin
     *     of the circuit's
     */
    public record Outcome(
        String name,
        String description,
        String member,
        List<Level> levels,
        double margin,
        boolean misled,
        boolean confirmed) {
      public Outcome {
        levels = List.copyOf(levels);
      }

      /** Judge a prediction. */
      public static Outcome of(String name, String description, String member, List<Level> levels) {
        return new Outcome(
            name,
            description,
            member,
            levels,
            VARIANT_MARGIN,
            levels.stream()
                .anyMatch(
                    level ->
                        levels.getFirst().model().mean() - level.model().mean() > VARIANT_MARGIN),
            levels.stream()
                .allMatch(
                    level ->
                        Math.abs(level.circuit().mean() - level.model().mean()) <= VARIANT_MARGIN));
      }
    }

    /**
     * One level: mean two-way probability of the right answer of the member.
     *
     * @param label in words
     * @param amount as a number
     * @param pairs of prompts
     * @param circuit the prediction
     * @param model what came of it
     */
    public record Level(String label, int amount, int pairs, Estimate circuit, Estimate model) {}
  }
}
