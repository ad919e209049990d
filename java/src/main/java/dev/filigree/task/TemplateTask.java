// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.List;
import java.util.random.RandomGenerator;

/**
 * A task that is nothing but its wording: cues, completions, and templates whose texts may hold
 * slots ({@link Slots}) and hold the mark {@value Template#CUE} once.
 */
public abstract class TemplateTask implements Task {
  private final String name;
  private final String description;
  private final List<Cue> cues;
  private final List<String> completions;
  private final List<List<Template>> templates; // by ordinal of the split

  /**
   * Take the wording.
   *
   * @param cues what decides the answer, in one or several wordings, the most natural first; which
   *     of them has prompts of equal length depends on the vocabulary
   * @param completions what rightly follows a prompt with either cue, as real code goes on: with
   *     the line end if there is one; the answer tokens depend on the vocabulary
   * @param train texts of the templates of {@link Split#TRAIN}
   * @param validation texts of the templates of {@link Split#VALIDATION}
   * @param last texts of the templates of {@link Split#FINAL}
   */
  protected TemplateTask(
      String name,
      String description,
      List<Cue> cues,
      List<String> completions,
      List<String> train,
      List<String> validation,
      List<String> last) {
    if (cues.isEmpty() || completions.size() != 2) {
      throw new IllegalArgumentException(name + " needs a cue and two completions");
    }
    this.name = name;
    this.description = description;
    this.cues = List.copyOf(cues);
    this.completions = List.copyOf(completions);
    this.templates =
        List.of(
            Template.numbered(Split.TRAIN, train),
            Template.numbered(Split.VALIDATION, validation),
            Template.numbered(Split.FINAL, last));
  }

  @Override
  public final String name() {
    return name;
  }

  @Override
  public final String description() {
    return description;
  }

  /** What decides the answer, in every wording. */
  public final List<Cue> cues() {
    return cues;
  }

  /** What follows prompt A, and what follows prompt B. */
  public final List<String> completions() {
    return completions;
  }

  @Override
  public final List<Template> templates(Split split) {
    return templates.get(split.ordinal());
  }

  @Override
  public List<Candidate> candidates(Template template, String context, RandomGenerator random) {
    Slots slots = new Slots(random);
    return cues.stream()
        .map(
            cue ->
                new Candidate(
                    slots.fill(context + template.withCue(cue.a()).text()),
                    slots.fill(context + template.withCue(cue.b()).text()),
                    slots.fill(completions.get(0)),
                    slots.fill(completions.get(1))))
        .toList();
  }
}
