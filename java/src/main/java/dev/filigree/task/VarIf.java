// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.List;

/**
 * {@code var_if}: a comparison after {@code if} ends in the colon, an assignment ends the line. The
 * two have different names, since {@code if} takes a token of its own.
 */
final class VarIf extends TemplateTask {
  private static final List<String> TRAIN =
      List.of(
          "def $verb_$noun($plural):\n    <cue> True",
          "for $noun in $plural:\n    <cue> True",
          "while $adjective:\n    <cue> False",
          "def $verb(self):\n    <cue> None",
          "try:\n    <cue> True",
          "with $noun:\n    <cue> False",
          "else:\n    <cue> True",
          "for $noun in $plural:\n    print($noun)\n    <cue> True",
          "if $adjective:\n    $attribute = $int\n    <cue> False",
          "def $verb($plural):\n    $attribute = len($plural)\n    <cue> True",
          "for $noun in $plural:\n    if $noun:\n        <cue> True",
          "while $adjective:\n    $noun.$verb()\n    <cue> False",
          "def $verb_$noun($attribute):\n    <cue> $digit");

  private static final List<String> VALIDATION =
      List.of(
          "def $verb_all_$plural($plural):\n    <cue> True and $noun",
          "for $noun in sorted($plural):\n    <cue> True and $attribute",
          "while not $adjective:\n    <cue> $noun_$attribute",
          "def is_$adjective(self):\n    <cue> $adjective_$color",
          "finally:\n    <cue> True and $adjective",
          "with $noun as $attribute:\n    <cue> $adjective_$noun",
          "elif $adjective:\n    <cue> True and $noun",
          "for $noun in sorted($plural):\n    print($noun, $plural)\n    <cue> $adjective_$noun",
          "if not $adjective:\n    $attribute = None\n    <cue> True and $noun",
          "def has_$noun($plural):\n    $attribute = max($plural)\n    <cue> $noun_$attribute",
          "for $noun in sorted($plural):\n    if not $noun:\n        <cue> True and $adjective",
          "while not $adjective:\n    $noun.$verb($digit)\n    <cue> $noun_$color");

  private static final List<String> FINAL =
      List.of(
          "def $noun_to_$attribute($plural, /):\n    <cue> True or the_$noun",
          "for $noun in iter($plural):\n    <cue> True or any_$adjective",
          "while $adjective or $plural:\n    <cue> $noun_of_$color",
          "async def $verb_the_$plural(*$noun):\n    <cue> True or my_$noun",
          "async with $noun as $plural:\n    <cue> -the_$noun",
          "if $adjective and not $plural:\n    <cue> True or $noun.$attribute",
          "except $Adjective$Noun1Problem:\n    <cue> the_$adjective_$noun",
          "elif $noun not in $plural:\n    <cue> True or other_$noun",
          "for $noun in iter($plural):\n    assert $noun\n    <cue> the_$noun.$adjective",
          "if $adjective and not $plural:\n    del $plural[$digit]\n    <cue> True or our_$plural",
          "def $noun_from_$attribute($plural, /):\n    global $adjective\n    <cue> our_$attribute",
          "while $adjective or $plural:\n"
              + "    if $noun != $plural:\n"
              + "        <cue> True or the_$noun");

  VarIf() {
    super(
        "var_if",
        "A comparison after if ends in the colon, an assignment ends the line.",
        List.of(
            new Cue("if $noun1 ==", "$adjective1_$noun2 ="),
            new Cue("if $noun3 ==", "$adjective3_$noun4 ="),
            new Cue("if $noun5 ==", "$adjective5_$noun6 ="),
            new Cue("if $attribute1 ==", "$noun1_$attribute2 ="),
            new Cue("if $attribute3 ==", "$noun3_$attribute4 ="),
            new Cue("if $attribute5 ==", "$noun5_$attribute6 =")),
        List.of(":\n", "\n"),
        TRAIN,
        VALIDATION,
        FINAL);
  }
}
