// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.List;

/**
 * Ordinary code that stands before the templates of any task: finished statements at top level,
 * without strings.
 */
final class Contexts {
  private static final List<Template> TRAIN =
      Template.numbered(
          Split.TRAIN,
          List.of(
              "import math\nimport random\n",
              "$noun_$attribute = $int\n",
              "def $verb_$noun($noun):\n    return $noun * $digit\n",
              "for i in range($int):\n    $noun.append(i)\n",
              "$plural = [$int1, $int2, $int3]\n",
              "if $noun > $int:\n    $noun = 0\n",
              "class $Noun:\n    $attribute = $digit\n",
              "# $verb the $noun before the $adjective $plural\n",
              "while $noun < $int:\n    $noun += $digit\n",
              "$attribute = len($plural)\n",
              "try:\n    $noun.$verb()\nexcept ValueError:\n    pass\n",
              "def $verb($attribute1, $attribute2):\n"
                  + "    $noun = $attribute1 + $attribute2\n"
                  + "    return $noun\n"));

  private static final List<Template> VALIDATION =
      Template.numbered(
          Split.VALIDATION,
          List.of(
              "from collections import defaultdict, deque\n",
              "$adjective_$noun = $noun - $int\n",
              "def $verb_all_$plural($plural):\n    return sorted($plural, reverse=True)\n",
              "for $noun in $plural[$digit:]:\n    $noun.$verb($digit)\n",
              "$plural = list(range($digit, $int))\n",
              "if not $plural:\n    $attribute = None\n",
              "class $Noun(dict):\n    $attribute = None\n",
              "# next, $verb each $adjective $noun\n",
              "while not $noun.$adjective:\n    $noun.$verb(None)\n",
              "$attribute = sum($plural) / $digit\n",
              "$noun1, $noun2 = $noun2, $noun1\n",
              "def $adjective_$noun(self, $attribute):\n"
                  + "    self.$attribute -= $digit\n"
                  + "    return self.$attribute\n"));

  private static final List<Template> FINAL =
      Template.numbered(
          Split.FINAL,
          List.of(
              "from operator import itemgetter\n",
              "$adjective_$plural = ($digit1, $digit2, $digit3)\n",
              "def $noun_to_$attribute($noun, /):\n    yield $noun.$attribute\n",
              "for $noun in reversed($plural):\n    del $noun.$attribute\n",
              "$plural = {$noun: $digit for $noun in $plural}\n",
              "if $plural is not None and $digit < $noun < $int:\n    $verb_$plural($noun)\n",
              "class $Noun(metaclass=$Adjective):\n    __slots__ = ()\n",
              "## $adjective $plural come after every $noun ##\n",
              "while $plural and $noun:\n    $noun = $plural.popleft()\n",
              "$attribute = -$noun ** $digit\n",
              "assert $attribute != $noun.$attribute\n",
              "async def $verb_$adjective(*$plural):\n    await $verb($plural)\n"));

  private Contexts() {}

  static List<Template> of(Split split) {
    return switch (split) {
      case TRAIN -> TRAIN;
      case VALIDATION -> VALIDATION;
      case FINAL -> FINAL;
    };
  }
}
