// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data.tinypython;

import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Constants as people type them. */
final class Literals {
  private final Dice dice;
  private final Style style;
  private final Phrases phrases;

  Literals(Dice dice, Style style, Phrases phrases) {
    this.dice = dice;
    this.style = style;
    this.phrases = phrases;
  }

  /** A literal of a type that has literals. */
  String of(Type type) {
    return switch (type) {
      case INT -> integer();
      case FLOAT -> fraction();
      case BOOL -> dice.chance(0.5) ? "True" : "False";
      case TEXT -> string(phrases.text());
      case INTS -> integers();
      case TEXTS -> "[" + texts(dice.between(2, 5)) + "]";
      case GRID -> grid();
      case COUNTS -> counts();
      case RECORD -> record();
      case SET -> "{" + texts(dice.between(2, 4)) + "}";
      case PAIRS ->
          "[" + many(dice.between(2, 3), () -> "(" + key() + ", " + integer() + ")") + "]";
      case FILE, OBJECT -> "None";
    };
  }

  /** The mark for a new string. */
  char quote() {
    if (dice.chance(style.otherQuote())) {
      return style.quote() == '"' ? '\'' : '"';
    }
    return style.quote();
  }

  /** A string of given content, which holds no mark and no backslash but for escapes. */
  String string(String content) {
    char quote = quote();
    return quote + content + quote;
  }

  String key() {
    return string(phrases.key());
  }

  /** An integer such as programs contain: mostly small. */
  String integer() {
    return Integer.toString(
        switch (dice.below(8)) {
          case 0 -> 0;
          case 1 -> 1;
          case 2, 3 -> dice.between(2, 9);
          case 4 -> dice.between(1, 12) * 10;
          case 5 -> dice.pick(-1, 100, 1000, 16, 32, 64, 365, 24, 60, 256, 1024);
          default -> dice.between(10, 99);
        });
  }

  String fraction() {
    return switch (dice.below(4)) {
      case 0 -> dice.pick("0.5", "0.1", "1.0", "0.0", "2.5", "0.25", "3.14", "1.5", "0.01", "9.81");
      case 1 -> "0." + dice.between(1, 99);
      default -> dice.between(0, 99) + "." + dice.between(1, 99);
    };
  }

  private String integers() {
    int size = dice.chance(0.1) ? 1 : dice.between(2, 7);
    return "[" + many(size, this::element) + "]";
  }

  private String element() {
    return Integer.toString(dice.chance(0.8) ? dice.between(0, 20) : dice.between(20, 200));
  }

  /** Rows of equal or ragged width, on one line. */
  private String grid() {
    return "[" + many(dice.between(1, 4), row(dice.between(1, 4), dice.chance(0.5))) + "]";
  }

  private Supplier<String> row(int width, boolean ragged) {
    return () -> "[" + many(ragged ? dice.between(1, 5) : width, this::element) + "]";
  }

  private String counts() {
    int entries = dice.between(1, 4);
    if (dice.chance(0.15)) {
      return "{" + many(entries, () -> dice.between(1, 99) + ": " + element()) + "}";
    }
    return "{" + many(entries, () -> key() + ": " + integer()) + "}";
  }

  private String record() {
    return "{" + many(dice.between(1, 3), () -> key() + ": " + string(phrases.word())) + "}";
  }

  /** Quoted words of one sort, separated by commas. */
  String texts(int size) {
    List<String> source =
        dice.pick(
            List.of(
                Lexicon.THINGS,
                Lexicon.COLORS,
                Lexicon.PEOPLE,
                Lexicon.PLACES,
                Lexicon.NOUNS,
                Lexicon.ATTRIBUTES));
    boolean capital = source == Lexicon.PEOPLE || source == Lexicon.PLACES;
    char quote = quote();
    return many(
        size,
        () -> {
          String word = dice.pick(source);
          return quote + (capital ? Names.capitalised(word) : word) + quote;
        });
  }

  /** A literal spread over lines, each element on its own, in one of the ways people close it. */
  String spread(Type type, String step) {
    boolean trailingComma = dice.chance(0.6);
    boolean braces = type == Type.COUNTS || type == Type.RECORD || type == Type.SET;
    Supplier<String> element =
        switch (type) {
          case GRID -> row(dice.between(2, 4), dice.chance(0.3));
          case COUNTS -> () -> key() + ": " + integer();
          case RECORD -> () -> key() + ": " + string(phrases.text());
          case PAIRS -> () -> "(" + key() + ", " + integer() + ")";
          case INTS -> this::integer;
          default -> () -> string(phrases.word());
        };
    if (type == Type.GRID
        && dice.chance(0.5)) { // opened and closed together with the first and last row
      return Stream.generate(element)
          .limit(dice.between(2, 4))
          .collect(Collectors.joining(",\n" + step, "[", "]"));
    }
    return Stream.generate(element)
        .limit(dice.between(2, 5))
        .collect(
            Collectors.joining(
                ",\n" + step,
                (braces ? "{\n" : "[\n") + step,
                (trailingComma ? ",\n" : "\n") + (braces ? "}" : "]")));
  }

  private static String many(int size, Supplier<String> element) {
    return Stream.generate(element).limit(size).collect(Collectors.joining(", "));
  }
}
