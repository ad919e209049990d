// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.List;
import java.util.random.RandomGenerator;

/**
 * A binary next-token prediction, decided by one cue in the code before it.
 *
 * <p>Tasks are stateless; what they make depends on their arguments alone. Most extend {@link
 * TemplateTask}.
 */
public interface Task {
  /** Name on the command line and in files: lower case letters, digits and {@code _}. */
  String name();

  /** What decides the answer, in one sentence. */
  String description();

  /**
   * Templates of a split, never none. Templates of different splits have no line in common,
   * whatever their slots hold.
   */
  List<Template> templates(Split split);

  /**
   * Code that may stand before a template of a split; none where the templates are all there is.
   */
  default List<Template> contexts(Split split) {
    return Contexts.of(split);
  }

  /**
   * Make a pair of prompts, once with each wording of the cue, the most natural first.
   *
   * @param context code to put before the template; may be empty
   */
  List<Candidate> candidates(Template template, String context, RandomGenerator random);

  /** Most distinct pairs that a split can give. */
  default int mostPairs(Split split) {
    return Integer.MAX_VALUE;
  }

  /**
   * Whether nothing in the code before decides the answer as Python would have it: a model has no
   * reason to do it, and a circuit that is found all the same says what finding one is worth.
   */
  default boolean isControl() {
    return false;
  }

  /** Changes of the prompts that a circuit makes predictions about; for most tasks none. */
  default List<Variant> variants() {
    return List.of();
  }
}
