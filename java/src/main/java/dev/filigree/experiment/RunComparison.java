// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Two runs side by side.
 *
 * @param first the one
 * @param second the other
 * @param config keys of the configuration with different values, as dotted paths
 */
public record RunComparison(RunSummary first, RunSummary second, List<Change> config) {
  /** One key of the configuration; a value is null in JSON also where a run has no such key. */
  public record Change(String key, JsonNode first, JsonNode second) {}

  /**
   * Compare two runs.
   *
   * @param runs the folder of all runs
   */
  public static RunComparison of(Path runs, RunFolder first, RunFolder second) {
    return new RunComparison(
        RunSummary.of(runs, first),
        RunSummary.of(runs, second),
        changes(first.manifest().path("config"), second.manifest().path("config")));
  }

  /** What two configurations differ in. */
  static List<Change> changes(JsonNode first, JsonNode second) {
    Map<String, JsonNode> a = new TreeMap<>();
    Map<String, JsonNode> b = new TreeMap<>();
    collect(first, "", a);
    collect(second, "", b);
    TreeSet<String> keys = new TreeSet<>(a.keySet());
    keys.addAll(b.keySet());
    return keys.stream()
        .filter(key -> !Objects.equals(a.get(key), b.get(key)))
        .map(key -> new Change(key, a.get(key), b.get(key)))
        .toList();
  }

  private static void collect(JsonNode node, String path, Map<String, JsonNode> values) {
    String prefix = path.isEmpty() ? "" : path + ".";
    if (node.isObject()) {
      node.properties().forEach(f -> collect(f.getValue(), prefix + f.getKey(), values));
    } else if (node.isArray()) {
      for (int i = 0; i < node.size(); i++) {
        collect(node.get(i), prefix + i, values);
      }
    } else {
      values.put(path, node);
    }
  }
}
