// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.List;

/**
 * {@code set_or_string}: what was made a set grows by {@code .add}, what was made a string by
 * {@code +=}.
 */
final class SetOrString extends TemplateTask {
  private static final List<String> TRAIN =
      List.of(
          "$noun = <cue>\n$noun",
          "$noun = <cue>\nfor $attribute in $plural:\n    $noun",
          "$noun = <cue>\nfor $attribute in $plural:\n    if $attribute:\n        $noun",
          "$noun = <cue>\nwhile $adjective:\n    $noun",
          "def $verb_$noun1($plural):\n"
              + "    $noun = <cue>\n"
              + "    for $attribute in $plural:\n"
              + "        $noun",
          "$noun = <cue>\n$attribute = $int\n$noun",
          "$noun = <cue>\nif $attribute > $digit:\n    $noun",
          "$noun = <cue>\nprint($plural)\n$noun",
          "def $verb($attribute):\n    $noun = <cue>\n    $noun",
          "$noun = <cue>\nwith $noun1:\n    $noun",
          "$noun = <cue>\ntry:\n    $noun",
          "$noun = <cue>\nfor $attribute in range($int):\n    $noun",
          "if $adjective:\n    $noun = <cue>\n    $noun",
          "$plural = []\n$noun = <cue>\nfor $attribute in $plural:\n    $noun");

  private static final List<String> VALIDATION =
      List.of(
          "$adjective_$noun = <cue>\n$adjective_$noun",
          "$adjective_$noun = <cue>\nfor $attribute in sorted($plural):\n    $adjective_$noun",
          "$noun_$color = <cue>\nfor $attribute in $plural[$digit:]:\n    $noun_$color",
          "$verb_$plural = <cue>\nwhile not $adjective:\n    $verb_$plural",
          "def $verb_$adjective_$noun($plural):\n"
              + "    $adjective_$noun = <cue>\n"
              + "    for $attribute in sorted($plural):\n"
              + "        $adjective_$noun",
          "$noun_$thing = <cue>\n$noun1_$attribute = $int / $digit\n$noun_$thing",
          "$adjective_$noun = <cue>\nif $attribute != $digit:\n    $adjective_$noun",
          "$adjective_$noun = <cue>\nprint(len($plural))\n$adjective_$noun",
          "def is_$adjective(self, $attribute):\n    $noun_$color = <cue>\n    $noun_$color",
          "$adjective_$plural = <cue>\nwith $noun1 as $attribute:\n    $adjective_$plural",
          "$noun_$verb = <cue>\nfor $attribute in range($digit, $int):\n    $noun_$verb",
          "$adjective_$noun = <cue>\nfor $noun1, $attribute in $plural:\n    $adjective_$noun",
          "elif $adjective:\n    $noun_$thing = <cue>\n    $noun_$thing",
          "$plural = None\n$adjective_$noun = <cue>\n$adjective_$noun");

  private static final List<String> FINAL =
      List.of(
          "the_$adjective_$noun = <cue>\nthe_$adjective_$noun",
          "$noun_so_far = <cue>\nfor $attribute in iter($plural):\n    $noun_so_far",
          "every_$adjective_$noun = <cue>\n"
              + "for $attribute in $noun1.$plural:\n"
              + "    every_$adjective_$noun",
          "$adjective_$noun_or_$thing = <cue>\n$adjective_$noun_or_$thing",
          "latest_$adjective_$noun = $noun1 = <cue>\nlatest_$adjective_$noun",
          "my_$adjective_$plural = <cue>\n"
              + "for $attribute in set($plural):\n"
              + "    my_$adjective_$plural",
          "def $noun_to_$thing($plural, /):\n"
              + "    _$noun = <cue>\n"
              + "    for $attribute in iter($plural):\n"
              + "        _$noun",
          "our_$adjective_$plural = <cue>\n$noun1.$attribute = -$int\nour_$adjective_$plural",
          "this_$adjective_$noun = <cue>\nassert $attribute\nthis_$adjective_$noun",
          "$noun_of_$color = <cue>\nwhile $plural or $adjective:\n    $noun_of_$color",
          "other_$adjective_$noun = <cue>\nif $noun1 in $plural:\n    other_$adjective_$noun",
          "$noun_for_$verb = <cue>\ndel $plural[$digit]\n$noun_for_$verb",
          "async def $verb_any_$noun1($attribute):\n"
              + "    $noun_and_$thing = <cue>\n"
              + "    $noun_and_$thing",
          "$plural_found_here = <cue>\nfor $attribute in tuple($plural):\n    $plural_found_here");

  SetOrString() {
    super(
        "set_or_string",
        "What was made a set grows by .add, what was made a string by +=.",
        List.of(new Cue("set()", "\"\""), new Cue("set()", "''"), new Cue("set()", "str()")),
        List.of(".add($attribute)\n", " += $attribute\n"),
        TRAIN,
        VALIDATION,
        FINAL);
  }
}
