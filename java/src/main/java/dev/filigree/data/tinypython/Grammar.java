// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data.tinypython;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The forms of the language, read from {@code forms.grammar}, which explains its notation at the
 * top.
 *
 * <p>Immutable and shared by all programs.
 */
final class Grammar {
  private static final String RESOURCE = "forms.grammar";
  private static final Pattern RULE =
      Pattern.compile(
          "--- (?<form>\\w+) (?<weight>\\d+)(?: needs (?<imports>[^:]+))?(?:: (?<code>.*))?");
  private static final int ATTEMPTS = 24;
  private static final Grammar INSTANCE = load();

  /** Weighted alternatives. */
  private record Section(List<Snippet> snippets, int totalWeight) {}

  private final Map<String, Section> sections;

  private Grammar(Map<String, Section> sections) {
    this.sections = sections;
  }

  static Grammar get() {
    return INSTANCE;
  }

  /**
   * Draw from a section until a snippet is accepted; null when none was in a fair number of
   * attempts.
   */
  Snippet draw(String section, Dice dice, Predicate<Snippet> accepts) {
    Section alternatives = sections.get(section);
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      int point = dice.below(alternatives.totalWeight);
      int i = 0;
      while (point >= alternatives.snippets.get(i).weight()) {
        point -= alternatives.snippets.get(i++).weight();
      }
      if (accepts.test(alternatives.snippets.get(i))) {
        return alternatives.snippets.get(i);
      }
    }
    return null;
  }

  /** Names of all forms. */
  List<String> forms() {
    return sections.values().stream()
        .flatMap(section -> section.snippets.stream())
        .map(Snippet::form)
        .toList();
  }

  private static Grammar load() {
    try (InputStream stream = Grammar.class.getResourceAsStream(RESOURCE)) {
      if (stream == null) {
        throw new IllegalStateException(RESOURCE + " is missing from the class path");
      }
      return parse(new String(stream.readAllBytes(), StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Grammar parse(String text) {
    Map<String, List<Snippet>> found = new LinkedHashMap<>();
    List<Snippet> section = null;
    Matcher rule = null;
    List<String> body = new ArrayList<>();
    for (String line : (text + "\n=== end").lines().toList()) {
      boolean starts = line.startsWith("=== ") || line.startsWith("--- ");
      if (starts && rule != null) {
        section.add(snippet(rule, body));
        rule = null;
        body.clear();
      }
      if (line.startsWith("=== ")) {
        section = found.computeIfAbsent(line.substring(4), name -> new ArrayList<>());
      } else if (line.startsWith("--- ")) {
        rule = RULE.matcher(line);
        if (!rule.matches()) {
          throw new IllegalStateException(RESOURCE + ": not a rule: " + line);
        }
      } else if (rule != null && !line.isBlank()) {
        body.add(line);
      }
    }
    Map<String, Section> sections = new LinkedHashMap<>();
    found.forEach(
        (name, snippets) ->
            sections.put(
                name,
                new Section(
                    List.copyOf(snippets), snippets.stream().mapToInt(Snippet::weight).sum())));
    return new Grammar(sections);
  }

  private static Snippet snippet(Matcher rule, List<String> body) {
    List<String> imports =
        rule.group("imports") == null ? List.of() : List.of(rule.group("imports").split("; "));
    List<String> lines = rule.group("code") == null ? body : List.of(rule.group("code"));
    return Snippet.parse(
        rule.group("form"), Integer.parseInt(rule.group("weight")), imports, lines);
  }
}
