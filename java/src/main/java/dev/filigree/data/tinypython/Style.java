// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data.tinypython;

/**
 * Habits of one program's author.
 *
 * @param quote the usual quotation mark
 * @param otherQuote chance that a string uses the other mark
 * @param indent spaces per level
 * @param hints whether functions are annotated
 * @param docstrings chance that a definition has a docstring
 * @param comments chance of a comment before a statement
 * @param blankLines blank lines between top-level definitions
 * @param wordy chance of a long name where a short one would do
 */
record Style(
    char quote,
    double otherQuote,
    int indent,
    boolean hints,
    double docstrings,
    double comments,
    int blankLines,
    double wordy) {

  static Style random(Dice dice) {
    return new Style(
        dice.chance(0.5) ? '"' : '\'',
        dice.chance(0.55) ? 0.0 : dice.pick(0.1, 0.3, 0.5),
        dice.chance(0.94) ? 4 : 2,
        dice.chance(0.2),
        dice.pick(0.0, 0.2, 0.5, 0.8),
        dice.pick(0.0, 0.03, 0.08, 0.15),
        dice.chance(0.7) ? 2 : 1,
        dice.pick(0.1, 0.3, 0.6));
  }
}
