// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import com.fasterxml.jackson.databind.JsonNode;
import dev.filigree.data.DataException;
import dev.filigree.data.TextFile;
import dev.filigree.data.Tokenizer;
import dev.filigree.json.Json;
import dev.filigree.task.PairEncoder.Outcome;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.random.RandomGenerator;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Reads tasks from a file of JSON lines, one pair each: as text, or as the tokens that {@link
 * ExampleSet#save} writes (docs/tasks.md). Every pair is checked with the vocabulary it is read
 * for.
 */
public final class TaskFile {
  /** Fewest pairs of a split: with fewer a loss says little. */
  public static final int LEAST_PAIRS = 64;

  private static final List<String> COMMON = List.of("task", "id", "split");
  private static final List<String> TEXT = List.of("prompt_a", "prompt_b", "answer_a", "answer_b");
  private static final List<String> TOKENS =
      List.of("tokens_a", "tokens_b", "target_a", "target_b");
  private static final List<String> OPTIONAL = List.of("template", "eval_pos", "text");

  private final Path file;
  private final PairEncoder encoder;
  private final Map<String, Map<Split, List<Pair>>> tasks = new LinkedHashMap<>();
  private final Map<String, Integer> lineOfId = new HashMap<>();
  private final Map<String, Map<List<Integer>, Integer>> lineOfPrompt = new HashMap<>();
  private final Map<String, Map<List<Integer>, Place>> placeOfPrompt = new HashMap<>();
  private int line;

  private TaskFile(Path file, PairEncoder encoder) {
    this.file = file;
    this.encoder = encoder;
  }

  /** Where a prompt was first seen. */
  private record Place(Split split, int line) {}

  /** A pair under its name in the file. */
  private record Pair(String id, Candidate candidate) {}

  /**
   * Read the tasks of a file.
   *
   * @param maximumLength most tokens a prompt may have
   * @return in the order in which the file first names them
   * @throws DataException when a line cannot be used, naming it and the reason, or when a split of
   *     a task has fewer than {@value #LEAST_PAIRS} pairs
   */
  public static List<Task> read(Path file, Tokenizer tokenizer, int maximumLength) {
    TaskFile reader = new TaskFile(file, new PairEncoder(tokenizer, maximumLength));
    for (String text : TextFile.read(file).lines().toList()) {
      reader.line++;
      if (!text.isBlank()) {
        reader.add(text);
      }
    }
    return reader.finish();
  }

  private List<Task> finish() {
    if (tasks.isEmpty()) {
      throw new DataException(file + " has no pairs");
    }
    tasks.forEach(
        (name, splits) -> {
          for (Split split : Split.values()) {
            int pairs = splits.getOrDefault(split, List.of()).size();
            if (pairs < LEAST_PAIRS) {
              throw new DataException(
                  "%s has %d pairs of task %s, split %s; each split needs at least %d"
                      .formatted(file, pairs, name, split.key(), LEAST_PAIRS));
            }
          }
        });
    List<Task> made =
        tasks.entrySet().stream()
            .<Task>map(
                entry ->
                    new GivenTask(
                        entry.getKey(), "Pairs of " + file.getFileName() + ".", entry.getValue()))
            .toList();
    try {
      Tasks.requireNames(made);
    } catch (TaskException e) {
      throw new DataException(file + ": " + e.getMessage(), e);
    }
    return made;
  }

  private void add(String text) {
    JsonNode json;
    try {
      json = Json.parse(text);
    } catch (IllegalArgumentException e) {
      throw problem("is " + e.getMessage());
    }
    if (!json.isObject()) {
      throw problem("is not a JSON object");
    }
    boolean hasTokens = json.has(TOKENS.getFirst());
    List<String> needed =
        Stream.concat(COMMON.stream(), (hasTokens ? TOKENS : TEXT).stream()).toList();
    requireKeys(json, needed);
    String task = string(json, "task");
    String id = string(json, "id");
    Integer before = lineOfId.putIfAbsent(id, line);
    if (before != null) {
      throw problem("has the id '%s' of line %d".formatted(id, before));
    }
    Candidate candidate = hasTokens ? fromTokens(json) : fromText(json);
    Outcome outcome = encoder.encode(candidate);
    if (outcome.rejection() != null) {
      throw problem(
          "cannot be used, %s: %s"
              .formatted(outcome.rejection().meaning(), encoder.describe(candidate)));
    }
    if (hasTokens) {
      requireToken(json, "target_a", outcome.targetA());
      requireToken(json, "target_b", outcome.targetB());
    }
    before =
        lineOfPrompt
            .computeIfAbsent(task, _ -> new HashMap<>())
            .putIfAbsent(outcome.tokensA(), line);
    if (before != null) {
      throw problem("has the prompt A of line %d".formatted(before));
    }
    requireOneSplit(task, split(json), outcome.tokensA());
    requireOneSplit(task, split(json), outcome.tokensB());
    tasks
        .computeIfAbsent(task, _ -> new EnumMap<>(Split.class))
        .computeIfAbsent(split(json), _ -> new ArrayList<>())
        .add(new Pair(id, candidate));
  }

  /** What a circuit is judged by must be new to its search, whichever member of a pair it is. */
  private void requireOneSplit(String task, Split split, List<Integer> prompt) {
    Place first =
        placeOfPrompt
            .computeIfAbsent(task, _ -> new HashMap<>())
            .computeIfAbsent(prompt, _ -> new Place(split, line));
    if (first.split() != split) {
      throw problem(
          "has a prompt of line %d, which is of split %s"
              .formatted(first.line(), first.split().key()));
    }
  }

  /** A token that is no text of its own, a part of a letter say, is read back as others. */
  private void requireToken(JsonNode json, String key, int encoded) {
    if (token(json.get(key)) != encoded) {
      throw problem(
          "has a \"%s\", %s, whose text is token %d of this vocabulary"
              .formatted(key, json.get(key), encoded));
    }
  }

  private void requireKeys(JsonNode json, List<String> needed) {
    Set<String> unknown = new TreeSet<>();
    json.fieldNames().forEachRemaining(unknown::add);
    for (String key : needed) {
      if (!unknown.remove(key)) {
        throw problem("has no \"%s\"; it needs %s".formatted(key, String.join(", ", needed)));
      }
    }
    OPTIONAL.forEach(unknown::remove);
    if (!unknown.isEmpty()) {
      throw problem("has the unknown key \"%s\"".formatted(unknown.iterator().next()));
    }
  }

  private Candidate fromText(JsonNode json) {
    return new Candidate(
        string(json, "prompt_a"),
        string(json, "prompt_b"),
        string(json, "answer_a"),
        string(json, "answer_b"));
  }

  private Candidate fromTokens(JsonNode json) {
    int[] a = tokens(json, "tokens_a");
    int[] b = tokens(json, "tokens_b");
    if (json.has("eval_pos") && json.get("eval_pos").asInt(-1) != a.length - 1) {
      throw problem(
          "is scored at eval_pos %s; the last token of its prompts is %d"
              .formatted(json.get("eval_pos"), a.length - 1));
    }
    return new Candidate(
        decode(json, "a", a),
        decode(json, "b", b),
        encoder.tokenizer().decode(token(json.get("target_a"))),
        encoder.tokenizer().decode(token(json.get("target_b"))));
  }

  /** The text of a prompt, which must have these tokens and no others. */
  private String decode(JsonNode json, String member, int[] tokens) {
    String text = encoder.tokenizer().decode(tokens);
    JsonNode recorded = json.at("/text/" + member);
    if (!Arrays.equals(encoder.tokenizer().encode(text), tokens)
        || (recorded.isTextual() && !recorded.asText().equals(text))) {
      throw problem(
          "has tokens_%s that this vocabulary does not make of their text; were they made with"
                  .formatted(member)
              + " another one?");
    }
    return text;
  }

  private int[] tokens(JsonNode json, String key) {
    JsonNode array = json.get(key);
    if (!array.isArray()) {
      throw problem("has a \"%s\" that is no array of tokens".formatted(key));
    }
    return array.valueStream().mapToInt(this::token).toArray();
  }

  private int token(JsonNode token) {
    int size = encoder.tokenizer().vocabularySize();
    if (!token.canConvertToInt() || token.intValue() < 0 || token.intValue() >= size) {
      throw problem("has the token %s; the vocabulary has 0 to %,d".formatted(token, size - 1));
    }
    return token.intValue();
  }

  private Split split(JsonNode json) {
    String key = string(json, "split");
    return Arrays.stream(Split.values())
        .filter(split -> split.key().equals(key))
        .findFirst()
        .orElseThrow(
            () ->
                problem(
                    "has the split '%s'; there are %s"
                        .formatted(
                            key,
                            Arrays.stream(Split.values())
                                .map(Split::key)
                                .collect(Collectors.joining(", ")))));
  }

  private String string(JsonNode json, String key) {
    JsonNode value = json.get(key);
    if (!value.isTextual()) {
      throw problem("has a \"%s\" that is no string".formatted(key));
    }
    return value.asText();
  }

  private DataException problem(String what) {
    return new DataException("%s line %d %s".formatted(file, line, what));
  }

  /** A task whose pairs are given. */
  private static final class GivenTask implements Task {
    private final String name;
    private final String description;
    private final Map<Split, List<Template>> templates = new EnumMap<>(Split.class);
    private final Map<String, Candidate> candidates = new HashMap<>(); // by id of the template

    GivenTask(String name, String description, Map<Split, List<Pair>> pairs) {
      this.name = name;
      this.description = description;
      pairs.forEach(
          (split, given) -> {
            templates.put(
                split,
                given.stream()
                    .map(pair -> new Template(pair.id(), pair.candidate().promptA()))
                    .toList());
            given.forEach(pair -> candidates.put(pair.id(), pair.candidate()));
          });
    }

    @Override
    public String name() {
      return name;
    }

    @Override
    public String description() {
      return description;
    }

    @Override
    public List<Template> templates(Split split) {
      return templates.get(split);
    }

    @Override
    public List<Template> contexts(Split split) {
      return List.of();
    }

    @Override
    public int mostPairs(Split split) {
      return templates.get(split).size();
    }

    @Override
    public List<Candidate> candidates(Template template, String context, RandomGenerator random) {
      return List.of(candidates.get(template.id()));
    }
  }
}
