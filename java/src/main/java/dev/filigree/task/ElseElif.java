// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.List;

/**
 * {@code else_elif}: {@code else} is followed by the colon at once, {@code elif} by its condition.
 * The line of the cue is the cue alone; splits differ in the lines before it.
 */
final class ElseElif extends TemplateTask {
  private static final List<String> TRAIN =
      List.of(
          "if $noun:\n    $attribute = $digit\n<cue>",
          "if $noun > $int:\n    print($noun)\n<cue>",
          "if $adjective:\n    $plural.append($noun)\n<cue>",
          "def $verb_$noun1($noun):\n    if $noun:\n        return $digit\n    <cue>",
          "for $noun in $plural:\n    if $noun:\n        $attribute += $digit\n    <cue>",
          "if $noun == $digit:\n    $attribute = $int\n<cue>",
          "if $adjective:\n    $noun.$verb()\n<cue>",
          "while $adjective:\n    if $noun:\n        break\n    <cue>",
          "if $noun:\n    $plural = []\n<cue>",
          "if $noun < $int:\n    return $attribute\n<cue>",
          "def $verb($plural):\n    if $plural:\n        $noun = $plural[$digit]\n    <cue>",
          "if $noun:\n    del $plural\n<cue>",
          "if $attribute:\n    $noun = $verb($digit)\n<cue>");

  private static final List<String> VALIDATION =
      List.of(
          "if not $noun:\n    $adjective_$noun = $digit\n<cue>",
          "if $noun_$attribute > $int:\n    print($noun_$attribute)\n<cue>",
          "if $adjective_$noun:\n    $plural.sort()\n<cue>",
          "def is_$adjective_$noun1($noun):\n"
              + "    if not $noun:\n"
              + "        return $noun_$attribute\n"
              + "    <cue>",
          "for $noun in sorted($plural):\n"
              + "    if not $noun:\n"
              + "        $noun_$attribute += $digit\n"
              + "    <cue>",
          "if $noun_$attribute == $digit:\n    $noun_$attribute = None\n<cue>",
          "if not $adjective:\n    $noun.$verb($digit)\n<cue>",
          "while not $adjective:\n"
              + "    if $noun_$attribute:\n"
              + "        $noun_$attribute -= $digit\n"
              + "    <cue>",
          "if $adjective_$noun:\n    $adjective_$plural = []\n<cue>",
          "if $noun < $attribute:\n    return $noun - $attribute\n<cue>",
          "def $verb_all_$plural($plural):\n"
              + "    if $plural is None:\n"
              + "        $adjective_$noun = $int\n"
              + "    <cue>",
          "if $noun and $attribute:\n    print($noun, $attribute)\n<cue>");

  private static final List<String> FINAL =
      List.of(
          "if $noun is not None:\n    the_$noun = $digit\n<cue>",
          "if $noun_of_$color > $int:\n    assert $noun_of_$color\n<cue>",
          "if my_$noun:\n    $plural.popleft()\n<cue>",
          "def $noun1_to_$attribute($noun, /):\n"
              + "    if $noun in $plural:\n"
              + "        yield $noun.$attribute\n"
              + "    <cue>",
          "for $noun in iter($plural):\n    if -$noun:\n        my_$attribute += $digit\n    <cue>",
          "if any_$adjective_$noun:\n    the_$attribute = -$int\n<cue>",
          "if $adjective or $noun:\n    await $verb()\n<cue>",
          "while $adjective and $noun:\n"
              + "    if the_$noun:\n"
              + "        $noun.$attribute = -$digit\n"
              + "    <cue>",
          "if $noun[$digit]:\n    $plural[-$digit] = $noun\n<cue>",
          "if $int < $noun < $attribute:\n    raise $Adjective$Noun1Problem\n<cue>",
          "async def $verb_the_$plural($plural):\n"
              + "    if our_$plural:\n"
              + "        global $noun\n"
              + "    <cue>",
          "if not $noun.$attribute:\n    $noun.$attribute = $plural, $digit\n<cue>");

  ElseElif() {
    super(
        "else_elif",
        "After else comes the colon, after elif a condition.",
        List.of(new Cue("else", "elif")),
        List.of(":\n", " $noun9 > $digit:\n"),
        TRAIN,
        VALIDATION,
        FINAL);
  }
}
