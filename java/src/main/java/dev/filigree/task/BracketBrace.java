// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.List;

/**
 * {@code bracket_brace}: in braces a key is followed by the colon, in brackets an element by the
 * comma.
 */
final class BracketBrace extends TemplateTask {
  private static final List<String> TRAIN =
      List.of(
          "$plural = <cue>$quote$noun",
          "$noun = <cue>$quote$attribute",
          "self.$plural = <cue>$quote$noun",
          "def $verb_$noun1():\n    return <cue>$quote$noun",
          "if $noun1:\n    $plural = <cue>$quote$attribute",
          "for $noun1 in $plural:\n    $attribute1 = <cue>$quote$noun",
          "return <cue>$quote$color",
          "yield <cue>$quote$noun",
          "$plural.$attribute1 = <cue>$quote$attribute",
          "$attribute1 = <cue>$quote$person",
          "print($plural)\n$noun1 = <cue>$quote$thing",
          "$plural[$digit] = <cue>$quote$noun",
          "while $noun1:\n    $noun1 = <cue>$quote$attribute");

  private static final List<String> VALIDATION =
      List.of(
          "$adjective_$plural = <cue>$quote$noun",
          "$noun_$plural = <cue>$quote$attribute",
          "$noun1_$attribute1 = <cue>$quote$noun",
          "self.$adjective_$plural = <cue>$quote$color",
          "def is_$adjective_$noun1(self):\n    self.$noun1_$attribute1 = <cue>$quote$noun",
          "$plural = $noun1 or <cue>$quote$attribute",
          "else:\n    $noun1_$plural = <cue>$quote$noun",
          "with $noun1:\n    return $plural or <cue>$quote$noun",
          "$adjective_$noun1 = <cue>$quote$person",
          "if $plural is None:\n    $adjective_$plural = <cue>$quote$thing",
          "for $noun1 in range($digit):\n    $noun1_$plural = <cue>$quote$noun",
          "self.$noun1_$plural = <cue>$quote$attribute",
          "elif $adjective:\n    $adjective_$attribute1 = <cue>$quote$noun");

  private static final List<String> FINAL =
      List.of(
          "$adjective_$noun_$plural = <cue>$quote$attribute",
          "my_$plural = <cue>$quote$noun",
          "the_$adjective_$noun1 = <cue>$quote$noun",
          "$noun1.$adjective.$attribute1 = <cue>$quote$color",
          "$plural = $noun1 = <cue>$quote$attribute",
          "$noun1_to_$attribute1 = <cue>$quote$noun",
          "$verb = lambda: <cue>$quote$thing",
          "$noun1 = $plural and <cue>$quote$noun",
          "assert $noun1 != <cue>$quote$attribute",
          "return $noun1 == <cue>$quote$person",
          "$plural[-$digit] = <cue>$quote$noun",
          "$plural[$digit1:$digit2] = <cue>$quote$noun",
          "async def $verb_the_$plural():\n    _$plural = <cue>$quote$attribute");

  BracketBrace() {
    super(
        "bracket_brace",
        "After its first string a dictionary goes on with the colon, a list with the comma.",
        List.of(new Cue("{", "[")),
        List.of("$quote: $digit}\n", "$quote, $quote$color$quote]\n"),
        TRAIN,
        VALIDATION,
        FINAL);
  }
}
