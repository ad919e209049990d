// SPDX-License-Identifier: Apache-2.0
package dev.filigree.report;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.filigree.circuit.Circuit;
import dev.filigree.data.DataException;
import dev.filigree.experiment.Experiment;
import dev.filigree.experiment.RunFolder;
import dev.filigree.json.Json;
import dev.filigree.task.Task;
import dev.filigree.task.Tasks;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;

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
   */
  record TaskPart(String task, String description, List<Side> sides) {}

  /**
   * One task in one run.
   *
   * @param label of the run
   * @param summary the line of the table
   * @param circuit the file, its edges as {@code [source, target, weight]}; null where there is
   *     none
   * @param evidence the file; null where there is none
   */
  record Side(String label, Summary summary, JsonNode circuit, JsonNode evidence) {}

  /**
   * The line of a task in the table; what is not known is null.
   *
   * @param modelLossFinal two-way loss of the whole model on the final examples
   * @param lossValidation of the circuit
   * @param lossFinal of the circuit
   * @param sufficient whether the circuit alone does the task
   * @param necessary whether the model without the circuit does not
   * @param holds whether the circuit's loss on the final examples is near the model's
   */
  record Summary(
      Double modelLossFinal,
      Double lossValidation,
      Double lossFinal,
      Integer nodes,
      Integer edges,
      Boolean sufficient,
      Boolean necessary,
      Boolean holds) {}

  /** Collect what is known of runs, by their labels. */
  static Page of(String title, Map<String, RunFolder> runs, JsonNode comparison) {
    List<RunView> views = new ArrayList<>();
    runs.forEach((label, run) -> views.add(RunView.of(label, run)));
    JsonNode compared = comparison == null ? Json.object() : comparison;
    List<TaskPart> tasks = new ArrayList<>();
    for (String task : tasks(runs, compared)) {
      List<Side> sides = new ArrayList<>();
      runs.forEach((label, run) -> sides.add(side(label, run, task, compared)));
      tasks.add(new TaskPart(task, description(task), sides));
    }
    return new Page(
        title,
        Instant.now().truncatedTo(ChronoUnit.SECONDS).toString(),
        Experiment.version(),
        number(compared.path("seconds")),
        views,
        tasks);
  }

  /** Those of the quickstart in its order, then all others in the order of the published table. */
  private static Set<String> tasks(Map<String, RunFolder> runs, JsonNode comparison) {
    Set<String> names = new LinkedHashSet<>();
    comparison.path("tasks").forEach(task -> names.add(task.path("task").asText()));
    Set<String> found = new TreeSet<>();
    for (RunFolder run : runs.values()) {
      found.addAll(namesIn(run.path().resolve("circuits")));
      found.addAll(namesIn(run.path().resolve("evidence")));
    }
    Tasks.all().stream().map(Task::name).filter(found::contains).forEach(names::add);
    names.addAll(found);
    return names;
  }

  private static List<String> namesIn(Path folder) {
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (Stream<Path> files = Files.list(folder)) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.endsWith(".json"))
          .map(name -> name.substring(0, name.length() - ".json".length()))
          .toList();
    } catch (IOException e) {
      throw new DataException("cannot read " + folder + ": " + e.getMessage(), e);
    }
  }

  private static String description(String name) {
    return Tasks.all().stream()
        .filter(task -> task.name().equals(name))
        .map(Task::description)
        .findFirst()
        .orElse(null);
  }

  private static Side side(String label, RunFolder run, String task, JsonNode comparison) {
    Circuit circuit = circuit(run.circuit(task));
    JsonNode evidence = evidence(run.path().resolve("evidence").resolve(task + ".json"));
    Summary summary;
    if (evidence != null) {
      summary = summary(evidence);
    } else if (circuit != null) {
      summary = summary(circuit);
    } else {
      summary = summary(comparison, task, label);
    }
    return new Side(label, summary, circuit == null ? null : compact(circuit), evidence);
  }

  private static Circuit circuit(Path file) {
    try {
      return Files.exists(file) ? Circuit.read(file) : null;
    } catch (IOException | IllegalArgumentException e) {
      throw new DataException("cannot use " + file + ": " + e.getMessage(), e);
    }
  }

  private static JsonNode evidence(Path file) {
    try {
      return Files.exists(file) ? Json.parse(Files.readString(file)) : null;
    } catch (IOException | IllegalArgumentException e) {
      throw new DataException("cannot use " + file + ": " + e.getMessage(), e);
    }
  }

  private static Summary summary(JsonNode evidence) {
    JsonNode sufficient = evidence.path("sufficient");
    int nodes = evidence.path("nodes").asInt();
    boolean none = nodes == 0;
    return new Summary(
        number(evidence.at("/model/final/loss")),
        number(sufficient.path("validation")),
        number(sufficient.path("final")),
        none ? null : Integer.valueOf(nodes),
        none ? null : Integer.valueOf(evidence.path("edges").asInt()),
        truth(sufficient.path("passed")),
        truth(evidence.at("/necessary/passed")),
        truth(evidence.path("holds")));
  }

  private static Summary summary(Circuit circuit) {
    return new Summary(
        circuit.losses().last().model().loss(),
        circuit.losses().validation().circuit().loss(),
        circuit.losses().last().circuit().loss(),
        circuit.counts().nodes(),
        circuit.counts().edges(),
        null,
        null,
        null);
  }

  private static Summary summary(JsonNode comparison, String task, String label) {
    for (JsonNode row : comparison.path("tasks")) {
      if (row.path("task").asText().equals(task)) {
        JsonNode side = row.path(label);
        return new Summary(
            number(side.path("model_loss_final")),
            number(side.path("loss_validation")),
            number(side.path("loss_final")),
            integer(side.path("nodes")),
            integer(side.path("edges")),
            truth(side.path("sufficient")),
            truth(side.path("necessary")),
            truth(side.path("holds")));
      }
    }
    return new Summary(null, null, null, null, null, null, null, null);
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

  private static Integer integer(JsonNode node) {
    return node.isNumber() ? Integer.valueOf(node.intValue()) : null;
  }

  private static Boolean truth(JsonNode node) {
    return node.isBoolean() ? Boolean.valueOf(node.booleanValue()) : null;
  }
}
