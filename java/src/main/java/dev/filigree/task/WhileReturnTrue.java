// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.List;

/**
 * {@code while_return_true}: {@code while True} ends in the colon, {@code return True} ends the
 * line.
 */
final class WhileReturnTrue extends TemplateTask {
  private static final List<String> TRAIN =
      List.of(
          "def $verb_$noun($attribute):\n    <cue>True",
          "def $verb():\n    <cue>True",
          "def $verb(self):\n    $attribute = $digit\n    <cue>True",
          "def $verb_$noun($plural):\n    if $plural:\n        <cue>True",
          "def $verb_$noun($plural):\n    for $noun in $plural:\n        <cue>True",
          "def $verb($attribute):\n    print($attribute)\n    <cue>True",
          "def $verb($attribute):\n    try:\n        <cue>True",
          "def $verb_$plural(self, $attribute):\n    self.$attribute = $attribute\n    <cue>True",
          "def $verb_$plural($plural):\n    $plural.$verb()\n    <cue>True",
          "def $verb($noun):\n    <cue>$noun == True",
          "def $verb_$noun($adjective):\n    <cue>$adjective == True",
          "def $verb($noun):\n    $noun += $digit\n    <cue>$noun == True");

  private static final List<String> VALIDATION =
      List.of(
          "def is_$adjective($noun_$attribute):\n    <cue>$noun_$attribute == True",
          "def has_$noun(self):\n    <cue>self.$noun == True",
          "def $verb_all_$plural($plural):\n    <cue>$adjective_$noun == True",
          "def can_$verb($adjective_$noun):\n"
              + "    $adjective_$noun = None\n"
              + "    <cue>$adjective_$noun == True",
          "def should_$verb($noun, $attribute):\n    <cue>$noun_$attribute is True",
          "def must_$verb($noun):\n    if not $noun:\n        <cue>$noun is True",
          "def do_$verb($plural):\n    for $noun in sorted($plural):\n        <cue>$noun is True",
          "def was_$adjective(self, $noun):\n"
              + "    self.$noun -= $digit\n"
              + "    <cue>self.$noun_$attribute == True",
          "def may_$verb($noun_$attribute):\n"
              + "    print(len($noun_$attribute))\n"
              + "    <cue>not $noun == True",
          "def did_$verb($adjective):\n    with $adjective:\n        <cue>$adjective is True",
          "def its_$noun($noun_$attribute):\n"
              + "    $noun_$attribute.sort()\n"
              + "    <cue>$noun_$attribute == True",
          "def $verb_new_$noun($attribute):\n    <cue>not $attribute == True");

  private static final List<String> FINAL =
      List.of(
          "def $noun_to_$attribute(the_$noun, /):\n    <cue>the_$noun == True",
          "def $verb_the_$noun(my_$noun):\n    <cue>my_$noun is True",
          "def $verb_by_$attribute($noun):\n    <cue>$noun.$adjective == True",
          "def $noun_from_$attribute($noun):\n    global $attribute\n    <cue>$noun is not True",
          "def maybe_$verb(self, /):\n    <cue>self.$noun.$adjective == True",
          "def $verb_or_$verb2($plural):\n    <cue>$plural[$digit] == True",
          "def _$verb(any_$adjective_$noun):\n"
              + "    assert any_$adjective_$noun\n"
              + "    <cue>any_$adjective_$noun == True",
          "def $verb_if_$adjective($noun):\n    del $noun.$attribute\n    <cue>$noun and True",
          "async def $verb_any_$noun($plural):\n"
              + "    await $verb($plural)\n"
              + "    <cue>$noun_of_$color == True",
          "def on_$noun_$verb($noun):\n    if $noun in $plural:\n        <cue>$noun or True",
          "def $verb_with_$attribute($noun):\n"
              + "    for $attribute in iter($noun):\n"
              + "        <cue>other_$attribute == True",
          "def $verb_and_$verb2($noun):\n    yield $noun\n    <cue>$noun.$attribute is True");

  WhileReturnTrue() {
    super(
        "while_return_true",
        "A while that ends in True needs the colon, a return ends the line.",
        List.of(new Cue("while ", "return ")),
        List.of(":\n", "\n"),
        TRAIN,
        VALIDATION,
        FINAL);
  }
}
