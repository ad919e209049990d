// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.List;

/**
 * {@code with_as}: what is opened by {@code with} gets a name, {@code ) as}; what is opened and
 * returned ends the line, {@code )}. The published other side, {@code f = open(...)}, never has as
 * many tokens as {@code with open(...)}.
 */
final class WithAs extends TemplateTask {
  private static final List<String> TRAIN =
      List.of(
          "def $verb_$noun($attribute):\n    <cue>open($attribute",
          "def $verb($attribute, $noun):\n    <cue>open($noun",
          "def $verb_$plural(self):\n    <cue>open(self.$attribute",
          "def $verb(self, $noun):\n    <cue>open($noun",
          "def $verb_$noun($attribute):\n    if $attribute:\n        <cue>open($attribute",
          "def $verb_$noun($plural):\n    for $noun in $plural:\n        <cue>open($noun",
          "def $verb_$noun($plural):\n    $attribute = $plural[$digit]\n    <cue>open($attribute",
          "def $verb($attribute):\n    print($attribute)\n    <cue>open($attribute",
          "def $verb_$noun():\n    <cue>open($attribute",
          "def $verb($attribute):\n    try:\n        <cue>open($attribute",
          "def $verb($attribute, $noun):\n    <cue>open($attribute, $noun",
          "def $verb_$noun($attribute, $noun):\n"
              + "    if $noun > $digit:\n"
              + "        <cue>open($attribute, $noun");

  private static final List<String> VALIDATION =
      List.of(
          "def $verb_all_$plural($adjective_$noun):\n    <cue>open($adjective_$noun",
          "def is_$adjective($noun_$attribute):\n    <cue>open($noun_$attribute",
          "def do_$verb($noun_$attribute, $noun):\n    <cue>open($noun_$attribute, $noun",
          "def has_$noun(self):\n    <cue>open(self.$noun_$attribute",
          "def $verb_new_$noun(self, $adjective_$noun):\n"
              + "    if not self.$attribute:\n"
              + "        <cue>open($adjective_$noun",
          "def can_$verb($adjective_$noun):\n"
              + "    if $adjective_$noun is None:\n"
              + "        return None\n"
              + "    <cue>open($adjective_$noun",
          "def must_$verb($plural):\n"
              + "    $adjective_$noun = sorted($plural)\n"
              + "    <cue>open($adjective_$noun",
          "def was_$adjective($noun_$attribute):\n"
              + "    while not $noun_$attribute:\n"
              + "        <cue>open($noun_$attribute",
          "def its_$noun($plural):\n"
              + "    for $noun, $noun_$attribute in $plural:\n"
              + "        <cue>open($noun_$attribute",
          "def should_$verb($noun_$attribute, $adjective_$noun):\n    <cue>open($adjective_$noun",
          "def did_$verb(self):\n"
              + "    self.$noun_$attribute -= $digit\n"
              + "    <cue>open(self.$noun_$attribute",
          "def may_$verb($noun_$attribute):\n"
              + "    print($noun_$attribute, $digit)\n"
              + "    <cue>open($noun_$attribute");

  private static final List<String> FINAL =
      List.of(
          "def $noun_to_$attribute(the_$adjective_$noun, /):\n    <cue>open(the_$adjective_$noun",
          "def $noun_from_$attribute(my_$noun):\n    <cue>open(my_$noun",
          "def _$verb(self):\n    <cue>open(self.$noun.$attribute",
          "def $verb_the_$noun($plural):\n    <cue>open($plural[$digit].$attribute",
          "def $verb_by_$attribute(any_$adjective_$noun):\n"
              + "    assert any_$adjective_$noun\n"
              + "    <cue>open(any_$adjective_$noun",
          "def maybe_$verb(my_$noun, other_$noun):\n    <cue>open(my_$noun, other_$noun",
          "def $verb_or_$verb2(the_$noun):\n"
              + "    del the_$noun.$attribute\n"
              + "    <cue>open(the_$noun.$attribute",
          "def on_$noun_$verb(the_$attribute):\n    <cue>open(the_$attribute",
          "def $verb_with_$attribute($noun_of_$color):\n"
              + "    if $noun_of_$color and $attribute:\n"
              + "        <cue>open($noun_of_$color",
          "def $verb_and_$verb2($noun_for_$color):\n    <cue>open($noun_for_$color, $digit",
          "def $verb_if_$adjective(self, /):\n    <cue>open(self.$adjective.$noun",
          "def $verb_in_$place($noun_at_$place):\n"
              + "    for $attribute in iter($noun_at_$place):\n"
              + "        <cue>open($noun_at_$place");

  WithAs() {
    super(
        "with_as",
        "After open(...) a with goes on with as, a return ends the line.",
        List.of(new Cue("with ", "return ")),
        List.of(") as $noun9:\n", ")\n"),
        TRAIN,
        VALIDATION,
        FINAL);
  }
}
