// SPDX-License-Identifier: Apache-2.0
package dev.filigree.circuit;

import com.fasterxml.jackson.annotation.JsonFormat;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import dev.filigree.TaskStats;
import dev.filigree.circuit.Circuit.Source;
import dev.filigree.data.AtomicFile;
import dev.filigree.json.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Whether a circuit is what it claims to be: the checks of one task, with their numbers.
 *
 * <p>The file is the JSON of this record (docs/file-formats.md); docs/evidence.md says what each
 * check means. A model that fails the gate and has no circuit has evidence too: no nodes, no
 * checks, {@code holds} false.
 *
 * @param format version of the file
 * @param task name of the task
 * @param source what was checked
 * @param nodes of the circuit; 0 without one
 * @param edges of the circuit; 0 without one
 * @param model how the whole model does, its calibration fitted on the training examples
 * @param gate whether the whole model does the task at all
 * @param sufficient whether the circuit alone does it; null without one
 * @param necessary whether the model without the circuit fails; null without one
 * @param faithful whether the circuit answers as the model does; null without one
 * @param examples some final examples with both answers
 * @param holds whether the model passes the gate and the circuit's loss on the final examples is at
 *     most {@link Sufficient#limit}
 */
public record Evidence(
    int format,
    String task,
    Source source,
    int nodes,
    int edges,
    Scores model,
    Gate gate,
    Sufficient sufficient,
    Necessary necessary,
    Faithful faithful,
    List<Prompt> examples,
    boolean holds) {
  /** Version of the file that this class reads and writes. */
  public static final int FORMAT = 1;

  /** Two-way loss up to which a model, or a circuit, does a task; nats per sequence. */
  public static final double GATE_LIMIT = 0.15;

  /** A circuit may be this much worse than its model on the final examples, and still hold. */
  public static final double FINAL_MARGIN = 0.10;

  /** Loss that the model must reach without a circuit that is necessary; guessing is 0.693. */
  public static final double NECESSARY_LOSS = 0.5;

  /** Without as many nodes drawn at random the model's loss may move this much, on average. */
  public static final double RANDOM_MARGIN = 0.05;

  public Evidence {
    examples = List.copyOf(examples);
    if (format != FORMAT) {
      throw new IllegalArgumentException(
          "evidence format %d; this version reads %d".formatted(format, FORMAT));
    }
    boolean checked = sufficient != null;
    if (checked != (necessary != null) || checked != (faithful != null)) {
      throw new IllegalArgumentException("some checks are there and some are null");
    }
    if (!checked && (nodes != 0 || edges != 0 || gate.passed() || holds)) {
      throw new IllegalArgumentException(
          "without checks there is no circuit, and the model has failed the gate");
    }
  }

  /** Evidence for a model that fails the gate, so that there is no circuit. */
  public static Evidence gateFailed(String task, Source source, Scores model) {
    return new Evidence(
        FORMAT, task, source, 0, 0, model, Gate.of(model), null, null, null, List.of(), false);
  }

  /** Scores on two sets of examples. */
  public record Scores(TaskStats validation, @JsonProperty("final") TaskStats last) {}

  /**
   * Whether the whole model does the task.
   *
   * @param limit highest two-way loss, on validation and on final examples
   */
  public record Gate(double limit, boolean passed) {
    /** Judge a model. */
    public static Gate of(Scores model) {
      return new Gate(
          GATE_LIMIT, model.validation().loss() <= GATE_LIMIT && model.last().loss() <= GATE_LIMIT);
    }
  }

  /**
   * Whether the circuit alone does the task, everything else being mean-ablated.
   *
   * @param target loss it was searched for, on the validation examples
   * @param validation its loss there
   * @param last its loss on the final examples
   * @param limit what that may be: {@link #GATE_LIMIT}, or the whole model's loss + {@link
   *     #FINAL_MARGIN} where that is more
   */
  public record Sufficient(
      double target,
      double validation,
      @JsonProperty("final") double last,
      double limit,
      boolean passed) {
    /** Judge a circuit. */
    public static Sufficient of(double target, double validation, double last, Scores model) {
      double limit = Math.max(GATE_LIMIT, model.last().loss() + FINAL_MARGIN);
      return new Sufficient(target, validation, last, limit, validation <= target && last <= limit);
    }
  }

  /**
   * Whether the model fails without the circuit, and only without it. Losses are those of the final
   * examples, each with a calibration of its own.
   *
   * @param loss of the whole model with only the circuit mean-ablated
   * @param threshold what that must reach
   * @param random losses with as many nodes from outside the circuit ablated instead, one per draw
   * @param randomMean of these losses; null without draws
   * @param randomMargin how far that may be from the whole model's loss, either way
   * @param live the same with nodes that are live: a harder comparison, as most nodes of a sparse
   *     model are dead; reported, not judged
   * @param liveMean of these losses; null without draws
   * @param model loss of the whole model
   * @param passed false too when fewer nodes lie outside the circuit than in it, so that there is
   *     nothing to compare with
   */
  public record Necessary(
      double loss,
      double threshold,
      List<Double> random,
      Double randomMean,
      double randomMargin,
      List<Double> live,
      Double liveMean,
      double model,
      boolean passed) {
    public Necessary {
      random = List.copyOf(random);
      live = List.copyOf(live);
    }

    /** Judge a circuit. */
    public static Necessary of(double loss, List<Double> random, List<Double> live, double model) {
      Double mean = mean(random);
      return new Necessary(
          loss,
          NECESSARY_LOSS,
          random,
          mean,
          RANDOM_MARGIN,
          live,
          mean(live),
          model,
          loss >= NECESSARY_LOSS && mean != null && Math.abs(mean - model) <= RANDOM_MARGIN);
    }

    private static Double mean(List<Double> losses) {
      return losses.isEmpty()
          ? null
          : losses.stream().mapToDouble(Double::doubleValue).average().orElseThrow();
    }
  }

  /**
   * Whether the circuit answers as the whole model does, sequence by sequence.
   *
   * @param correlation Pearson's, of the calibrated logit differences; null where either does not
   *     vary
   * @param sequences two per final example
   * @param wrongCorrelation the same over the sequences that the whole model gets wrong; null where
   *     there are fewer than three or either does not vary
   * @param wrongSequences how many these are
   * @param differences of every sequence
   */
  public record Faithful(
      Double correlation,
      int sequences,
      Double wrongCorrelation,
      int wrongSequences,
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
              .filter(i -> !isRight(i, differences.get(i).model()))
              .mapToObj(differences::get)
              .toList();
      return new Faithful(
          correlation(differences),
          differences.size(),
          correlation(wrong),
          wrong.size(),
          differences);
    }

    private static boolean isRight(int sequence, double difference) {
      return sequence % 2 == 0 ? difference > 0 : difference < 0;
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
  public record Difference(double model, double circuit) {}

  /**
   * A pair of prompts and what is answered.
   *
   * @param id of the example
   * @param template it was made from
   * @param textA first prompt
   * @param textB second prompt
   * @param answers right answer of each
   * @param model what the whole model gives to the right answers
   * @param circuit what the circuit gives to them
   */
  public record Prompt(
      String id,
      String template,
      String textA,
      String textB,
      Answers answers,
      Probabilities model,
      Probabilities circuit) {}

  /** Texts of the two answers of a pair. */
  @JsonFormat(shape = JsonFormat.Shape.ARRAY)
  @JsonPropertyOrder({"a", "b"})
  public record Answers(String a, String b) {}

  /** Calibrated two-way probabilities with which each member of a pair is answered rightly. */
  @JsonFormat(shape = JsonFormat.Shape.ARRAY)
  @JsonPropertyOrder({"a", "b"})
  public record Probabilities(double a, double b) {}

  /** Read a file. */
  public static Evidence read(Path file) throws IOException {
    try {
      return fromJson(Files.readString(file));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(file + " is no evidence: " + e.getMessage(), e);
    }
  }

  /**
   * Read what {@link #toJson} wrote.
   *
   * @throws IllegalArgumentException saying what is wrong
   */
  public static Evidence fromJson(String text) {
    return Json.read(text, Evidence.class);
  }

  /** Return the JSON text of the file. */
  public String toJson() {
    return Json.tree(this).toPrettyString() + "\n";
  }

  /** Write the file: it appears complete or not at all. */
  public void write(Path file) throws IOException {
    AtomicFile.write(file, toJson().getBytes(StandardCharsets.UTF_8));
  }

  /** Return a table for people, with one sentence for every check. */
  public String describe() {
    return EvidenceTable.of(this);
  }
}
