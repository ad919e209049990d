// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.List;
import java.util.random.RandomGenerator;

/**
 * A binary next-token prediction, decided by one cue in the code before it.
 *
 * <p>Tasks are stateless; what they make depends on their arguments alone.
 */
public interface Task {
  /** Name on the command line and in files, after the published table of tasks. */
  String name();

  /** What decides the answer, in one sentence. */
  String description();

  /** The two completions as people write them; the answer tokens depend on the vocabulary. */
  List<String> completions();

  /**
   * Templates of a split. Templates of different splits have no line in common, whatever their
   * slots hold.
   */
  List<Template> templates(Split split);

  /** Code that may stand before a template of a split, as text with slots; see {@link Contexts}. */
  default List<Template> contexts(Split split) {
    return Contexts.of(split);
  }

  /**
   * Make a pair of prompts.
   *
   * @param context code to put before the template, slots and all; may be empty
   */
  Candidate candidate(Template template, String context, RandomGenerator random);
}
