// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.List;

/** {@code class_init}: an attribute takes the parameter of its own name, not the other one. */
final class ClassInit extends TemplateTask {
  private static final List<String> TRAIN =
      List.of(
          "class $Noun1:\n    def __init__(self, $name1, $name2):\n        self.<cue> =",
          "class $Noun1:\n    def __init__(self, $name2, $name1):\n        self.<cue> =",
          "class $Noun1:\n"
              + "    def __init__(self, $name1, $name2, $name3):\n"
              + "        self.$name3 = $name3\n"
              + "        self.<cue> =",
          "class $Noun1:\n"
              + "    def __init__(self, $name3, $name2, $name1):\n"
              + "        self.$name3 = $name3\n"
              + "        self.<cue> =",
          "class $Noun1:\n    def set_$noun2(self, $name1, $name2):\n        self.<cue> =",
          "class $Noun1($Noun3):\n    def __init__(self, $name2, $name1):\n        self.<cue> =",
          "def $verb(self, $name1, $name2):\n    self.<cue> =",
          "def $verb_$noun2(self, $name2, $name1):\n    self.<cue> =",
          "def __init__(self, $name1, $name2):\n    self.<cue> =",
          "def __init__(self, $name2, $name1, $name3=None):\n    self.<cue> =",
          "def __init__(self, $name1, $name2=$digit):\n    print($name3)\n    self.<cue> =",
          "class $Noun1:\n"
              + "    def __init__(self, $name2, $name1):\n"
              + "        print($name2)\n"
              + "        self.<cue> =");

  private static final List<String> VALIDATION =
      List.of(
          "class $Noun1(dict):\n"
              + "    def __init__(self, $adjective_$noun, $name1, $name2):\n"
              + "        self._<cue> =",
          "class $Noun1(dict):\n"
              + "    def __init__(self, $noun_$attribute, $name2, $name1):\n"
              + "        self._<cue> =",
          "class $Noun1(dict):\n"
              + "    def __init__(self, $name1, $name2, *$plural):\n"
              + "        self._<cue> =",
          "class $Noun1(dict):\n"
              + "    def __init__(self, $name2, $name1, *$plural):\n"
              + "        self._$plural = $plural\n"
              + "        self._<cue> =",
          "def is_$adjective_$noun(self, $name1, $name2):\n    self._<cue> =",
          "def $verb_all_$plural(self, $name2, $name1):\n    self._<cue> =",
          "def $verb_all_$plural($adjective_$noun, $name1, $name2):\n    $adjective_$noun.<cue> =",
          "def do_$verb_$noun($adjective_$noun, $name2, $name1):\n    $adjective_$noun.<cue> =",
          "def has_$noun($adjective_$noun, $name1, $name2, $name3):\n"
              + "    $adjective_$noun.$name3 = $name3\n"
              + "    $adjective_$noun.<cue> =",
          "def can_$verb($noun_$attribute, $name2, $name1):\n    $noun_$attribute.<cue> =",
          "def must_$verb($noun_$attribute, $name1, $name2, $name3):\n    $noun_$attribute.<cue> =",
          "def may_$verb_$noun(self, $name2, $name1, $name3):\n"
              + "    self._$name3 = $name3\n"
              + "    self._<cue> =");

  private static final List<String> FINAL =
      List.of(
          "class $Noun1(metaclass=$Noun2):\n"
              + "    def __init__(self, $name1, $name2, /):\n"
              + "        self.__<cue> =",
          "class $Noun1(metaclass=$Noun2):\n"
              + "    def __init__(self, $name2, $name1, /):\n"
              + "        self.__<cue> =",
          "def $noun_to_$attribute(self, $name1, $name2, /):\n    self.__<cue> =",
          "def $noun_from_$attribute(self, /, $name2, $name1):\n    self.__<cue> =",
          "def $verb_the_$noun(self, $name1, $name2):\n    self.$noun.<cue> =",
          "def $verb_the_$noun(self, $name2, $name1):\n    self.$noun.<cue> =",
          "def _$verb(self, $name1, $name2, $name3):\n"
              + "    self.$noun.$name3 = $name3\n"
              + "    self.$noun.<cue> =",
          "async def $verb_any_$noun(our_$noun, $name1, $name2):\n    our_$noun.<cue> =",
          "async def $verb_any_$noun(our_$noun, $name2, $name1):\n    our_$noun.<cue> =",
          "def maybe_$verb(the_$adjective_$noun, $name1, $name2):\n"
              + "    the_$adjective_$noun.<cue> =",
          "def $verb_or_$verb2(the_$adjective_$noun, $name2, $name1):\n"
              + "    the_$adjective_$noun.<cue> =",
          "def $verb_by_$attribute($plural, $name1, $name2):\n    $plural[$digit].<cue> =",
          "def $verb_with_$attribute($plural, $name2, $name1):\n    $plural[-$digit].<cue> =");

  ClassInit() {
    super(
        "class_init",
        "The line self.name = goes on with the name it began with.",
        List.of(new Cue("$name1", "$name2")),
        List.of(" $name1\n", " $name2\n"),
        TRAIN,
        VALIDATION,
        FINAL);
  }
}
