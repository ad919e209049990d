// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.List;

/**
 * {@code if_ternary}: an {@code if} that begins a line ends in the colon, one in an expression goes
 * on with {@code else}. The cue is the line end before {@code if}.
 */
final class IfTernary extends TemplateTask {
  private static final List<String> TRAIN =
      List.of(
          "$noun = $verb()<cue> $adjective",
          "$noun = $verb_$noun1()<cue> $attribute",
          "$attribute = len($plural)<cue> $plural",
          "$plural = [$digit1, $digit2]<cue> $attribute > $digit3",
          "$noun = int($attribute)<cue> $attribute",
          "$noun = $plural[$digit]<cue> $plural",
          "$noun = max($plural)<cue> $noun1 > $int",
          "$plural = sorted($plural)<cue> $adjective",
          "$attribute = $noun.$verb()<cue> $noun",
          "$noun = $verb($attribute)<cue> $attribute == $digit",
          "$noun = sum($plural)<cue> $noun1",
          "$plural = list($noun)<cue> $attribute < $int");

  private static final List<String> VALIDATION =
      List.of(
          "$adjective_$noun = $verb()<cue> $adjective_$noun1",
          "$noun_$attribute = $verb_$noun1()<cue> $noun_$color",
          "$adjective_$attribute = len($plural)<cue> not $plural",
          "$noun_$plural = [$int1, $int2]<cue> $noun_$attribute > $digit3",
          "self.$noun = int($attribute)<cue> self.$attribute",
          "self.$noun_$attribute = $plural[$digit]<cue> not $adjective",
          "$noun = min($plural, $digit)<cue> $noun1_$attribute > $int",
          "$adjective_$plural = sorted($plural, reverse=True)<cue> $adjective_$plural",
          "$adjective_$attribute = $noun.$verb($digit)<cue> $noun_$attribute",
          "$noun += $verb($attribute)<cue> $attribute_$color == $digit",
          "$adjective_$noun = round($attribute)<cue> $adjective_$noun1 != $digit",
          "$adjective_$noun = $noun[$digit:]<cue> $noun1 != $attribute");

  private static final List<String> FINAL =
      List.of(
          "the_$adjective_$noun = $verb()<cue> any_$adjective_$noun1",
          "my_$noun = $verb_the_$noun1()<cue> $noun_of_$color",
          "$noun = iter($plural)<cue> our_$noun1",
          "$plural = ($digit1, $digit2)<cue> the_$attribute",
          "$noun.$adjective.$attribute = tuple($plural)<cue> the_$noun.$adjective",
          "$noun = -$verb($digit)<cue> the_$noun is not None",
          "$noun_to_$attribute = $noun[-$digit]<cue> $noun_to_$attribute",
          "$noun1 = $noun = $verb_the_$noun2()<cue> the_$noun in $plural",
          "$plural[$digit] = $noun.popleft()<cue> our_$noun1",
          "our_$plural = $verb_or_$verb2($plural)<cue> our_$plural",
          "$noun_for_$color = $verb(*$plural)<cue> $plural and any_$adjective",
          "$noun -= $verb_by_$attribute()<cue> any_$adjective or $noun1");

  IfTernary() {
    super(
        "if_ternary",
        "A statement if ends in the colon, a conditional expression goes on with else.",
        List.of(new Cue("\nif", " if")),
        List.of(":\n", " else $digit9\n"),
        TRAIN,
        VALIDATION,
        FINAL);
  }
}
