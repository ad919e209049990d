// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import dev.filigree.data.tinypython.Dice;
import dev.filigree.data.tinypython.Lexicon;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.random.RandomGenerator;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Values for the slots of one filled template.
 *
 * <p>A slot is written {@code $noun} or, to have several, {@code $noun1}; the same slot has the
 * same value throughout, and different slots of a kind have different values. A capital ({@code
 * $Noun}) capitalises the value. The words are those of the generated training code, so that only
 * the lines around them are new to a model.
 */
final class Slots {
  static final Pattern SLOT = Pattern.compile("\\$([A-Za-z]+)(\\d*)");
  private static final int DISTINCT_ATTEMPTS = 100;

  /** A kind of slot: how to draw a value, and what exactly values look like. */
  private enum Kind {
    PERSON(Lexicon.PEOPLE),
    NOUN(Lexicon.NOUNS),
    PLURAL(Lexicon.NOUNS.stream().map(Lexicon::plural).toList()),
    ADJECTIVE(Lexicon.ADJECTIVES),
    VERB(Lexicon.VERBS),
    PLACE(Lexicon.PLACES),
    COLOR(Lexicon.COLORS),
    THING(Lexicon.THINGS),
    ATTRIBUTE(Lexicon.ATTRIBUTES),
    NAME(Slots::name, "[a-z]|" + anyOf(Lexicon.ATTRIBUTES) + "|" + anyOf(Lexicon.NOUNS)),
    INPUT(Lexicon.INPUT_STEMS),
    OUTPUT(Lexicon.OUTPUT_STEMS),
    EXTENSION(Lexicon.EXTENSIONS),
    QUOTE(dice -> dice.pick("'", "\""), "['\"]"),
    DIGIT(dice -> Integer.toString(dice.between(2, 9)), "\\d"),
    INT(dice -> Integer.toString(dice.between(10, 999)), "\\d{2,3}"),
    PHRASE(Slots::phrase, "[A-Za-z ]+");

    private final Function<Dice, String> draw;
    private final String pattern;

    Kind(List<String> words) {
      this(dice -> dice.pick(words), anyOf(words));
    }

    Kind(Function<Dice, String> draw, String pattern) {
      this.draw = draw;
      this.pattern = "(?:" + pattern + ")";
    }

    static Kind named(String slot) {
      return valueOf(slot.toUpperCase(Locale.ROOT));
    }

    /** A pattern of words, capitalised or not. */
    private static String anyOf(List<String> words) {
      return words.stream().map(Pattern::quote).collect(Collectors.joining("|", "(?i:", ")"));
    }
  }

  private final Dice dice;
  private final Map<String, String> values = new HashMap<>();

  Slots(RandomGenerator random) {
    this.dice = new Dice(random);
  }

  /** Replace every slot of a text. */
  String fill(String text) {
    return SLOT.matcher(text).replaceAll(slot -> Matcher.quoteReplacement(valueOf(slot)));
  }

  /** A pattern that matches exactly the fillings of a text. */
  static Pattern patternOf(String text) {
    StringBuilder pattern = new StringBuilder();
    Matcher matcher = SLOT.matcher(text);
    int end = 0;
    while (matcher.find()) {
      pattern.append(Pattern.quote(text.substring(end, matcher.start())));
      pattern.append(Kind.named(matcher.group(1)).pattern);
      end = matcher.end();
    }
    return Pattern.compile(pattern.append(Pattern.quote(text.substring(end))).toString());
  }

  private String valueOf(MatchResult slot) {
    String name = slot.group(1);
    String value = valueOf(name.toLowerCase(Locale.ROOT) + slot.group(2), Kind.named(name));
    return Character.isUpperCase(name.charAt(0)) ? capitalise(value) : value;
  }

  private String valueOf(String key, Kind kind) {
    String known = values.get(key);
    if (known != null) {
      return known;
    }
    String value = kind.draw.apply(dice);
    for (int attempt = 0; values.containsValue(value) && attempt < DISTINCT_ATTEMPTS; attempt++) {
      value = kind.draw.apply(dice);
    }
    values.put(key, value);
    return value;
  }

  private static String capitalise(String word) {
    return Character.toUpperCase(word.charAt(0)) + word.substring(1);
  }

  /** A variable's name: a letter or a word. */
  private static String name(Dice dice) {
    return switch (dice.below(5)) {
      case 0, 1 -> String.valueOf((char) ('a' + dice.below(26)));
      case 2, 3 -> dice.pick(Lexicon.ATTRIBUTES);
      default -> dice.pick(Lexicon.NOUNS);
    };
  }

  /** Two to five words of a sentence. */
  private static String phrase(Dice dice) {
    String noun = dice.pick(Lexicon.NOUNS);
    String thing = dice.pick(Lexicon.ADJECTIVES) + " " + noun;
    return dice.pick(
        List.of(
            thing,
            "the " + thing,
            dice.pick(Lexicon.VERBS) + " the " + noun,
            dice.pick(Lexicon.VERBS) + " " + Lexicon.plural(noun),
            "no " + noun + " found",
            "all " + Lexicon.plural(noun) + " are " + dice.pick(Lexicon.ADJECTIVES),
            dice.pick(Lexicon.PEOPLE) + " and " + dice.pick(Lexicon.PEOPLE),
            dice.pick(Lexicon.COLORS) + " " + dice.pick(Lexicon.THINGS),
            "this " + noun + " is " + dice.pick(Lexicon.ADJECTIVES)));
  }
}
