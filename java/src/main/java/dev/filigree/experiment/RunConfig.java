// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.LongNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import dev.filigree.ModelConfig;
import dev.filigree.ModelInit;
import dev.filigree.TrainConfig;
import dev.filigree.TrainConfig.Distill;
import dev.filigree.TrainConfig.Levels;
import dev.filigree.TrainConfig.Revive;
import dev.filigree.json.Json;
import java.util.ArrayList;
import java.util.List;

/**
 * Everything a run is made from; the "config" of run.json.
 *
 * @param model architecture
 * @param init how the weights start
 * @param train how they are trained
 * @param data on what
 * @param prune how circuits are searched
 * @param run how often what is written down
 */
public record RunConfig(
    ModelConfig model,
    ModelInit init,
    TrainConfig train,
    DataConfig data,
    CircuitConfig prune,
    Cadence run) {
  public RunConfig {
    if (train.seqLen() > model.blockSize()) {
      throw new IllegalArgumentException(
          "train.seq_len %d is longer than model.block_size %d"
              .formatted(train.seqLen(), model.blockSize()));
    }
  }

  /**
   * How often what is written down.
   *
   * @param logEvery steps between two lines of metrics
   * @param evalEvery steps between two losses on held-out text
   * @param evalBatch sequences per forward pass of evaluation
   * @param evalSequences windows of each corpus to evaluate on, 0 for all
   * @param checkpointEvery steps between two checkpoints
   * @param keepCheckpoints newest checkpoints to keep, the final one among them
   * @param stopLoss held-out loss over the mix at which training ends before its last step, nats
   *     per token; null to train to the end
   */
  public record Cadence(
      long logEvery,
      long evalEvery,
      int evalBatch,
      int evalSequences,
      long checkpointEvery,
      int keepCheckpoints,
      Double stopLoss) {
    public Cadence {
      if (logEvery < 1 || evalEvery < 1 || checkpointEvery < 1) {
        throw new IllegalArgumentException(
            "log_every, eval_every and checkpoint_every are 1 or more");
      }
      if (evalBatch < 1 || evalSequences < 0 || keepCheckpoints < 1) {
        throw new IllegalArgumentException(
            "eval_batch and keep_checkpoints are 1 or more, eval_sequences 0 or more");
      }
      if (stopLoss != null && !(stopLoss > 0)) {
        throw new IllegalArgumentException("stop_loss is above 0, not " + stopLoss);
      }
    }
  }

  /** Use one seed for the weights, the batches, the examples and the masks. */
  public RunConfig withSeed(long seed) {
    return new RunConfig(
        model, init.withSeed(seed), train.withSeed(seed), data, prune.withSeed(seed), run);
  }

  public RunConfig withData(DataConfig data) {
    return new RunConfig(model, init, train, data, prune, run);
  }

  /**
   * Change one value.
   *
   * @param key dotted path: "train.lr", "data.corpora.0.share"
   * @param value as JSON, or as text where that is no JSON
   * @throws ConfigException when there is no such key, naming the nearest one, or the value does
   *     not fit
   */
  public RunConfig with(String key, String value) {
    return withAll(List.of(new Setting(key, value)));
  }

  /** One change of a configuration. */
  public record Setting(String key, String value) {
    /**
     * Read {@code key=value}.
     *
     * @throws ConfigException when there is no equals sign
     */
    public static Setting parse(String text) {
      int equals = text.indexOf('=');
      if (equals < 1) {
        throw new ConfigException("\"" + text + "\" is not of the form key=value");
      }
      return new Setting(text.substring(0, equals).strip(), text.substring(equals + 1).strip());
    }
  }

  /** Change several values at once, so that only the outcome has to fit together. */
  public RunConfig withAll(List<Setting> settings) {
    ObjectNode tree = (ObjectNode) Json.tree(this);
    settings.forEach(setting -> set(tree, setting));
    try {
      return fromJson(tree.toString());
    } catch (ConfigException e) {
      throw settings.size() == 1
          ? new ConfigException(
              "%s=%s: %s"
                  .formatted(
                      settings.getFirst().key(), settings.getFirst().value(), e.getMessage()),
              e)
          : e;
    }
  }

  /**
   * Read the configuration of a run, which may be older than the keys of some options: those are
   * off.
   */
  static RunConfig ofRun(JsonNode config) {
    ObjectNode tree = config.deepCopy();
    if (tree.path("train") instanceof ObjectNode train) {
      if (!train.has("accumulate")) {
        train.put("accumulate", 1);
      }
      if (!train.has("distill")) {
        train.set("distill", Json.tree(Distill.OFF));
      }
      if (train.path("sparsity") instanceof ObjectNode sparsity && !sparsity.has("revive")) {
        sparsity.set("revive", Json.tree(Revive.OFF));
        sparsity.set("levels", Json.tree(Levels.OFF));
      }
    }
    return fromJson(tree.toString());
  }

  /** Read a configuration; every key must be there and no other. */
  static RunConfig fromJson(String text) {
    try {
      return Json.read(text, RunConfig.class);
    } catch (IllegalArgumentException e) {
      throw new ConfigException(e.getMessage(), e);
    }
  }

  /** Return the canonical JSON text. */
  public String toJson() {
    return Json.write(this);
  }

  private static void set(ObjectNode tree, Setting setting) {
    String[] path = setting.key().split("\\.", -1);
    JsonNode parent = tree;
    for (int i = 0; i < path.length - 1 && parent != null; i++) {
      parent = child(parent, path[i]);
    }
    String last = path[path.length - 1];
    JsonNode old = parent == null ? null : child(parent, last);
    if (old == null || old.isObject()) {
      throw unknown(tree, setting.key());
    }
    JsonNode value = value(setting.value(), old);
    if (parent instanceof ObjectNode object) {
      object.set(last, value);
    } else {
      ((ArrayNode) parent).set(Integer.parseInt(last), value);
    }
  }

  private static JsonNode value(String text, JsonNode old) {
    JsonNode string = TextNode.valueOf(text);
    if (old.isTextual() && !text.startsWith("\"")) {
      return string;
    }
    try {
      JsonNode value = Json.parse(text);
      // 1e3 steps is a whole number to people.
      return value.isFloatingPointNumber()
              && old.isIntegralNumber()
              && value.doubleValue() == Math.rint(value.doubleValue())
          ? LongNode.valueOf(value.longValue())
          : value;
    } catch (IllegalArgumentException _) {
      return string;
    }
  }

  private static JsonNode child(JsonNode node, String name) {
    return node.isArray() && name.matches("\\d{1,4}")
        ? node.get(Integer.parseInt(name))
        : node.get(name);
  }

  private static ConfigException unknown(ObjectNode tree, String key) {
    List<String> keys = new ArrayList<>();
    collect(tree, "", keys);
    // "lr" should find train.lr: without a dot it is the last part that was meant.
    List<String> candidates =
        key.indexOf('.') >= 0
            ? keys
            : keys.stream().map(known -> known.substring(known.lastIndexOf('.') + 1)).toList();
    String nearest = keys.get(candidates.indexOf(Json.nearest(key, candidates)));
    return new ConfigException(
        "there is no configuration key \"%s\"; the nearest one is \"%s\"".formatted(key, nearest));
  }

  private static void collect(JsonNode node, String prefix, List<String> keys) {
    if (node.isObject()) {
      node.properties()
          .forEach(
              field ->
                  collect(
                      field.getValue(),
                      prefix.isEmpty() ? field.getKey() : prefix + "." + field.getKey(),
                      keys));
    } else {
      keys.add(prefix);
      for (int i = 0; i < node.size(); i++) {
        collect(node.get(i), prefix + "." + i, keys);
      }
    }
  }
}
