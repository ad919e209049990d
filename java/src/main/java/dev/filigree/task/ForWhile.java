// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.List;

/**
 * {@code for_while}: a {@code for} goes on with {@code in} after the name, a {@code while} with the
 * colon.
 */
final class ForWhile extends TemplateTask {
  private static final List<String> TRAIN =
      List.of(
          "<cue> $noun",
          "$plural = [$int1, $int2]\n<cue> $noun",
          "def $verb_$noun1($plural):\n    <cue> $noun",
          "$attribute = 0\n<cue> $noun",
          "if $adjective:\n    <cue> $noun",
          "self.$plural = $plural\n<cue> $noun",
          "with $noun1:\n    <cue> $attribute",
          "try:\n    <cue> $noun",
          "else:\n    <cue> $attribute",
          "$noun1 += $plural\n<cue> $noun",
          "def $verb($plural, $attribute):\n    <cue> $noun",
          "print($plural)\n<cue> $noun",
          "$plural.$verb()\n<cue> $attribute",
          "def $verb(self):\n    $attribute = $digit\n    <cue> $noun");

  private static final List<String> VALIDATION =
      List.of(
          "<cue> $adjective_$noun",
          "$plural = ($int1, $int2)\n<cue> $noun_$attribute",
          "def $verb_all_$noun1($plural):\n    <cue> $adjective_$noun",
          "$attribute = None\n<cue> $noun_$attribute",
          "if not $adjective:\n    <cue> $adjective_$noun",
          "self.$attribute += $plural\n<cue> $adjective_$attribute",
          "with $noun1 as $plural:\n    <cue> $noun_$attribute",
          "finally:\n    <cue> $adjective_$noun",
          "elif $adjective:\n    <cue> $noun_$attribute",
          "print(len($plural))\n<cue> $adjective_$noun",
          "$plural.sort(reverse=True)\n<cue> $noun_$attribute",
          "$plural = sorted($noun1)\n<cue> $adjective_$noun",
          "def is_$adjective1(self, $plural):\n    <cue> $adjective_$attribute",
          "$noun1 = len($plural) - $digit\n<cue> $noun1_$attribute");

  private static final List<String> FINAL =
      List.of(
          "<cue> each_$adjective1_$noun",
          "<cue> the_$adjective1_$attribute",
          "$plural, $adjective, $noun1 = $noun1, $plural, $adjective\n<cue> my_$adjective1_$noun",
          "def $verb_many_$noun1(*$plural):\n    <cue> other_$adjective1_$noun",
          "$plural -= $int\n<cue> this_$adjective1_$noun",
          "if $adjective or $plural:\n    <cue> any_$adjective1_$attribute",
          "$plural = $noun1.$plural\n<cue> $noun_of_$attribute",
          "async with $noun1 as $plural:\n    <cue> $noun_or_$attribute",
          "del $plural[$digit]\n<cue> another_$adjective1_$noun",
          "assert $plural, $noun1\n<cue> $adjective1_yet_$adjective2_$noun",
          "global $plural\n<cue> _$noun",
          "$plural = [*$noun1]\n<cue> $noun_from_$attribute",
          "def $noun1_of_$plural($plural, /):\n    <cue> its_$adjective1_$attribute",
          "$plural = tuple($noun1)\n<cue> our_$adjective1_$noun");

  ForWhile() {
    super(
        "for_while",
        "After its name a for goes on with in, a while with the colon.",
        List.of(new Cue("for", "while")),
        List.of(" in $plural:\n", ":\n"),
        TRAIN,
        VALIDATION,
        FINAL);
  }
}
