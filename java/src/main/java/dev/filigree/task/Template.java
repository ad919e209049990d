// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/**
 * Wording of a prompt, with slots for names ({@link Slots}).
 *
 * @param id unique within the task: split and number
 * @param text code whose last line is the cue line, cut off where the answer is due
 */
public record Template(String id, String text) {

  /** Number the texts of a split. */
  static List<Template> numbered(Split split, List<String> texts) {
    return IntStream.range(0, texts.size())
        .mapToObj(i -> new Template(split.key() + "-" + i, texts.get(i)))
        .toList();
  }

  /**
   * One pattern per non-blank line, matching every filling of that line and nothing that goes on
   * after it.
   */
  public List<Pattern> linePatterns() {
    return text.lines().filter(line -> !line.isBlank()).map(Slots::patternOf).toList();
  }

  /** Pattern of the cue line, on which the answer is due. */
  public Pattern cuePattern() {
    return linePatterns().getLast();
  }
}
