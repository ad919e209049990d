// SPDX-License-Identifier: Apache-2.0
package dev.filigree.circuit;

import com.fasterxml.jackson.annotation.JsonFormat;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import dev.filigree.TaskStats;
import dev.filigree.circuit.Checks.Gate;
import dev.filigree.circuit.Circuit.Counts;
import dev.filigree.circuit.Circuit.Source;
import dev.filigree.circuit.Grade.Verdict;
import dev.filigree.data.AtomicFile;
import dev.filigree.json.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Whether a circuit is what it claims to be: the checks of one task, with their numbers, and a
 * grade.
 *
 * <p>The file is the JSON of this record (docs/file-formats.md); docs/evidence.md says what each
 * check means. A model that fails the gate and has no circuit has evidence too: no nodes, no checks
 * but the gate, grade F.
 *
 * @param format version of the file
 * @param task name of the task
 * @param source what was checked
 * @param circuitHash of the circuit's file, {@link Circuit#hash()}; null without one
 * @param modelLoss of the whole model on final examples, two-way, nats per sequence
 * @param lossValidation of the circuit, on the examples it was chosen by; null without one
 * @param lossFinal of the circuit on final examples; null without one
 * @param nodes of the circuit; 0 without one
 * @param edges of the circuit; 0 without one
 * @param extendedEdges of the circuit: with embedding, unembedding and biases; 0 without one
 * @param grade how far the circuit can be trusted
 * @param failed names of the checks that it fails
 * @param notRun names of the checks that were not run
 * @param model how the whole model does, its calibration fitted on the training examples
 * @param checks what was asked
 * @param examples some final examples with both answers
 */
public record Evidence(
    int format,
    String task,
    Source source,
    String circuitHash,
    double modelLoss,
    Double lossValidation,
    Double lossFinal,
    int nodes,
    int edges,
    int extendedEdges,
    Grade grade,
    List<String> failed,
    List<String> notRun,
    Scores model,
    Checks checks,
    List<Prompt> examples) {
  /** Version of the file that this class reads and writes. */
  public static final int FORMAT = 6;

  private static final Counts NOTHING = new Counts(0, 0, 0, 0, 0);

  public Evidence {
    examples = List.copyOf(examples);
    failed = List.copyOf(failed);
    notRun = List.copyOf(notRun);
    if (format != FORMAT) {
      throw new IllegalArgumentException(
          "evidence format %d; this version reads %d: check the circuit again with"
                  .formatted(format, FORMAT)
              + " ./filigree evidence");
    }
    if (checks.gate() == null) {
      throw new IllegalArgumentException("there is no gate");
    }
    boolean checked = checks.sufficient() != null;
    if (checked != (checks.last() != null)
        || checked != (checks.necessary() != null)
        || checked != (checks.faithful() != null)
        || checked != (circuitHash != null)
        || checked != (lossFinal != null)
        || checked != (lossValidation != null)) {
      throw new IllegalArgumentException("some checks are there and some are null");
    }
    if (!checked && (nodes != 0 || edges != 0 || checks.gate().passed())) {
      throw new IllegalArgumentException(
          "without checks there is no circuit, and the model has failed the gate");
    }
    if (grade != Grade.of(checks)) {
      throw new IllegalArgumentException(
          "the grade is %s, the checks say %s".formatted(grade, Grade.of(checks)));
    }
  }

  /** Evidence for the circuit of a task. */
  public static Evidence of(
      Circuit circuit, Source source, Scores model, Checks checks, List<Prompt> examples) {
    return of(circuit.task(), source, circuit.hash(), circuit.counts(), model, checks, examples);
  }

  /** Whether it is about this very circuit, in this model. */
  public boolean isAbout(Circuit circuit, Source model) {
    return source.isSameAs(model) && circuit.hash().equals(circuitHash);
  }

  /** Evidence for a model that fails the gate, so that there is no circuit. */
  public static Evidence gateFailed(String task, Source source, Scores model, Gate gate) {
    return of(task, source, null, NOTHING, model, Checks.gateFailed(gate), List.of());
  }

  private static Evidence of(
      String task,
      Source source,
      String circuitHash,
      Counts counts,
      Scores model,
      Checks checks,
      List<Prompt> examples) {
    boolean checked = checks.sufficient() != null;
    return new Evidence(
        FORMAT,
        task,
        source,
        circuitHash,
        model.last().loss(),
        checked ? Double.valueOf(checks.sufficient().validation().mean()) : null,
        checked ? Double.valueOf(checks.last().loss().mean()) : null,
        counts.nodes(),
        counts.edges(),
        counts.extendedEdges(),
        Grade.of(checks),
        checks.with(Verdict.FAILED),
        checks.with(Verdict.NOT_RUN),
        model,
        checks,
        examples);
  }

  /** Whether the model does the task, and the circuit does it on final examples. */
  public boolean holds() {
    return checks.gate().passed() && checks.last() != null && checks.last().passed();
  }

  /** Scores on two sets of examples. */
  public record Scores(TaskStats validation, @JsonProperty("final") TaskStats last) {}

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
