// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.List;
import java.util.stream.IntStream;

/**
 * Wording of a prompt, with slots for names ({@link Slots}).
 *
 * @param id unique within the task: split and number
 * @param text code with a mark for the cue, cut off where the answer is due
 */
public record Template(String id, String text) {
  /** Mark that stands for the cue. */
  public static final String CUE = "<cue>";

  /** Number the texts of a split. */
  static List<Template> numbered(Split split, List<String> texts) {
    return IntStream.range(0, texts.size())
        .mapToObj(i -> new Template(split.key() + "-" + i, texts.get(i)))
        .toList();
  }

  /** The template with a text in the place of the cue. */
  public Template withCue(String cue) {
    return new Template(id, text.replace(CUE, cue));
  }
}
