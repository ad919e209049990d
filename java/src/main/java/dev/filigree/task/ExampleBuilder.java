// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import dev.filigree.data.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import java.util.stream.Collectors;

/**
 * Makes the examples of a task for one vocabulary.
 *
 * <p>Templates take turns. The answer of a prompt is the token found after it when prompt and
 * completion are encoded together, as in real code; where the completions of a pair begin with the
 * same tokens, those join the prompts and the first token in which they differ is the answer. Of
 * several wordings of a cue the first one that works is taken. A pair that a vocabulary cannot
 * express is thrown out and counted. Immutable.
 */
public final class ExampleBuilder {
  private static final int MOST_CONTEXTS = 3;
  private static final int ATTEMPTS_PER_PAIR = 40;
  private static final int LEAST_ATTEMPTS = 400;

  private final Task task;
  private final Tokenizer tokenizer;
  private final int maximumLength;

  /**
   * Prepare to make examples.
   *
   * @param maximumLength most tokens a prompt may have, such as the block size of the model
   */
  public ExampleBuilder(Task task, Tokenizer tokenizer, int maximumLength) {
    if (maximumLength < 2) {
      throw new IllegalArgumentException("a prompt of " + maximumLength + " token has no cue");
    }
    this.task = task;
    this.tokenizer = tokenizer;
    this.maximumLength = maximumLength;
  }

  /**
   * Make distinct pairs.
   *
   * @param pairs number of pairs
   * @param seed the same seed gives the same pairs
   * @throws TaskException when too few candidates can be expressed, with the reasons
   */
  public ExampleSet build(Split split, int pairs, long seed) {
    if (pairs < 1) {
      throw new IllegalArgumentException("at least one pair is needed, not " + pairs);
    }
    RandomGenerator random =
        new SplittableRandom(
            seed ^ ((long) task.name().hashCode() << Integer.SIZE) ^ split.ordinal());
    List<Template> templates = task.templates(split);
    List<Template> contexts = task.contexts(split);
    List<Example> examples = new ArrayList<>(pairs);
    Map<Rejection, Integer> rejected = new EnumMap<>(Rejection.class);
    Map<Rejection, Candidate> instances = new EnumMap<>(Rejection.class);
    Set<List<Integer>> seen = new HashSet<>();
    int attempts = Math.max(LEAST_ATTEMPTS, ATTEMPTS_PER_PAIR * pairs);
    for (int attempt = 0; examples.size() < pairs; attempt++) {
      if (attempt == attempts) {
        throw tooFew(pairs, attempts, examples.size(), rejected, instances);
      }
      Template template = templates.get(attempt % templates.size());
      List<Candidate> candidates =
          task.candidates(template, context(contexts, template, random), random);
      Outcome outcome = firstPossible(candidates);
      Rejection rejection = outcome.rejection();
      if (rejection == null && !seen.add(outcome.tokensA())) {
        rejection = Rejection.DUPLICATE;
      }
      if (rejection != null) {
        rejected.merge(rejection, 1, Integer::sum);
        instances.putIfAbsent(rejection, candidates.getFirst());
        continue;
      }
      examples.add(
          new Example(
              "%s/%s/%d".formatted(task.name(), split.key(), examples.size()),
              template.id(),
              outcome.tokensA(),
              outcome.tokensB(),
              outcome.targetA(),
              outcome.targetB(),
              tokenizer.decode(toArray(outcome.tokensA())),
              tokenizer.decode(toArray(outcome.tokensB()))));
    }
    return new ExampleSet(task.name(), split, seed, tokenizer.hash(), examples, rejected);
  }

  /** Zero to three contexts, fewer when the limit is low. */
  private String context(List<Template> contexts, Template template, RandomGenerator random) {
    int room = (maximumLength - tokenizer.encode(template.text()).length) / 2;
    StringBuilder code = new StringBuilder();
    for (int i = random.nextInt(MOST_CONTEXTS + 1); i > 0; i--) {
      String next = contexts.get(random.nextInt(contexts.size())).text();
      room -= tokenizer.encode(next).length;
      if (room < 0) {
        break;
      }
      code.append(next);
    }
    return code.toString();
  }

  /** Tokens of a pair, or why it cannot be used. */
  private record Outcome(
      Rejection rejection, List<Integer> tokensA, List<Integer> tokensB, int targetA, int targetB) {
    static Outcome rejected(Rejection rejection) {
      return new Outcome(rejection, List.of(), List.of(), -1, -1);
    }
  }

  /**
   * The first wording that the vocabulary can express, else what is wrong with the first of all.
   */
  private Outcome firstPossible(List<Candidate> wordings) {
    List<Outcome> outcomes = wordings.stream().map(this::encode).toList();
    return outcomes.stream()
        .filter(outcome -> outcome.rejection() == null)
        .findFirst()
        .orElse(outcomes.getFirst());
  }

  private Outcome encode(Candidate candidate) {
    int[] promptA = tokenizer.encode(candidate.promptA());
    int[] promptB = tokenizer.encode(candidate.promptB());
    int[] wholeA = tokenizer.encode(candidate.promptA() + candidate.completionA());
    int[] wholeB = tokenizer.encode(candidate.promptB() + candidate.completionB());
    if (promptA.length != promptB.length) {
      return Outcome.rejected(Rejection.UNEQUAL_LENGTHS);
    }
    if (!startsWith(wholeA, promptA) || !startsWith(wholeB, promptB)) {
      return Outcome.rejected(Rejection.NO_BOUNDARY);
    }
    int answer = promptA.length;
    int end = Math.min(wholeA.length, wholeB.length);
    while (answer < end && wholeA[answer] == wholeB[answer]) {
      answer++;
    }
    if (answer == end) {
      return Outcome.rejected(Rejection.EQUAL_ANSWERS);
    }
    if (answer > maximumLength) {
      return Outcome.rejected(Rejection.TOO_LONG);
    }
    int[] tokensA = Arrays.copyOf(wholeA, answer);
    int[] tokensB = Arrays.copyOf(wholeB, answer);
    int spans = differingSpans(tokensA, tokensB);
    if (spans != 1) {
      return Outcome.rejected(spans == 0 ? Rejection.EQUAL_PROMPTS : Rejection.SEVERAL_SPANS);
    }
    return new Outcome(null, toList(tokensA), toList(tokensB), wholeA[answer], wholeB[answer]);
  }

  private static boolean startsWith(int[] tokens, int[] start) {
    int mismatch = Arrays.mismatch(tokens, start);
    return mismatch < 0 || mismatch == start.length;
  }

  private static int differingSpans(int[] a, int[] b) {
    int spans = 0;
    for (int i = 0; i < a.length; i++) {
      if (a[i] != b[i] && (i == 0 || a[i - 1] == b[i - 1])) {
        spans++;
      }
    }
    return spans;
  }

  private static List<Integer> toList(int[] tokens) {
    return Arrays.stream(tokens).boxed().toList();
  }

  private static int[] toArray(List<Integer> tokens) {
    return tokens.stream().mapToInt(Integer::intValue).toArray();
  }

  private TaskException tooFew(
      int pairs,
      int attempts,
      int found,
      Map<Rejection, Integer> rejected,
      Map<Rejection, Candidate> instances) {
    String reasons =
        rejected.entrySet().stream()
            .sorted(Map.Entry.comparingByValue(Comparator.reverseOrder()))
            .map(entry -> "%d times %s".formatted(entry.getValue(), entry.getKey().meaning()))
            .collect(Collectors.joining(", "));
    Rejection commonest =
        rejected.entrySet().stream().max(Map.Entry.comparingByValue()).orElseThrow().getKey();
    Candidate instance = instances.get(commonest);
    return new TaskException(
        ("task %s gave %d of %d pairs in %d attempts with this vocabulary of %d tokens and prompts"
                + " of at most %d: %s; for instance %s or %s, followed by %s or %s")
            .formatted(
                task.name(),
                found,
                pairs,
                attempts,
                tokenizer.vocabularySize(),
                maximumLength,
                reasons,
                pieces(instance.promptA()),
                pieces(instance.promptB()),
                pieces(instance.completionA()),
                pieces(instance.completionB())));
  }

  /** The tokens of the last line of a text, in brackets. */
  private String pieces(String text) {
    String line = text.stripTrailing().lines().reduce("", (first, second) -> second);
    return Arrays.stream(tokenizer.encode(line))
        .mapToObj(token -> "[" + tokenizer.decode(token) + "]")
        .collect(Collectors.joining());
  }
}
