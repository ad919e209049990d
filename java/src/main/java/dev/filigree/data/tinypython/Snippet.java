// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data.tinypython;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One form of the grammar: lines of Python with slots, as read from the grammar file.
 *
 * @param form name of the form
 * @param weight how often it is drawn relative to the others of its section
 * @param imports import lines a program needs to use it
 * @param lines its text
 * @param requires number of existing variables it uses, by type
 */
record Snippet(
    String form, int weight, List<String> imports, List<Line> lines, Map<Type, Integer> requires) {

  /**
   * One line.
   *
   * @param indent levels below the snippet's first line
   * @param optional whether it may be left out
   */
  record Line(int indent, boolean optional, List<Part> parts) {
    /** Whether the line stands for a block of statements. */
    boolean isBody() {
      return parts.size() == 1 && parts.getFirst().kind().equals("BODY");
    }
  }

  /**
   * Text or a slot.
   *
   * @param sigil what the slot does: {@code @} an existing variable, {@code #} a variable that is
   *     assigned, {@code %} a variable of the block that follows, {@code ~} code or words of a
   *     kind; 0 for text
   * @param kind type of the variable or kind of code; the text itself when there is no sigil
   * @param key the slot as written; slots written alike stand for the same thing, except {@code ~}
   *     without a number
   */
  record Part(char sigil, String kind, String key) {
    boolean isShared() {
      return sigil != '~' || Character.isDigit(key.charAt(key.length() - 1));
    }
  }

  private static final Pattern SLOT = Pattern.compile("([@#%~])([A-Z][A-Z_]*)\\d?");
  private static final int SPACES_PER_LEVEL = 4;

  static Snippet parse(String form, int weight, List<String> imports, List<String> text) {
    List<Line> lines = text.stream().map(Snippet::parseLine).toList();
    Map<Type, Integer> requires = new EnumMap<>(Type.class);
    Set<String> counted = new HashSet<>();
    for (Line line : lines) {
      for (Part part : line.parts()) {
        if (part.sigil() == '@' && counted.add(part.key())) {
          requires.merge(Type.valueOf(part.kind()), 1, Integer::sum);
        }
      }
    }
    return new Snippet(form, weight, List.copyOf(imports), lines, requires);
  }

  private static Line parseLine(String text) {
    boolean optional = text.startsWith("?");
    String code = optional ? text.substring(1) : text;
    String content = code.stripLeading();
    List<Part> parts = new ArrayList<>();
    Matcher slot = SLOT.matcher(content);
    int end = 0;
    while (slot.find()) {
      addText(parts, content.substring(end, slot.start()));
      parts.add(new Part(slot.group(1).charAt(0), slot.group(2), slot.group()));
      end = slot.end();
    }
    addText(parts, content.substring(end));
    return new Line((code.length() - content.length()) / SPACES_PER_LEVEL, optional, parts);
  }

  private static void addText(List<Part> parts, String text) {
    if (!text.isEmpty()) {
      parts.add(new Part((char) 0, text, text));
    }
  }
}
