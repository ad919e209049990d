// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.List;
import java.util.random.RandomGenerator;

/**
 * A binary next-token prediction, decided by one cue in the code before it.
 *
 * <p>Tasks are stateless; what they make depends on their arguments alone. Texts may hold slots
 * ({@link Slots}).
 */
public interface Task {
  /** Name on the command line and in files, after the published table of tasks. */
  String name();

  /** What decides the answer, in one sentence. */
  String description();

  /**
   * What decides the answer, in one or several wordings, the most natural first. Which of them has
   * prompts of equal length depends on the vocabulary.
   */
  List<Cue> cues();

  /**
   * What rightly follows a prompt with either cue, as real code goes on: with the line end if there
   * is one. The answer tokens depend on the vocabulary.
   */
  List<String> completions();

  /**
   * Templates of a split. Templates of different splits have no line in common, whatever their
   * slots hold.
   */
  List<Template> templates(Split split);

  /** Code that may stand before a template of a split. */
  default List<Template> contexts(Split split) {
    return Contexts.of(split);
  }

  /**
   * Make a pair of prompts, once with each wording of the cue, in the order of {@link #cues}.
   *
   * @param context code to put before the template; may be empty
   */
  default List<Candidate> candidates(Template template, String context, RandomGenerator random) {
    Slots slots = new Slots(random);
    return cues().stream()
        .map(
            cue ->
                new Candidate(
                    slots.fill(context + template.withCue(cue.a()).text()),
                    slots.fill(context + template.withCue(cue.b()).text()),
                    slots.fill(completions().get(0)),
                    slots.fill(completions().get(1))))
        .toList();
  }
}
