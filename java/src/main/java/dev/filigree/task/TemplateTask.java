// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.List;

/** A task that is nothing but its wording. */
abstract class TemplateTask implements Task {
  private final String name;
  private final String description;
  private final List<Cue> cues;
  private final List<String> completions;
  private final List<List<Template>> templates; // by ordinal of the split

  /**
   * Take the wording.
   *
   * @param train texts of the templates of {@link Split#TRAIN}
   * @param validation texts of the templates of {@link Split#VALIDATION}
   * @param last texts of the templates of {@link Split#FINAL}
   */
  TemplateTask(
      String name,
      String description,
      List<Cue> cues,
      List<String> completions,
      List<String> train,
      List<String> validation,
      List<String> last) {
    this.name = name;
    this.description = description;
    this.cues = cues;
    this.completions = completions;
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

  @Override
  public final List<Cue> cues() {
    return cues;
  }

  @Override
  public final List<String> completions() {
    return completions;
  }

  @Override
  public final List<Template> templates(Split split) {
    return templates.get(split.ordinal());
  }
}
