// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.filigree.data.AtomicFile;
import dev.filigree.data.Hashes;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * Examples of one task and split, as records, as JSON lines, and as the arrays the engine takes.
 *
 * @param task name of the task
 * @param seed seed they were made with
 * @param vocabularyHash hash of the tokenizer they were encoded with
 * @param rejected number of candidates thrown out on the way, by reason
 */
public record ExampleSet(
    String task,
    Split split,
    long seed,
    String vocabularyHash,
    List<Example> examples,
    Map<Rejection, Integer> rejected) {
  private static final ObjectMapper JSON = new ObjectMapper();

  public ExampleSet {
    if (examples.isEmpty()) {
      throw new IllegalArgumentException("a set of examples is never empty");
    }
    examples = List.copyOf(examples);
    rejected = rejected.isEmpty() ? Map.of() : Map.copyOf(new EnumMap<>(rejected));
  }

  /** Some of the pairs, from one number up to another, without their diagnostics. */
  public ExampleSet part(int from, int to) {
    return new ExampleSet(task, split, seed, vocabularyHash, examples.subList(from, to), Map.of());
  }

  /** Number of pairs. */
  public int pairs() {
    return examples.size();
  }

  /** Number of tokens of the longest prompt. */
  public int length() {
    return examples.stream().mapToInt(example -> example.tokensA().size()).max().orElseThrow();
  }

  /**
   * Prompts as unsigned 16-bit tokens, [pairs, 2, length] with A before B, padded on the right with
   * 0.
   */
  public short[] tokens() {
    int length = length();
    short[] tokens = new short[2 * pairs() * length];
    int row = 0;
    for (Example example : examples) {
      copy(example.tokensA(), tokens, length * row++);
      copy(example.tokensB(), tokens, length * row++);
    }
    return tokens;
  }

  /** Position of the answer's logits in every prompt, [pairs, 2]. */
  public int[] evalPositions() {
    int[] positions = new int[2 * pairs()];
    for (int i = 0; i < positions.length; i++) {
      positions[i] = examples.get(i / 2).evalPosition();
    }
    return positions;
  }

  /** Right answer of every prompt as unsigned 16-bit tokens, [pairs, 2]. */
  public short[] answers() {
    short[] answers = new short[2 * pairs()];
    for (int i = 0; i < pairs(); i++) {
      answers[2 * i] = (short) examples.get(i).targetA();
      answers[2 * i + 1] = (short) examples.get(i).targetB();
    }
    return answers;
  }

  /** Ids of the templates that gave examples. */
  public Set<String> templates() {
    Set<String> templates = new TreeSet<>();
    examples.forEach(example -> templates.add(example.template()));
    return templates;
  }

  /** One JSON object per pair and line (docs/tasks.md). */
  public String toJsonLines() {
    StringBuilder lines = new StringBuilder();
    for (Example example : examples) {
      ObjectNode json = JSON.createObjectNode();
      json.put("id", example.id()).put("task", task).put("split", split.key());
      json.put("template", example.template());
      add(json.putArray("tokens_a"), example.tokensA());
      add(json.putArray("tokens_b"), example.tokensB());
      json.put("target_a", example.targetA()).put("target_b", example.targetB());
      json.put("eval_pos", example.evalPosition());
      json.putObject("text").put("a", example.textA()).put("b", example.textB());
      lines.append(json).append('\n');
    }
    return lines.toString();
  }

  /** SHA-256 of {@link #toJsonLines}, in hex. */
  public String hash() {
    return Hashes.hex(toJsonLines().getBytes(StandardCharsets.UTF_8));
  }

  /** Write {@link #toJsonLines}. */
  public void save(Path file) throws IOException {
    AtomicFile.write(file, toJsonLines().getBytes(StandardCharsets.UTF_8));
  }

  private static void copy(List<Integer> prompt, short[] tokens, int offset) {
    for (int i = 0; i < prompt.size(); i++) {
      tokens[offset + i] = prompt.get(i).shortValue();
    }
  }

  private static void add(ArrayNode array, List<Integer> values) {
    values.forEach(array::add);
  }
}
