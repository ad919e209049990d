// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.List;

/**
 * {@code final_kwarg}: after a parameter with a default the last one has a default as well, {@code
 * =None}; after one without, the list closes, {@code ):}.
 */
final class FinalKwarg extends TemplateTask {
  private static final List<String> TRAIN =
      List.of(
          "def $verb($noun<cue>, $attribute",
          "def $verb_$noun1($noun<cue>, $attribute",
          "def $verb($noun1, $noun<cue>, $attribute",
          "def $verb_$noun1($noun2, $noun<cue>, $attribute",
          "class $Noun1:\n    def $verb(self, $noun<cue>, $attribute",
          "class $Noun1:\n    def $verb_$noun2(self, $noun<cue>, $attribute",
          "def $verb_$plural($noun<cue>, $plural",
          "def $verb($plural<cue>, $noun",
          "def $verb_$noun1($noun2, $noun3, $noun<cue>, $attribute",
          "class $Noun1:\n    def __init__(self, $noun<cue>, $attribute",
          "class $Noun1:\n    def __init__(self, $noun2, $noun<cue>, $attribute",
          "if $adjective:\n    def $verb($noun<cue>, $attribute",
          "def $verb_$attribute($adjective<cue>, $noun");

  private static final List<String> VALIDATION =
      List.of(
          "def do_$adjective_$noun1($noun<cue>, $attribute",
          "def is_$adjective_$noun1($noun<cue>, $attribute",
          "def $verb_all_$plural($noun<cue>, $attribute",
          "def must_$adjective_$noun1($noun2, $noun<cue>, $attribute",
          "class $Noun1($Noun3):\n    def did_$adjective_$noun2(self, $noun<cue>, $attribute",
          "class $Noun1($Noun3):\n    def has_$adjective_$noun2(self, $noun<cue>, $attribute",
          "def can_$verb_$noun1($noun<cue>, $plural",
          "def its_$noun1_$attribute1($plural<cue>, $noun",
          "def may_$adjective_$noun1($noun2, $noun3, $noun<cue>, $attribute",
          "class $Noun1($Noun3):\n    def $verb_all_$plural(self, $noun<cue>, $attribute",
          "def $verb_new_$noun1($adjective<cue>, $attribute",
          "else:\n    def was_$adjective_$noun1($noun<cue>, $attribute",
          "def should_$verb_$noun1($noun2, $noun<cue>, $attribute");

  private static final List<String> FINAL =
      List.of(
          "def on_$noun1_$verb($noun<cue>, $attribute",
          "def _$verb_$noun1($noun<cue>, $attribute",
          "def $noun1_to_$color($noun<cue>, $attribute",
          "def $noun1_from_$noun2($noun3, $noun<cue>, $attribute",
          "class $Noun1(metaclass=$Noun2):\n    def _$verb(self, $noun<cue>, $attribute",
          "class $Noun1(metaclass=$Noun2):\n"
              + "    def $verb_if_$adjective(self, $noun<cue>, $attribute",
          "def $verb_with_$noun1($noun<cue>, $plural",
          "def $verb_and_$verb2($plural<cue>, $noun",
          "async def $verb_the_$noun1($noun<cue>, $attribute",
          "def maybe_$verb_$noun1($noun2, $noun3, $noun<cue>, $attribute",
          "def $verb_by_$attribute1($noun<cue>, $attribute",
          "finally:\n    def $verb_or_$verb2($noun<cue>, $attribute",
          "def $noun1_of_$noun2($noun<cue>, $attribute",
          "def $verb_in_$place($adjective<cue>, $noun");

  FinalKwarg() {
    super(
        "final_kwarg",
        "The last parameter has a default if the one before it has.",
        List.of(
            new Cue("=None", "_$color"),
            new Cue("=None", "_name"),
            new Cue("=None", "_count"),
            new Cue("=None", "_id")),
        List.of("=None):\n", "):\n"),
        TRAIN,
        VALIDATION,
        FINAL);
  }
}
