// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data.tinypython;

import static dev.filigree.data.tinypython.Lexicon.ADJECTIVES;
import static dev.filigree.data.tinypython.Lexicon.ATTRIBUTES;
import static dev.filigree.data.tinypython.Lexicon.METHOD_NOUNS;
import static dev.filigree.data.tinypython.Lexicon.NOUNS;
import static dev.filigree.data.tinypython.Lexicon.VERBS;

import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;

/** Invents names that fit what they name. */
final class Names {
  private static final List<String> COUNTERS =
      List.of(
          "count",
          "total",
          "size",
          "index",
          "limit",
          "score",
          "number",
          "age",
          "level",
          "steps",
          "n",
          "x",
          "y",
          "a",
          "b",
          "c",
          "d",
          "k",
          "m",
          "p",
          "q",
          "r",
          "t",
          "u",
          "v",
          "w",
          "z",
          "num",
          "value",
          "result",
          "amount",
          "position",
          "points",
          "length",
          "width",
          "height",
          "year",
          "attempts",
          "counter",
          "offset",
          "start",
          "end",
          "best",
          "current",
          "quantity",
          "days",
          "step",
          "guess");
  private static final List<String> INDICES =
      List.of(
          "i", "i", "i", "j", "k", "index", "idx", "n", "num", "number", "x", "row", "step", "pos");
  private static final List<String> FRACTIONS =
      List.of(
          "price",
          "average",
          "ratio",
          "rate",
          "mean",
          "cost",
          "temperature",
          "distance",
          "speed",
          "weight",
          "tax",
          "discount",
          "percent",
          "factor",
          "area",
          "radius",
          "balance",
          "elapsed",
          "fraction",
          "mass",
          "probability");
  private static final List<String> FLAGS =
      List.of(
          "found",
          "done",
          "ok",
          "valid",
          "running",
          "ready",
          "finished",
          "success",
          "flag",
          "active",
          "enabled",
          "verbose",
          "changed",
          "swapped",
          "is_open",
          "empty",
          "debug",
          "matched",
          "playing",
          "visible");
  private static final List<String> TEXT_NAMES =
      List.of(
          "name",
          "text",
          "line",
          "word",
          "title",
          "message",
          "key",
          "label",
          "city",
          "color",
          "s",
          "answer",
          "command",
          "path",
          "filename",
          "user",
          "content",
          "choice",
          "status",
          "code",
          "greeting",
          "prefix",
          "suffix",
          "url",
          "sentence",
          "letter",
          "email",
          "query",
          "token",
          "category",
          "response",
          "username",
          "password",
          "char");

  /**
   * Names of things that are built up bit by bit, texts and sets alike, so that a name does not
   * tell which.
   */
  private static final List<String> COLLECTED =
      List.of(
          "current",
          "current",
          "current",
          "seen",
          "result",
          "output",
          "found",
          "letters",
          "buffer",
          "answer",
          "words",
          "unique",
          "collected",
          "parts",
          "chars",
          "text",
          "values",
          "visited",
          "names",
          "combined",
          "items",
          "group",
          "matched",
          "remaining",
          "data",
          "tokens",
          "accepted",
          "missing",
          "summary",
          "tags",
          "allowed",
          "changes");

  private static final List<String> LISTS =
      List.of(
          "values", "numbers", "items", "data", "scores", "results", "nums", "sizes", "counts",
          "points", "ages", "xs", "prices", "marks", "primes", "squares", "steps", "totals",
          "samples", "weights", "grades", "indices");
  private static final List<String> TEXT_LISTS =
      List.of(
          "names",
          "words",
          "lines",
          "items",
          "colors",
          "fruits",
          "cities",
          "parts",
          "keys",
          "labels",
          "tokens",
          "titles",
          "files",
          "messages",
          "people",
          "animals",
          "users",
          "fields",
          "choices",
          "letters",
          "tasks",
          "headers",
          "columns",
          "commands",
          "guests",
          "tags");
  private static final List<String> GRIDS =
      List.of(
          "grid",
          "matrix",
          "table",
          "board",
          "rows",
          "values",
          "data",
          "cells",
          "points",
          "pairs",
          "image",
          "maze",
          "edges",
          "scores",
          "map_data",
          "tiles",
          "results",
          "numbers",
          "samples",
          "coords",
          "levels");
  private static final List<String> TABLES =
      List.of(
          "counts",
          "scores",
          "prices",
          "ages",
          "totals",
          "inventory",
          "stock",
          "lookup",
          "data",
          "mapping",
          "grades",
          "weights",
          "table",
          "cache",
          "index",
          "sizes",
          "points",
          "freq",
          "votes",
          "stats",
          "menu",
          "ranks");
  private static final List<String> RECORDS =
      List.of(
          "person",
          "user",
          "config",
          "settings",
          "info",
          "record",
          "options",
          "data",
          "book",
          "params",
          "headers",
          "profile",
          "contact",
          "row",
          "entry",
          "translations",
          "capitals",
          "aliases",
          "labels",
          "defaults");
  private static final List<String> PAIR_LISTS =
      List.of(
          "pairs", "items", "entries", "ranking", "scores", "records", "results", "rows", "tasks",
          "events");
  private static final List<String> FILES =
      List.of(
          "f", "f", "file", "handle", "infile", "outfile", "fh", "source", "stream", "fp", "reader",
          "log");

  /** Words of the language and built-in functions that programs call. */
  private static final Set<String> RESERVED =
      Set.of(
          "False",
          "None",
          "True",
          "and",
          "as",
          "assert",
          "async",
          "await",
          "break",
          "class",
          "continue",
          "def",
          "del",
          "elif",
          "else",
          "except",
          "finally",
          "for",
          "from",
          "global",
          "if",
          "import",
          "in",
          "is",
          "lambda",
          "nonlocal",
          "not",
          "or",
          "pass",
          "raise",
          "return",
          "try",
          "while",
          "with",
          "yield",
          "print",
          "len",
          "sum",
          "max",
          "min",
          "abs",
          "int",
          "float",
          "str",
          "set",
          "list",
          "dict",
          "range",
          "open",
          "input",
          "sorted",
          "map",
          "filter",
          "zip",
          "round",
          "any",
          "all",
          "next",
          "format",
          "type",
          "id",
          "hash",
          "random",
          "math",
          "json",
          "os",
          "time",
          "sys",
          "csv",
          "re",
          "copy",
          "self",
          "cls");

  private static final Pattern SIBILANT_PLURAL = Pattern.compile("(ss|x|z|ch|sh)es$");

  private final Dice dice;
  private final Style style;

  Names(Dice dice, Style style) {
    this.dice = dice;
    this.style = style;
  }

  /** A name for a new variable that nothing in the scope has. */
  String variable(Type type, Scope scope) {
    for (int attempt = 0; ; attempt++) {
      String name = candidate(type);
      if (attempt > 8) {
        name += attempt;
      }
      if (isFree(name, scope)) {
        return name;
      }
    }
  }

  /** A name for something that is built up, be it a set or a text. */
  String collection(Scope scope) {
    if (dice.chance(0.25) && isFree("current", scope)) {
      return "current";
    }
    String name =
        dice.chance(style.wordy())
            ? phrase()
            : dice.chance(0.7) ? dice.pick(COLLECTED) : dice.pick(NOUNS);
    return isFree(name, scope) ? name : variable(Type.SET, scope);
  }

  /** A name for the variable of a loop over a collection: its singular where there is one. */
  String element(Type type, String collection, Scope scope) {
    if (dice.chance(style.wordy())) {
      String name = phrase();
      if (isFree(name, scope)) {
        return name;
      }
    }
    if (collection != null && dice.chance(0.75)) {
      String singular = singular(collection);
      if (singular != null && isFree(singular, scope)) {
        return singular;
      }
    }
    if (type == Type.INT && dice.chance(0.7)) {
      String name = dice.pick(INDICES);
      if (isFree(name, scope)) {
        return name;
      }
    }
    return variable(type, scope);
  }

  /** A name for the counting variable of a loop. */
  String counter(Scope scope) {
    for (int attempt = 0; attempt < 6; attempt++) {
      String name = dice.pick(INDICES);
      if (isFree(name, scope)) {
        return name;
      }
    }
    return variable(Type.INT, scope);
  }

  /** A constant of a module, in capitals. */
  String constant(Type type, Scope scope) {
    return variable(type, scope).toUpperCase(Locale.ROOT);
  }

  /** A name for a function. */
  String function() {
    String verb = dice.pick(VERBS);
    String noun = dice.pick(NOUNS);
    String name =
        switch (dice.below(12)) {
          case 0, 1, 2, 3 -> verb + "_" + noun;
          case 4, 5 -> verb + "_" + Lexicon.plural(noun);
          case 6 -> verb + "_" + dice.pick(ADJECTIVES) + "_" + noun;
          case 7 -> "get_" + dice.pick(ATTRIBUTES);
          case 8 -> verb;
          case 9 -> noun + "_" + dice.pick(METHOD_NOUNS);
          case 10 -> dice.pick(ADJECTIVES) + "_" + noun;
          default -> dice.pick("print_", "read_", "find_", "load_", "make_", "show_") + noun;
        };
    return RESERVED.contains(name) ? name + "_" + noun : name;
  }

  /** A name for a function that answers yes or no. */
  String predicate() {
    String noun = dice.pick(NOUNS);
    String adjective = dice.pick(ADJECTIVES);
    return dice.pick(
        "is_" + adjective,
        "has_" + noun,
        "is_" + adjective + "_" + noun,
        "can_" + dice.pick(VERBS),
        "should_" + dice.pick(VERBS));
  }

  /** A name for a class. */
  String type() {
    String noun = capitalised(dice.pick(NOUNS));
    return switch (dice.below(6)) {
      case 0, 1, 2 -> noun;
      case 3 -> capitalised(dice.pick(ADJECTIVES)) + noun;
      case 4 ->
          noun
              + dice.pick(
                  "Manager", "List", "Store", "Parser", "Tracker", "Reader", "Counter", "Builder",
                  "View");
      default -> capitalised(dice.pick(NOUNS)) + noun;
    };
  }

  static String capitalised(String word) {
    return Character.toUpperCase(word.charAt(0)) + word.substring(1);
  }

  private static boolean isFree(String name, Scope scope) {
    return !RESERVED.contains(name) && !scope.has(name);
  }

  private String candidate(Type type) {
    if (dice.chance(style.wordy())) {
      return composite(type);
    }
    return switch (type) {
      case INT -> dice.pick(COUNTERS);
      case FLOAT -> dice.pick(FRACTIONS);
      case BOOL -> dice.pick(FLAGS);
      case TEXT -> dice.pick(dice.chance(0.75) ? TEXT_NAMES : COLLECTED);
      case SET -> dice.pick(COLLECTED);
      case INTS -> dice.pick(LISTS);
      case TEXTS -> dice.pick(TEXT_LISTS);
      case GRID -> dice.pick(GRIDS);
      case COUNTS -> dice.pick(TABLES);
      case RECORD -> dice.pick(RECORDS);
      case PAIRS -> dice.pick(PAIR_LISTS);
      case FILE -> dice.pick(FILES);
      case OBJECT -> dice.pick(NOUNS);
    };
  }

  private String composite(Type type) {
    String noun = dice.pick(NOUNS);
    String nouns = Lexicon.plural(noun);
    String adjective = dice.pick(ADJECTIVES);
    return switch (type) {
      case INT ->
          dice.pick(
              noun + "_count",
              "max_" + noun,
              "num_" + nouns,
              "total_" + nouns,
              adjective + "_" + noun,
              noun + "_id",
              "min_" + noun);
      case FLOAT ->
          dice.pick(
              noun + "_" + dice.pick(FRACTIONS),
              "total_" + dice.pick(FRACTIONS),
              adjective + "_rate");
      case BOOL ->
          dice.pick("is_" + adjective, "has_" + noun, noun + "_" + dice.pick(FLAGS), adjective);
      case TEXT ->
          dice.pick(
              noun, noun, noun + "_name", adjective + "_" + noun, noun + "_type", "new_" + noun);
      case SET -> dice.pick(nouns, adjective + "_" + nouns, noun, "seen_" + nouns, "all_" + nouns);
      case INTS ->
          dice.pick(
              nouns, noun + "_sizes", adjective + "_" + nouns, noun + "_ids", noun + "_scores");
      case TEXTS ->
          dice.pick(nouns, nouns, adjective + "_" + nouns, noun + "_names", "all_" + nouns);
      case GRID ->
          dice.pick(
              noun + "_grid", noun + "_rows", nouns, adjective + "_" + nouns, noun + "_table");
      case COUNTS ->
          dice.pick(
              noun + "_counts",
              noun + "_scores",
              nouns + "_by_" + dice.pick(ATTRIBUTES),
              noun + "_prices");
      case RECORD ->
          dice.pick(noun, noun + "_info", adjective + "_" + noun, noun + "_data", noun + "_names");
      case PAIRS -> dice.pick(noun + "_list", nouns, noun + "_pairs", adjective + "_" + nouns);
      case FILE -> dice.pick(noun + "_file", noun + "_log", adjective + "_file");
      case OBJECT -> dice.pick(noun, adjective + "_" + noun, "my_" + noun);
    };
  }

  /** A name of two or three words that does not tell a type. */
  private String phrase() {
    String noun = dice.pick(NOUNS);
    String adjective = dice.pick(ADJECTIVES);
    return dice.pick(
        adjective + "_" + noun,
        noun + "_" + dice.pick(NOUNS),
        noun + "_" + dice.pick(ATTRIBUTES),
        dice.pick(ADJECTIVES) + "_" + adjective + "_" + noun,
        adjective + "_" + noun + "_" + dice.pick(ATTRIBUTES));
  }

  private String singular(String plural) {
    String last = plural.substring(Math.max(plural.lastIndexOf('_'), plural.lastIndexOf('.')) + 1);
    if (last.equals("people")) {
      return "person";
    }
    if (last.endsWith("ies")) {
      return last.substring(0, last.length() - 3) + "y";
    }
    if (SIBILANT_PLURAL.matcher(last).find()) {
      return last.substring(0, last.length() - 2);
    }
    if (last.endsWith("ss") || !last.endsWith("s") || last.length() < 4) {
      return null;
    }
    return last.substring(0, last.length() - 1);
  }
}
