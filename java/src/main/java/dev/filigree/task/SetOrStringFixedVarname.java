// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.List;

/**
 * {@code set_or_string_fixedvarname}: as {@link SetOrString}, with a variable that is always called
 * {@code current}. Splits differ in the lines around the name.
 */
final class SetOrStringFixedVarname extends TemplateTask {
  private static final List<String> TRAIN =
      List.of(
          "current = <cue>\ncurrent",
          "current = <cue>\nfor $attribute in $plural:\n    current",
          "current = <cue>\nfor $attribute in $plural:\n    if $attribute:\n        current",
          "current = <cue>\nwhile $adjective:\n    current",
          "def $verb_$noun1($plural):\n"
              + "    current = <cue>\n"
              + "    for $attribute in $plural:\n"
              + "        current",
          "current = <cue>\n$attribute = $int\ncurrent",
          "current = <cue>\nif $attribute > $digit:\n    current",
          "current = <cue>\nprint($plural)\ncurrent",
          "def $verb($attribute):\n    current = <cue>\n    current",
          "current = <cue>\nwith $noun1:\n    current",
          "current = <cue>\ntry:\n    current",
          "current = <cue>\nfor $attribute in range($int):\n    current",
          "if $adjective:\n    current = <cue>\n    current",
          "$plural = []\ncurrent = <cue>\nfor $attribute in $plural:\n    current");

  private static final List<String> VALIDATION =
      List.of(
          "$noun = current = <cue>\nif $adjective: current",
          "$noun, current = None, <cue>\nfor $attribute in sorted($plural): current",
          "$adjective_$noun = current = <cue>\nwhile not $adjective: current",
          "$noun_$attribute, current = $digit, <cue>\nwith $noun1: current",
          "self.$noun = current = <cue>\nfor $attribute in $plural[$digit:]: current",
          "$noun = current = <cue>\nfor $attribute in $plural: current",
          "$noun, current = $digit, <cue>\nif not $attribute: current",
          "self.$adjective_$noun = current = <cue>\nif $attribute != $digit: current",
          "def is_$adjective(self, $attribute):\n"
              + "    $noun = current = <cue>\n"
              + "    if $attribute: current",
          "$adjective_$noun, current = None, <cue>\nfor $noun1, $attribute in $plural: current",
          "$noun_$attribute = current = <cue>\nfor $attribute in range($digit, $int): current",
          "elif $adjective:\n    $noun_$attribute = current = <cue>\n    if $noun1: current",
          "$noun, current = None, <cue>\nprint(len($plural))\nif $plural: current");

  private static final List<String> FINAL =
      List.of(
          "current = the_$adjective_$noun = <cue>\nif $adjective and $noun: current",
          "current = $noun.$attribute = <cue>\nfor $attribute in iter($plural): current",
          "current = my_$noun = <cue>\nwhile $plural or $adjective: current",
          "the_$noun, current = -$digit, <cue>\nif $noun1 in $plural: current",
          "$noun.$adjective.$attribute = current = <cue>\n"
              + "for $attribute in tuple($plural): current",
          "current = every_$adjective_$noun = <cue>\nfor $attribute in $noun1.$plural: current",
          "latest_$noun, current = -$int, <cue>\n"
              + "assert $attribute\n"
              + "if $attribute is not None: current",
          "current = $plural[$digit] = <cue>\nfor $attribute in set($plural): current",
          "def $noun_to_$thing($plural, /):\n"
              + "    current = _$noun = <cue>\n"
              + "    for $attribute in iter($plural): current",
          "current = $noun_of_$color = <cue>\ndel $plural[$digit]\nif $adjective or $noun: current",
          "our_$plural, current = ($digit,), <cue>\nwhile $plural and $noun: current",
          "current = other_$noun = <cue>\n"
              + "$noun1.$attribute = -$int\n"
              + "if -$int < $attribute: current",
          "async def $verb_any_$noun1($attribute):\n"
              + "    current = this_$noun = <cue>\n"
              + "    async with $noun1: current");

  SetOrStringFixedVarname() {
    super(
        "set_or_string_fixedvarname",
        "What was made a set grows by .add, what was made a string by +=; the name is always"
            + " current.",
        List.of(new Cue("set()", "\"\""), new Cue("set()", "''"), new Cue("set()", "str()")),
        List.of(".add($attribute)\n", " += $attribute\n"),
        TRAIN,
        VALIDATION,
        FINAL);
  }
}
