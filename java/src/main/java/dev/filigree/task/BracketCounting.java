// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.List;

/** {@code bracket_counting}: close as many brackets as are open, {@code ]]} or {@code ]}. */
final class BracketCounting extends TemplateTask {
  private static final List<String> TRAIN =
      List.of(
          "$plural = <cue>$digit1, $digit2",
          "$plural = <cue>$int1, $int2, $int3",
          "$noun = <cue>$digit1, $int1, $digit2, $int2",
          "self.$plural = <cue>$int1, $digit1",
          "def $verb_$noun():\n    return <cue>$digit1, $digit2, $digit3",
          "$plural += <cue>$int1, $int2",
          "if $noun:\n    $plural = <cue>$digit1, $digit2, $digit3",
          "for $noun in $plural:\n    $attribute = <cue>$int1, $digit1",
          "yield <cue>$digit1, $int1",
          "$plural.$attribute = <cue>$digit1, $int1, $digit2",
          "return <cue>$int1, $int2",
          "while $noun:\n    $noun = <cue>$digit1, $digit2, $digit3, $digit4",
          "$plural[$digit] = <cue>$int1, $digit1, $int2",
          "print($plural)\n$attribute = <cue>$digit1, $digit2, $int1");

  private static final List<String> VALIDATION =
      List.of(
          "$adjective_$plural = <cue>$digit1, $digit2",
          "$noun_$plural = <cue>$int1, $int2, $digit1",
          "$noun_$attribute = <cue>$digit1, $digit2, $digit3, $digit4",
          "self.$adjective_$plural = <cue>$int1, $int2",
          "def is_$adjective_$noun(self):\n    self.$noun_$attribute = <cue>$digit1, $int1, $int2",
          "$plural: list = <cue>$digit1, $digit2, $digit3",
          "$plural = $noun or <cue>$int1, $digit1",
          "$attribute = $plural + <cue>$digit1, $int1",
          "else:\n    $noun_$plural = <cue>$digit1, $digit2, $digit3",
          "with $noun:\n    return $plural + <cue>$int1, $int2",
          "$adjective_$noun = <cue>$int1, $int2, $int3",
          "if $plural is None:\n    $adjective_$plural = <cue>$digit1, $int1, $digit2, $int2",
          "$noun_$attribute += <cue>$digit1, $digit2",
          "for $noun in range($digit):\n    $noun_$plural = <cue>$int1, $digit1, $digit2");

  private static final List<String> FINAL =
      List.of(
          "$adjective_$noun_$plural = <cue>$digit1, $digit2, $digit3",
          "my_$plural = <cue>$int1, $int2",
          "the_$adjective_$noun = <cue>$digit1, $int1, $digit2",
          "$noun.$adjective.$attribute = <cue>$int1, $int2, $digit1",
          "$plural = $noun = <cue>$digit1, $digit2",
          "$noun_to_$attribute = <cue>$int1, $digit1",
          "$verb = lambda: <cue>$digit1, $digit2, $digit3, $digit4",
          "$noun = $plural and <cue>$int1, $int2, $int3",
          "assert $noun != <cue>$digit1, $digit2",
          "return $noun == <cue>$int1, $digit1, $int2",
          "$plural[-$digit] = <cue>$digit1, $int1",
          "$plural[$digit1:$digit2] = <cue>$int1, $int2",
          "$noun = yield <cue>$digit3, $digit4, $digit5",
          "async def $verb_the_$plural():\n    _$plural = <cue>$int1, $digit1, $digit2");

  BracketCounting() {
    super(
        "bracket_counting",
        "A list closes with as many brackets as are open.",
        List.of(new Cue("[[", "[")),
        List.of("]]\n", "]\n"),
        TRAIN,
        VALIDATION,
        FINAL);
  }
}
