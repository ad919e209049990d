// SPDX-License-Identifier: Apache-2.0
package dev.filigree.report;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.filigree.circuit.Checks;
import dev.filigree.circuit.Checks.Gate;
import dev.filigree.circuit.Circuit;
import dev.filigree.circuit.Evidence;
import dev.filigree.circuit.Grade;
import dev.filigree.experiment.Experiment;
import dev.filigree.experiment.QuickstartResult;
import dev.filigree.experiment.RunFolder;
import dev.filigree.json.Json;
import dev.filigree.task.Task;
import dev.filigree.task.Tasks;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * What the page shows; its JSON is the data block that the scripts of the page read.
 *
 * @param title name of the folder
 * @param written when, UTC
 * @param filigree version that wrote it
 * @param seconds the whole quickstart took; null without one
 * @param runs one or two
 * @param tasks every task that a run has a circuit or evidence for, or that the quickstart tried
 */
record Page(
    String title,
    String written,
    String filigree,
    Double seconds,
    List<RunView> runs,
    List<TaskPart> tasks) {

  /**
   * One task.
   *
   * @param task name
   * @param description what decides the answer; null for a task that this version does not have
   * @param sides one for each run, in their order
   * @param nodeRatio as in {@link QuickstartResult.TaskRow}, from the evidence there is now; null
   *     without two sides
   * @param edgeRatio the same of edges
   */
  record TaskPart(
      String task, String description, List<Side> sides, Double nodeRatio, Double edgeRatio) {}

  /**
   * One task in one run.
   *
   * @param label of the run
   * @param impossible whether the quickstart found that the vocabulary cannot express the task
   * @param summary the line of the table
   * @param circuit the file, its edges as {@code [source, target, weight]}; null where there is
   *     none
   * @param evidence the file; null where there is none
   */
  record Side(
      String label, boolean impossible, Summary summary, JsonNode circuit, Evidence evidence) {}

  /**
   * The line of a task in the table; what is not known is null.
   *
   * @param modelLossFinal two-way loss of the whole model on the final examples
   * @param gate whether the whole model does the task, so that its circuit counts
   * @param lossValidation of the circuit
   * @param lossFinal of the circuit
   * @param sufficient whether the circuit alone does the task
   * @param necessary whether the model without the circuit does not
   * @param holds whether the circuit's loss on the final examples is near the model's
   * @param grade of the evidence
   */
  record Summary(
      Double modelLossFinal,
      Boolean gate,
      Double lossValidation,
      Double lossFinal,
      Integer nodes,
      Integer edges,
      Boolean sufficient,
      Boolean necessary,
      Boolean holds,
      Grade grade) {}

  /** Collect what is known of runs, by their labels. */
  static Page of(String title, Map<String, RunFolder> runs, QuickstartResult result) {
    List<RunView> views = new ArrayList<>();
    runs.forEach((label, run) -> views.add(RunView.of(label, run)));
    List<TaskPart> tasks = new ArrayList<>();
    boolean matched = matched(views);
    for (String task : tasks(runs, result)) {
      List<Side> sides = new ArrayList<>();
      runs.forEach(
          (label, run) -> sides.add(side(label, run, task, isImpossible(result, task, label))));
      QuickstartResult.TaskRow row = row(task, sides, matched);
      tasks.add(
          new TaskPart(
              task,
              description(task),
              sides,
              row == null ? null : row.nodeRatio(),
              row == null ? null : row.edgeRatio()));
    }
    return new Page(
        title,
        Instant.now().truncatedTo(ChronoUnit.SECONDS).toString(),
        Experiment.version(),
        result == null ? null : Double.valueOf(result.seconds()),
        views,
        tasks);
  }

  /** Whether there are two models of which the second predicts as well as the first. */
  private static boolean matched(List<RunView> views) {
    return views.size() == 2
        && views.get(0).loss() != null
        && views.get(1).loss() != null
        && new QuickstartResult.Pretraining(views.get(0).loss(), views.get(1).loss()).matched();
  }

  private static QuickstartResult.TaskRow row(String task, List<Side> sides, boolean matched) {
    if (sides.size() != 2 || sides.stream().anyMatch(side -> side.evidence() == null)) {
      return null;
    }
    return QuickstartResult.TaskRow.of(
        task,
        QuickstartResult.Side.of(sides.get(0).evidence()),
        QuickstartResult.Side.of(sides.get(1).evidence()),
        matched);
  }

  private static boolean isImpossible(QuickstartResult result, String task, String label) {
    return result != null
        && result.tasks().stream()
            .filter(row -> row.task().equals(task))
            .map(row -> label.equals("sparse") ? row.sparse() : row.dense())
            .anyMatch(side -> side.modelLossFinal() == null);
  }

  /** Those of the quickstart in its order, then all others in the order of the published table. */
  private static Set<String> tasks(Map<String, RunFolder> runs, QuickstartResult result) {
    Set<String> names = new LinkedHashSet<>();
    if (result != null) {
      result.tasks().forEach(row -> names.add(row.task()));
    }
    Set<String> found = new TreeSet<>();
    for (RunFolder run : runs.values()) {
      found.addAll(run.circuits());
      found.addAll(run.evidence());
    }
    Tasks.all().stream().map(Task::name).filter(found::contains).forEach(names::add);
    names.addAll(found);
    return names;
  }

  private static String description(String name) {
    return Tasks.all().stream()
        .filter(task -> task.name().equals(name))
        .map(Task::description)
        .findFirst()
        .orElse(null);
  }

  private static Side side(String label, RunFolder run, String task, boolean impossible) {
    Circuit circuit = run.readCircuit(task).orElse(null);
    Evidence evidence = run.currentEvidence(task).orElse(null);
    Summary summary;
    if (evidence != null) {
      summary = summary(evidence);
    } else if (circuit != null) {
      summary = summary(circuit);
    } else {
      summary = new Summary(null, null, null, null, null, null, null, null, null, null);
    }
    return new Side(
        label, impossible, summary, circuit == null ? null : compact(circuit), evidence);
  }

  private static Summary summary(Evidence evidence) {
    double model = evidence.model().last().loss();
    Checks checks = evidence.checks();
    boolean gate = checks.gate().passed();
    if (checks.sufficient() == null) {
      return new Summary(model, gate, null, null, null, null, null, null, null, evidence.grade());
    }
    return new Summary(
        model,
        gate,
        evidence.lossValidation(),
        evidence.lossFinal(),
        evidence.nodes(),
        evidence.edges(),
        checks.sufficient().passed(),
        checks.necessary().passed(),
        evidence.holds(),
        evidence.grade());
  }

  private static Summary summary(Circuit circuit) {
    Circuit.Losses losses = circuit.losses();
    // Found by prune --unlearnt, or for a loose target.
    boolean learnt =
        Gate.admits(
            losses.validation().model().loss(), losses.last().model().loss(), Checks.GATE_LIMIT);
    return new Summary(
        losses.last().model().loss(),
        learnt ? null : false,
        circuit.losses().validation().circuit().loss(),
        circuit.losses().last().circuit().loss(),
        circuit.counts().nodes(),
        circuit.counts().edges(),
        null,
        null,
        null,
        null);
  }

  private static JsonNode compact(Circuit circuit) {
    ObjectNode tree = (ObjectNode) Json.tree(circuit);
    tree.remove("config");
    ArrayNode edges = tree.putArray("edges");
    circuit
        .edges()
        .forEach(edge -> edges.addArray().add(edge.source()).add(edge.target()).add(edge.weight()));
    return tree;
  }

  static Double number(JsonNode node) {
    return node.isNumber() ? Double.valueOf(node.doubleValue()) : null;
  }
}
