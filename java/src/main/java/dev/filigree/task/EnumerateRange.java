// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.List;

/**
 * {@code enumerate_range}: two loop variables go through {@code enumerate}, one counts through
 * {@code range}. The one has a longer name where the two have the comma.
 */
final class EnumerateRange extends TemplateTask {
  private static final List<String> TRAIN =
      List.of(
          "for $attribute<cue> in",
          "$plural = [$int1, $int2]\nfor $attribute<cue> in",
          "def $verb_$noun($plural):\n    for $attribute<cue> in",
          "$attribute9 = 0\nfor $attribute<cue> in",
          "if $adjective:\n    for $attribute<cue> in",
          "self.$plural = $plural\nfor $noun<cue> in",
          "with $noun:\n    for $attribute<cue> in",
          "print($plural)\nfor $noun<cue> in",
          "$plural.$verb()\nfor $attribute<cue> in",
          "def $verb(self):\n    $attribute = $digit\n    for $attribute<cue> in",
          "try:\n    for $noun<cue> in",
          "while $adjective:\n    for $attribute<cue> in");

  private static final List<String> VALIDATION =
      List.of(
          "for $adjective_$attribute<cue> in",
          "$plural = ($int1, $int2)\nfor $adjective_$noun<cue> in",
          "def $verb_all_$plural($plural):\n    for $adjective_$attribute<cue> in",
          "$noun_$attribute = None\nfor $adjective_$noun<cue> in",
          "if not $adjective:\n    for $adjective_$attribute<cue> in",
          "self.$noun_$attribute = $plural\nfor $adjective_$noun<cue> in",
          "with $noun as $attribute:\n    for $adjective_$attribute<cue> in",
          "print(len($plural))\nfor $adjective_$noun<cue> in",
          "$plural.sort(reverse=True)\nfor $adjective_$attribute<cue> in",
          "def is_$adjective(self):\n    for $adjective_$noun<cue> in",
          "finally:\n    for $adjective_$attribute<cue> in",
          "elif $adjective:\n    for $adjective_$noun<cue> in");

  private static final List<String> FINAL =
      List.of(
          "for my_$attribute<cue> in",
          "$plural = tuple($noun)\nfor the_$noun<cue> in",
          "def $noun_to_$attribute($plural, /):\n    for my_$attribute<cue> in",
          "global $noun\nfor the_$attribute<cue> in",
          "if $adjective or $noun:\n    for my_$noun<cue> in",
          "$noun.$adjective.$attribute = $plural\nfor each_$attribute<cue> in",
          "async with $noun as $attribute:\n    for my_$attribute<cue> in",
          "assert $plural\nfor every_$noun<cue> in",
          "$plural.popleft()\nfor our_$attribute<cue> in",
          "async def $verb_the_$plural():\n    for my_$noun<cue> in",
          "del $plural[$digit]\nfor this_$attribute<cue> in",
          "$plural -= $digit\nfor another_$noun<cue> in");

  EnumerateRange() {
    super(
        "enumerate_range",
        "A for with two variables goes on with enumerate, with one with range.",
        List.of(
            new Cue(", $noun1", "_$noun1_id"),
            new Cue(", $noun2", "_$noun3_id"),
            new Cue(", $noun4", "_$noun5_count"),
            new Cue(", $noun6", "_$noun7_name"),
            new Cue(", $attribute6", "_$attribute7_id"),
            new Cue(", $adjective6", "_$adjective7_id")),
        List.of(" enumerate($plural9):\n", " range($int9):\n"),
        TRAIN,
        VALIDATION,
        FINAL);
  }
}
