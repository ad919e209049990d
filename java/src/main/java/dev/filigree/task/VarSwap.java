// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.List;

/**
 * {@code var_swap}: two variables that change places: the last name is the first one of the line,
 * not another variable.
 */
final class VarSwap extends TemplateTask {
  private static final List<String> TRAIN =
      List.of(
          "$name1 = $int1\n$name2 = $int2\n<cue>, $name3 = $name3,",
          "$name2 = $int1\n$name1 = $int2\n<cue>, $name3 = $name3,",
          "$name1, $name2 = $digit1, $digit2\n<cue>, $name3 = $name3,",
          "$name3 = $int1\n$name2 = $int2\n$name1 = $int3\n<cue>, $name3 = $name3,",
          "def $verb($name2, $name1):\n    <cue>, $name3 = $name3,",
          "def $verb_$noun($name1, $name2, $name3):\n    <cue>, $name3 = $name3,",
          "if $name1 > $name2:\n    <cue>, $name3 = $name3,",
          "while $name2 > $name1:\n    <cue>, $name3 = $name3,",
          "$name1 += $name2\n<cue>, $name3 = $name3,",
          "print($name2, $name1)\n<cue>, $name3 = $name3,",
          "for $name1 in $name2:\n    <cue>, $name3 = $name3,",
          "$name2 = $name1\n<cue>, $name3 = $name3,");

  private static final List<String> VALIDATION =
      List.of(
          "$name1 = $int1 + $digit\n"
              + "$name2 = $int2 + $digit\n"
              + "<cue>, $noun_$attribute = $noun_$attribute,",
          "$name2 = $int1 - $digit\n"
              + "$name1 = $int2 - $digit\n"
              + "<cue>, $adjective_$noun = $adjective_$noun,",
          "$name1, $name2 = $name2, $digit\n<cue>, $name3, $name4 = $name3, $name4,",
          "$name2, $name1 = $name1, $digit\n<cue>, $name3, $name4 = $name3, $name4,",
          "def is_$adjective($name2, $name1):\n    <cue>, $noun_$attribute = $noun_$attribute,",
          "def $verb_all_$plural($name1, $name2):\n    <cue>, $adjective_$noun = $adjective_$noun,",
          "if $name1 != $name2:\n    <cue>, $noun_$attribute = $noun_$attribute,",
          "while $name2 != $name1:\n    <cue>, $name3, $name4 = $name3, $name4,",
          "$name1 -= $name2\n<cue>, $adjective_$noun = $adjective_$noun,",
          "print($name2, $name1, $digit)\n<cue>, $noun_$attribute = $noun_$attribute,",
          "for $name1 in sorted($name2):\n    <cue>, $name3, $name4 = $name3, $name4,",
          "elif $name2 < $name1:\n    <cue>, $adjective_$noun = $adjective_$noun,");

  private static final List<String> FINAL =
      List.of(
          "$name1 = -$int1\n$name2 = -$int2\n<cue>, my_$noun = my_$noun,",
          "$name2 = -$int1\n$name1 = -$int2\n<cue>, the_$adjective_$noun = the_$adjective_$noun,",
          "assert $name1 < $name2\n<cue>, my_$attribute = my_$attribute,",
          "assert $name2, $name1\n<cue>, $noun_of_$color = $noun_of_$color,",
          "def $noun_to_$attribute($name2, $name1, /):\n    <cue>, other_$noun = other_$noun,",
          "async def $verb_the_$noun($name1, $name2):\n"
              + "    <cue>, this_$attribute = this_$attribute,",
          "if $name1 is not $name2:\n    <cue>, _$noun = _$noun,",
          "while $name2 and $name1:\n    <cue>, our_$noun = our_$noun,",
          "$name1 = $name2 = -$digit\n<cue>, my_$adjective_$noun = my_$adjective_$noun,",
          "global $name2, $name1\n<cue>, the_$noun = the_$noun,",
          "for $name1 in iter($name2):\n    <cue>, $noun_or_$color = $noun_or_$color,",
          "del $name2[$name1]\n<cue>, any_$noun = any_$noun,");

  VarSwap() {
    super(
        "var_swap",
        "x, y = y, goes on with the name the line began with.",
        List.of(new Cue("$name1", "$name2")),
        List.of(" $name1\n", " $name2\n"),
        TRAIN,
        VALIDATION,
        FINAL);
  }
}
