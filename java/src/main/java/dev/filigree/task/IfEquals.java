// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.List;

/**
 * {@code if_equals}: a name after {@code if} is compared, {@code ==}; a name that begins a line is
 * assigned to, {@code =}. Lines are indented: few vocabularies have words without a space before
 * them as one token.
 */
final class IfEquals extends TemplateTask {
  private static final List<String> TRAIN =
      List.of(
          "def $verb_$noun2($plural):\n    <cue>$attribute",
          "for $noun2 in $plural:\n    <cue>$attribute",
          "while $adjective:\n    <cue>$noun",
          "def $verb(self):\n    <cue>$attribute",
          "if $adjective:\n    <cue>$attribute",
          "try:\n    <cue>$noun",
          "with $noun2:\n    <cue>$attribute",
          "else:\n    <cue>$attribute",
          "for $noun2 in $plural:\n    print($noun2)\n    <cue>$attribute",
          "if $adjective:\n    $attribute = $int1\n    <cue>$attribute",
          "def $verb($plural):\n    $attribute = len($plural)\n    <cue>$noun",
          "for $noun2 in $plural:\n    if $noun2:\n        <cue>$attribute",
          "while $adjective:\n    $noun2.$verb()\n    <cue>$attribute");

  private static final List<String> VALIDATION =
      List.of(
          "def $verb_$adjective_$noun2($plural):\n    <cue>$noun_$attribute",
          "for $noun2 in sorted($plural):\n    <cue>$noun_$attribute",
          "while not $adjective:\n    <cue>$adjective_$noun",
          "def is_$adjective_$noun2(self, $attribute):\n    <cue>$noun_$attribute",
          "if not $adjective:\n    <cue>$noun_$attribute",
          "finally:\n    <cue>$adjective_$noun",
          "with $noun2 as $plural:\n    <cue>$noun_$attribute",
          "elif $adjective:\n    <cue>$adjective_$attribute",
          "for $noun2 in sorted($plural):\n    print($noun2, $plural)\n    <cue>$noun_$attribute",
          "if not $adjective:\n    $attribute = None\n    <cue>$adjective_$attribute",
          "def is_$adjective_$noun2($plural):\n"
              + "    $attribute = max($plural)\n"
              + "    <cue>$noun_$attribute",
          "for $noun2 in sorted($plural):\n    if not $noun2:\n        <cue>$adjective_$noun",
          "while not $adjective:\n    $noun2.$verb($digit)\n    <cue>$noun_$attribute");

  private static final List<String> FINAL =
      List.of(
          "def $noun2_to_$attribute($plural, /):\n    <cue>$attribute_per_$noun",
          "for $noun2 in iter($plural):\n    <cue>$noun_in_$color",
          "while $adjective or $plural:\n    <cue>$attribute_and_$noun",
          "async def $verb_the_$plural(*$noun2):\n    <cue>$attribute_under_$noun",
          "async with $noun2 as $plural:\n    <cue>$noun_on_$color",
          "if $adjective and not $plural:\n    <cue>$attribute_of_$noun",
          "except $Adjective$Noun2Problem:\n    <cue>$noun_or_$attribute",
          "elif $noun2 not in $plural:\n    <cue>$noun_at_$place",
          "for $noun2 in iter($plural):\n    assert $noun2\n    <cue>$attribute_for_$noun",
          "if $adjective and not $plural:\n    del $plural[$digit]\n    <cue>$noun_from_$place",
          "def $noun2_to_$attribute($plural, /):\n"
              + "    global $adjective\n"
              + "    <cue>$attribute_with_$noun",
          "while $adjective or $plural:\n"
              + "    if $noun2 != $plural:\n"
              + "        <cue>$attribute_as_$noun",
          "for $noun2 in iter($plural):\n    $noun2.$attribute = -$digit\n    <cue>$noun_to_$verb");

  IfEquals() {
    super(
        "if_equals",
        "A name after if is compared, a name that begins a line is assigned to.",
        List.of(
            new Cue("if ", "$adjective1_"),
            new Cue("if ", "$noun1_"),
            new Cue("if ", "max_"),
            new Cue("if ", "new_")),
        List.of(" == $int:\n", " = $int\n"),
        TRAIN,
        VALIDATION,
        FINAL);
  }
}
