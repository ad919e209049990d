// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data.tinypython;

import static dev.filigree.data.tinypython.Lexicon.ADJECTIVES;
import static dev.filigree.data.tinypython.Lexicon.ATTRIBUTES;
import static dev.filigree.data.tinypython.Lexicon.COLORS;
import static dev.filigree.data.tinypython.Lexicon.NOUNS;
import static dev.filigree.data.tinypython.Lexicon.PEOPLE;
import static dev.filigree.data.tinypython.Lexicon.PLACES;
import static dev.filigree.data.tinypython.Lexicon.THINGS;
import static dev.filigree.data.tinypython.Lexicon.VERBS;
import static dev.filigree.data.tinypython.Names.capitalised;

import java.util.List;

/** English for strings, comments and docstrings, without quotation marks and line ends. */
final class Phrases {
  private static final List<String> GREETINGS =
      List.of("Hello", "Hi", "Welcome", "Goodbye", "Good morning", "Thanks", "Dear", "Hey", "Bye");
  private static final List<String> STATES =
      List.of(
          "ok", "error", "pending", "done", "open", "closed", "failed", "active", "ready", "new",
          "unknown", "yes", "no", "quit", "y", "n", "on", "off", "left", "right", "high", "low",
          "total", "name", "start", "stop", "help", "exit", "add", "list");
  private static final List<String> HEADINGS =
      List.of(
          "Results",
          "Menu",
          "Summary",
          "Report",
          "Options",
          "Done",
          "Start",
          "Finished",
          "Game over",
          "Total",
          "Inventory",
          "Table");

  private final Dice dice;

  Phrases(Dice dice) {
    this.dice = dice;
  }

  /** The content of an ordinary string. */
  String text() {
    return switch (dice.below(26)) {
      case 0, 1 -> dice.pick(THINGS);
      case 2 -> dice.pick(COLORS);
      case 3 -> capitalised(dice.pick(PEOPLE));
      case 4 -> dice.pick(STATES);
      case 5 -> dice.pick(ADJECTIVES) + " " + dice.pick(NOUNS);
      case 6 ->
          capitalised(dice.pick(VERBS)) + " the " + dice.pick(ADJECTIVES) + " " + dice.pick(NOUNS);
      case 7 -> dice.pick(GREETINGS) + ", " + capitalised(dice.pick(PEOPLE)) + "!";
      case 8 -> dice.pick(GREETINGS) + " " + dice.pick(NOUNS);
      case 9 -> capitalised(dice.pick(NOUNS)) + " not found";
      case 10 -> "Invalid " + dice.pick(NOUNS);
      case 11 -> prompt();
      case 12 -> capitalised(dice.pick(NOUNS)) + ":";
      case 13 -> capitalised(dice.pick(PLACES));
      case 14 -> "The " + dice.pick(NOUNS) + " is " + dice.pick(ADJECTIVES);
      case 15 -> "The " + dice.pick(NOUNS) + " is " + dice.pick(ADJECTIVES) + ".";
      case 16 -> "No " + Lexicon.plural(dice.pick(NOUNS)) + " to " + dice.pick(VERBS);
      case 17 -> dice.pick(HEADINGS);
      case 18 -> "--- " + dice.pick(HEADINGS) + " ---";
      case 19 -> "You have " + dice.between(2, 40) + " " + Lexicon.plural(dice.pick(NOUNS));
      case 20 -> dice.pick(NOUNS);
      case 21 -> dice.pick(NOUNS) + "_" + dice.pick(ATTRIBUTES);
      case 22 ->
          capitalised(dice.pick(PEOPLE))
              + " and "
              + capitalised(dice.pick(PEOPLE))
              + " "
              + dice.pick(VERBS)
              + " "
              + Lexicon.plural(dice.pick(NOUNS));
      case 23 -> dice.pick(THINGS) + " " + dice.pick(THINGS) + " " + dice.pick(THINGS);
      case 24 -> dice.pick(PEOPLE) + "@" + dice.pick(NOUNS) + dice.pick(".com", ".org", ".net");
      default -> sentence();
    };
  }

  /** A question to the user, usually ending in a colon and a space. */
  String prompt() {
    return dice.pick(
            "Enter your ", "Enter a ", "Your ", "Which ", "What is the ", "Type the ", "Choose a ")
        + dice.pick(NOUNS)
        + dice.pick(": ", ": ", "? ", " > ");
  }

  /** One word. */
  String word() {
    return switch (dice.below(8)) {
      case 0, 1 -> dice.pick(THINGS);
      case 2 -> dice.pick(COLORS);
      case 3 -> dice.pick(PEOPLE);
      case 4 -> dice.pick(STATES);
      case 5 -> dice.pick(PLACES);
      case 6 -> dice.pick(ADJECTIVES);
      default -> dice.pick(NOUNS);
    };
  }

  /** A key of a dictionary. */
  String key() {
    return dice.pick(dice.pick(ATTRIBUTES, ATTRIBUTES, NOUNS, THINGS, PEOPLE));
  }

  /** A comment. */
  String comment() {
    String noun = dice.pick(NOUNS);
    return switch (dice.below(10)) {
      case 0 -> dice.pick(VERBS) + " the " + noun;
      case 1 -> capitalised(dice.pick(VERBS)) + " each " + noun;
      case 2 -> "the " + dice.pick(ADJECTIVES) + " " + noun + " comes first";
      case 3 ->
          capitalised(dice.pick(VERBS))
              + " the "
              + Lexicon.plural(noun)
              + " before we "
              + dice.pick(VERBS)
              + " them";
      case 4 -> "no " + noun + ", nothing to do";
      case 5 -> "only " + dice.pick(ADJECTIVES) + " " + Lexicon.plural(noun) + " are kept";
      case 6 -> capitalised(noun) + " " + dice.pick(NOUNS);
      case 7 -> "this is the " + dice.pick(ADJECTIVES) + " " + noun;
      case 8 ->
          dice.pick("check", "skip", "find", "count", "print", "build")
              + " "
              + dice.pick(ADJECTIVES)
              + " "
              + Lexicon.plural(noun);
      default -> sentence();
    };
  }

  /** First line of a docstring. */
  String summary() {
    String noun = dice.pick(NOUNS);
    return switch (dice.below(8)) {
      case 0 -> "Return the " + dice.pick(ADJECTIVES) + " " + noun + ".";
      case 1 ->
          capitalised(dice.pick(VERBS))
              + " the "
              + Lexicon.plural(noun)
              + " and return the "
              + dice.pick(NOUNS)
              + ".";
      case 2 -> capitalised(dice.pick(VERBS)) + " a " + noun + ".";
      case 3 -> "Compute the " + noun + " of the " + dice.pick(NOUNS) + ".";
      case 4 -> "A " + dice.pick(ADJECTIVES) + " " + noun + ".";
      case 5 ->
          capitalised(dice.pick(VERBS))
              + " all "
              + dice.pick(ADJECTIVES)
              + " "
              + Lexicon.plural(noun)
              + ".";
      case 6 -> "Check whether the " + noun + " is " + dice.pick(ADJECTIVES) + ".";
      default -> sentence();
    };
  }

  /** A sentence of five to twelve words. */
  String sentence() {
    String start = "The " + dice.pick(ADJECTIVES) + " " + dice.pick(NOUNS);
    String middle =
        dice.pick(" must ", " can ", " should ", " will ", " does not ") + dice.pick(VERBS);
    String end =
        switch (dice.below(4)) {
          case 0 -> " the " + dice.pick(NOUNS);
          case 1 -> " " + dice.pick(ADJECTIVES) + " " + Lexicon.plural(dice.pick(NOUNS));
          case 2 -> " every " + dice.pick(NOUNS) + " in the " + dice.pick(NOUNS);
          default ->
              " " + Lexicon.plural(dice.pick(NOUNS)) + " and " + Lexicon.plural(dice.pick(NOUNS));
        };
    return start + middle + end + ".";
  }

  /** Name of a file that a program reads. */
  String inputFile() {
    return file(
        Lexicon.INPUT_STEMS,
        List.of("input_", "raw_", "source_", "my_"),
        List.of("", "", "", "data/", "input/"));
  }

  /** Name of a file that a program writes. */
  String outputFile() {
    return file(
        Lexicon.OUTPUT_STEMS,
        List.of("output_", "new_", "final_", "sorted_"),
        List.of("", "", "", "out/", "results/"));
  }

  private String file(List<String> stems, List<String> prefixes, List<String> folders) {
    String stem = dice.pick(stems);
    String name =
        switch (dice.below(6)) {
          case 0 -> dice.pick(prefixes) + dice.pick(NOUNS);
          case 1 -> dice.pick(NOUNS) + "_" + stem;
          case 2 -> stem + dice.between(1, 9);
          default -> stem;
        };
    return dice.pick(folders) + name + dice.pick(Lexicon.EXTENSIONS);
  }
}
