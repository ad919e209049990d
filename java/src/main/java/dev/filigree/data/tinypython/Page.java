// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data.tinypython;

/** The text of a program while it is written: lines at the current indentation. */
final class Page {
  private final StringBuilder text = new StringBuilder(4096);
  private final int indent;
  private int depth;

  Page(int indent) {
    this.indent = indent;
  }

  /** Write a line; line breaks inside it start new lines at the same level. */
  void line(String content) {
    for (String part : content.split("\n", -1)) {
      if (!part.isEmpty()) {
        text.repeat(' ', depth * indent).append(part);
      }
      text.append('\n');
    }
  }

  void blank() {
    text.append('\n');
  }

  /** Lines written in {@code body} are one level deeper. */
  void indented(Runnable body) {
    depth++;
    body.run();
    depth--;
  }

  /** Levels of indentation. */
  int depth() {
    return depth;
  }

  /** One level of indentation, for lines that are built inside an expression. */
  String step() {
    return " ".repeat(indent);
  }

  /** Number of characters so far. */
  int length() {
    return text.length();
  }

  String text() {
    return text.toString();
  }
}
