// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.List;

/**
 * {@code fstring_brace}: only in an f-string a brace opens a value; in another string words go on.
 * An f-string has a token more than one without a prefix, unless the vocabulary joins {@code f} and
 * the mark; the other side is a raw or a bytes string then.
 */
final class FstringBrace extends TemplateTask {
  private static final List<String> TRAIN =
      List.of(
          "print(<cue>\"The $noun is",
          "print(<cue>'The $noun is",
          "print(<cue>\"$Noun:",
          "print(<cue>'$Noun:",
          "$noun1 = <cue>\"The $noun is",
          "$attribute1 = <cue>'$Noun $noun1:",
          "return <cue>\"The $noun is",
          "return <cue>'$Noun $attribute:",
          "self.$attribute1 = <cue>\"$Noun is",
          "if $noun1:\n    print(<cue>'$Noun and",
          "for $noun1 in $plural:\n    print(<cue>\"$Verb the",
          "def $verb1(self):\n    return <cue>'$Noun is",
          "print($noun1, <cue>\"Invalid $noun:",
          "$plural.append(<cue>'Hello $person,");

  private static final List<String> VALIDATION =
      List.of(
          "print(<cue>\"$Adjective $noun is",
          "print(<cue>'$Adjective $plural in",
          "$adjective1_$noun1 = <cue>\"The $adjective $noun is",
          "$noun1_$attribute1 = <cue>'$Adjective $noun:",
          "self.$noun1_$attribute1 = <cue>\"$Verb all $plural of",
          "log($noun1, <cue>'$Noun is not",
          "if not $noun1:\n    print(<cue>\"No $adjective",
          "else:\n    return <cue>'This $noun is",
          "for $noun1 in sorted($plural):\n    print(<cue>\"Every $noun is",
          "with $noun1:\n    print(<cue>'$Person $verb1:",
          "def is_$adjective1(self):\n    return <cue>\"$Color $noun:",
          "$plural += <cue>'$Verb this",
          "print(len($plural), <cue>\"$Place:");

  private static final List<String> FINAL =
      List.of(
          "shout(<cue>\"$Noun $noun1 are",
          "the_$adjective1_$noun1 = <cue>'Our $noun is",
          "my_$noun1 = <cue>\"$Person asks $person1 and",
          "$noun1.$adjective1.$attribute1 = <cue>'$Color $color1 $noun:",
          "assert $noun1, <cue>\"Cannot $verb",
          "yield <cue>'Dear $person,",
          "$plural[$digit] = <cue>\"$Verb $adjective $plural in",
          "raise $Noun1Problem(<cue>'$Place has",
          "async def $verb_the_$noun1():\n    await shout(<cue>\"Which $noun is",
          "$verb1 = lambda: <cue>'Where is",
          "$noun1_of_$color1 = <cue>\"$Adjective or",
          "$noun1 = $noun1 and <cue>'$Person is",
          "def $noun1_to_$attribute1($noun1, /):\n    yield <cue>\"Both $plural are");

  FstringBrace() {
    super(
        "fstring_brace",
        "In an f-string a brace opens a value, in another string words go on.",
        List.of(new Cue("f", ""), new Cue("f", "r"), new Cue("f", "b")),
        List.of(" {$noun9}", " $adjective9"),
        TRAIN,
        VALIDATION,
        FINAL);
  }
}
