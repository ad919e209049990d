// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.List;

/**
 * {@code lambda_func}: after its name a lambda goes on with the colon, a definition with the
 * parenthesis.
 */
final class LambdaFunc extends TemplateTask {
  private static final List<String> TRAIN =
      List.of(
          "$verb<cue> $noun",
          "$verb_$noun1<cue> $attribute",
          "$noun1<cue> $noun",
          "$plural = []\n$verb_$plural<cue> $noun",
          "print($plural)\n$verb<cue> $attribute",
          "$noun1.$verb<cue> $noun",
          "$attribute1 = $digit\n$verb_$attribute1<cue> $attribute",
          "for $noun1 in $plural:\n    $noun1.$verb1()\n$verb_$noun1<cue> $noun",
          "$noun1 += $digit\n$noun1_$verb<cue> $attribute",
          "if $adjective:\n    $noun1 = $digit\n$verb<cue> $noun",
          "$plural.$verb1()\n$verb_$noun1<cue> $verb1",
          "$noun1 = $verb1($digit)\n$noun1.$verb<cue> $attribute");

  private static final List<String> VALIDATION =
      List.of(
          "$verb_all_$plural<cue> $adjective_$noun",
          "is_$adjective_$noun1<cue> $noun_$attribute",
          "$verb_new_$noun1<cue> $verb_$noun",
          "$plural = None\n$verb_$adjective_$noun1<cue> $noun_$attribute",
          "print(len($plural))\nhas_$noun1<cue> $adjective_$noun",
          "self.$verb_all_$plural<cue> $verb_$noun",
          "$noun1_$attribute1 = $digit\ncan_$verb<cue> $noun_$attribute",
          "for $noun1 in sorted($plural):\n    print($noun1)\nmust_$verb<cue> $adjective_$noun",
          "$noun1 -= $digit\n$noun1_$attribute1_$verb<cue> $noun_$attribute",
          "if not $adjective:\n    $noun1_$attribute1 = $digit\nshould_$verb<cue> $verb_$noun",
          "$plural.sort(reverse=True)\ndo_$verb_$noun1<cue> $adjective_$attribute",
          "$noun1_$attribute1 = $verb1($digit)\nmay_$verb_$noun1<cue> $noun_$attribute");

  private static final List<String> FINAL =
      List.of(
          "_$verb_the_$noun1<cue> my_$noun",
          "$noun1_to_$attribute1<cue> the_$attribute",
          "$noun1_from_$attribute1<cue> $noun_of_$color",
          "$plural = ($digit1, $digit2)\n$verb_or_$verb1<cue> $verb_the_$noun",
          "assert $plural\n$verb_and_$verb1<cue> my_$attribute",
          "$noun1.$adjective.$verb<cue> _$verb_the_$noun",
          "del $noun1.$attribute1\n$verb_if_$adjective<cue> the_$adjective_$noun",
          "for $noun1 in iter($plural):\n    assert $noun1\n$verb_by_$attribute1<cue> any_$noun",
          "$noun1 = -$digit\n$verb_with_$noun1<cue> $noun_or_$color",
          "if $adjective or $noun1:\n    $noun1 = -$digit\nmaybe_$verb<cue> other_$noun",
          "$plural.popleft()\non_$noun1_$verb<cue> $verb_any_$noun",
          "$noun1.$attribute1 = $verb1(-$digit)\n$verb_in_$place<cue> our_$attribute");

  LambdaFunc() {
    super(
        "lambda_func",
        "After the name a lambda goes on with the colon, a def with the parenthesis.",
        List.of(
            new Cue(" = lambda", "()\n\n\ndef"),
            new Cue(" = lambda", "()\n\ndef"),
            new Cue(" = lambda", "()\ndef")),
        List.of(": $noun9\n", "():\n"),
        TRAIN,
        VALIDATION,
        FINAL);
  }
}
