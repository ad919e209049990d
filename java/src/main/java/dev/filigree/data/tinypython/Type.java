// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data.tinypython;

/** What a variable holds, as far as the grammar needs to know to use it plausibly. */
enum Type {
  INT("int"),
  FLOAT("float"),
  BOOL("bool"),
  TEXT("str"),
  INTS("list[int]"),
  TEXTS("list[str]"),
  /** List of rows of integers. */
  GRID("list[list[int]]"),
  /** Dictionary from text to integer. */
  COUNTS("dict[str, int]"),
  /** Dictionary from text to text. */
  RECORD("dict[str, str]"),
  /** Set of texts. */
  SET("set[str]"),
  /** List of (text, integer) tuples. */
  PAIRS("list[tuple[str, int]]"),
  /** Open file. */
  FILE("TextIO"),
  /** Something of a class of the program; only the code that made it knows how to use it. */
  OBJECT("object");

  private final String hint;

  Type(String hint) {
    this.hint = hint;
  }

  /** Annotation. */
  String hint() {
    return hint;
  }
}
