// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import com.fasterxml.jackson.databind.JsonNode;
import dev.filigree.circuit.Circuit;
import dev.filigree.json.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * What there is to say about a run in one line.
 *
 * @param name path below the folder of all runs
 * @param preset it was started from; null for none
 * @param created when, UTC
 * @param step of the last checkpoint; null without one
 * @param loss last held-out loss over the mix, nats per token; null before the first
 * @param losses the same by corpus
 * @param nonzeros weights that are not zero at the last line of metrics; null before the first
 * @param circuits by task
 */
public record RunSummary(
    String name,
    String preset,
    String created,
    Long step,
    Double loss,
    Map<String, Double> losses,
    Long nonzeros,
    Map<String, Size> circuits) {
  private static final String LOSS = "test_xent";
  private static final String BY_CORPUS = LOSS + "/";

  /**
   * Size of a circuit, and its two-way loss on final examples.
   *
   * @param loss nats per sequence
   */
  public record Size(int nodes, int edges, double loss) {
    static Size of(Circuit circuit) {
      return new Size(
          circuit.counts().nodes(),
          circuit.counts().edges(),
          circuit.losses().last().circuit().loss());
    }
  }

  /**
   * Read a run.
   *
   * @param runs the folder of all runs
   * @throws RunException when a file of it is damaged
   */
  public static RunSummary of(Path runs, RunFolder run) {
    JsonNode manifest = run.manifest();
    Double loss = null;
    Map<String, Double> losses = Map.of();
    Long nonzeros = null;
    for (JsonNode line : metrics(run)) {
      if (line.has("L0")) {
        nonzeros = line.get("L0").asLong();
      }
      if (line.has(LOSS)) {
        loss = line.get(LOSS).asDouble();
        losses = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> field : line.properties()) {
          if (field.getKey().startsWith(BY_CORPUS)) {
            losses.put(field.getKey().substring(BY_CORPUS.length()), field.getValue().asDouble());
          }
        }
      }
    }
    var checkpoints = run.checkpoints().all();
    Map<String, Size> circuits = new TreeMap<>();
    for (String task : run.circuits()) {
      run.readCircuit(task).ifPresent(circuit -> circuits.put(task, Size.of(circuit)));
    }
    return new RunSummary(
        name(runs, run.path()),
        manifest.path("preset").isTextual() ? manifest.path("preset").asText() : null,
        manifest.path("created").asText(),
        checkpoints.isEmpty() ? null : Long.valueOf(checkpoints.getLast().step()),
        loss,
        losses,
        nonzeros,
        circuits);
  }

  private static String name(Path runs, Path run) {
    Path from = runs.toAbsolutePath().normalize();
    Path to = run.toAbsolutePath().normalize();
    return (to.startsWith(from) ? from.relativize(to) : run).toString();
  }

  /** The lines of metrics; one that a killed process left half written is left out. */
  private static List<JsonNode> metrics(RunFolder run) {
    if (!Files.exists(run.metrics())) {
      return List.of();
    }
    try {
      return Files.readAllLines(run.metrics()).stream()
          .map(RunSummary::parse)
          .flatMap(Optional::stream)
          .toList();
    } catch (IOException e) {
      throw new RunException("cannot read " + run.metrics() + ": " + e.getMessage(), e);
    }
  }

  private static Optional<JsonNode> parse(String line) {
    try {
      return Optional.of(Json.parse(line));
    } catch (IllegalArgumentException _) {
      return Optional.empty();
    }
  }
}
