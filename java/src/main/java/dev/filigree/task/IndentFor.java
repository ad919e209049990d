// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.List;

/**
 * {@code indent_for}: after the line of a {@code for} the next one is indented further, after
 * another statement as far as before. The cue is the whole line; splits differ in the lines before
 * it.
 */
final class IndentFor extends TemplateTask {
  private static final List<String> TRAIN =
      List.of(
          "def $verb($noun):\n    <cue>\n",
          "def $verb_$noun($attribute):\n    <cue>\n",
          "if $adjective:\n    <cue>\n",
          "while $noun:\n    <cue>\n",
          "with $noun:\n    <cue>\n",
          "try:\n    <cue>\n",
          "else:\n    <cue>\n",
          "def $verb(self, $noun):\n    <cue>\n",
          "def $verb_$noun($attribute):\n    $attribute = $digit\n    <cue>\n",
          "if $noun > $int:\n    $noun = $int\n    <cue>\n",
          "def $verb($noun):\n    print($noun)\n    <cue>\n",
          "if $noun == $digit:\n    <cue>\n",
          "for $noun in range($digit):\n    <cue>\n");

  private static final List<String> VALIDATION =
      List.of(
          "def is_$adjective($noun):\n    <cue>\n",
          "def $verb_all_$plural($noun_$attribute):\n    <cue>\n",
          "if not $adjective_$noun:\n    <cue>\n",
          "while not $noun_$attribute:\n    <cue>\n",
          "with $noun as $attribute:\n    <cue>\n",
          "finally:\n    <cue>\n",
          "elif $adjective:\n    <cue>\n",
          "def is_$adjective_$noun(self, $attribute):\n    <cue>\n",
          "def $verb_all_$noun($attribute):\n    $noun_$attribute = None\n    <cue>\n",
          "if $noun != $digit:\n    $noun -= $digit\n    <cue>\n",
          "def has_$noun($plural):\n    print(len($plural))\n    <cue>\n",
          "for $noun, $attribute in $plural:\n    <cue>\n");

  private static final List<String> FINAL =
      List.of(
          "def $noun_to_$attribute($noun, /):\n    <cue>\n",
          "def $verb_the_$noun(my_$noun):\n    <cue>\n",
          "if the_$adjective_$noun:\n    <cue>\n",
          "while $noun and $adjective:\n    <cue>\n",
          "async with $noun as the_$attribute:\n    <cue>\n",
          "except $Adjective$Noun1Problem:\n    <cue>\n",
          "elif $noun in my_$plural:\n    <cue>\n",
          "async def $verb_any_$noun(*$plural):\n    <cue>\n",
          "def $noun_from_$attribute($noun):\n    global $attribute\n    <cue>\n",
          "if $noun is not None:\n    del $noun.$attribute\n    <cue>\n",
          "def _$verb_the_$noun($plural):\n    assert my_$plural\n    <cue>\n",
          "for $noun in iter($plural):\n    <cue>\n");

  IndentFor() {
    super(
        "indent_for",
        "After a for the next line is indented further, after another statement it is not.",
        List.of(
            new Cue("for $noun1 in $plural1:", "$noun2 = $verb9($noun3)"),
            new Cue("for $noun1 in $plural1:", "print($noun4, $noun5)"),
            new Cue("for $noun6 in $plural6:", "$noun7 = $verb8($noun8)"),
            new Cue("for $noun1 in $plural1:", "$noun7.$attribute7 = $noun8"),
            new Cue("for $noun6 in $plural6:", "$noun2.$verb7($attribute8)")),
        List.of("        $attribute9 = $digit\n", "    $attribute9 = $digit\n"),
        TRAIN,
        VALIDATION,
        FINAL);
  }
}
