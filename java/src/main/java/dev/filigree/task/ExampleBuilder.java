// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import dev.filigree.data.Tokenizer;
import dev.filigree.task.PairEncoder.Outcome;
import java.util.ArrayList;
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
  private final PairEncoder encoder;

  /**
   * Prepare to make examples.
   *
   * @param maximumLength most tokens a prompt may have, such as the block size of the model
   */
  public ExampleBuilder(Task task, Tokenizer tokenizer, int maximumLength) {
    this.task = task;
    this.encoder = new PairEncoder(tokenizer, maximumLength);
  }

  /**
   * Make distinct pairs.
   *
   * @param asked number of pairs; fewer are made of a task that has fewer
   * @param seed the same seed gives the same pairs
   * @throws TaskException when too few candidates can be expressed, with the reasons
   */
  public ExampleSet build(Split split, int asked, long seed) {
    if (asked < 1) {
      throw new IllegalArgumentException("at least one pair is needed, not " + asked);
    }
    int pairs = Math.min(asked, task.mostPairs(split));
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
              decode(outcome.tokensA()),
              decode(outcome.tokensB())));
    }
    return new ExampleSet(task.name(), split, seed, encoder.tokenizer().hash(), examples, rejected);
  }

  /** Zero to three contexts, fewer when the limit is low. */
  private String context(List<Template> contexts, Template template, RandomGenerator random) {
    if (contexts.isEmpty()) {
      return "";
    }
    Tokenizer tokenizer = encoder.tokenizer();
    int room = (encoder.maximumLength() - tokenizer.encode(template.text()).length) / 2;
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

  /**
   * The first wording that the vocabulary can express, else what is wrong with the first of all.
   */
  private Outcome firstPossible(List<Candidate> wordings) {
    List<Outcome> outcomes = wordings.stream().map(encoder::encode).toList();
    return outcomes.stream()
        .filter(outcome -> outcome.rejection() == null)
        .findFirst()
        .orElse(outcomes.getFirst());
  }

  private String decode(List<Integer> tokens) {
    return encoder.tokenizer().decode(tokens.stream().mapToInt(Integer::intValue).toArray());
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
    return new TaskException(
        ("task %s gave %d of %d pairs in %d attempts with this vocabulary of %d tokens and prompts"
                + " of at most %d: %s; for instance %s")
            .formatted(
                task.name(),
                found,
                pairs,
                attempts,
                encoder.tokenizer().vocabularySize(),
                encoder.maximumLength(),
                reasons,
                encoder.describe(instances.get(commonest))),
        rejected.keySet());
  }
}
