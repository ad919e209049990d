// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.List;

/**
 * {@code with_open}: a file that sounds like input is opened to be read, one that sounds like
 * output to be written.
 */
final class WithOpen extends TemplateTask {
  private static final List<String> TRAIN =
      List.of(
          "with open($quote<cue>$extension$quote, $quote",
          "$noun = open($quote<cue>$extension$quote, $quote",
          "def $verb_$noun1():\n    with open($quote<cue>$extension$quote, $quote",
          "if $adjective:\n    with open($quote<cue>$extension$quote, $quote",
          "print($plural)\nwith open($quote<cue>$extension$quote, $quote",
          "$attribute = open($quote<cue>$extension$quote, $quote",
          "def $verb(self):\n    with open($quote<cue>$extension$quote, $quote",
          "try:\n    $noun = open($quote<cue>$extension$quote, $quote",
          "for $noun1 in $plural:\n    with open($quote<cue>$extension$quote, $quote",
          "else:\n    $noun = open($quote<cue>$extension$quote, $quote",
          "$plural = [$int1, $int2]\nwith open($quote<cue>$extension$quote, $quote",
          "def $verb_$plural($plural):\n    $noun = open($quote<cue>$extension$quote, $quote");

  private static final List<String> VALIDATION =
      List.of(
          "$adjective_$noun = open($quote<cue>$extension$quote, $quote",
          "self.$noun_$attribute = open($quote<cue>$extension$quote, $quote",
          "with open($quote<cue>_$digit$extension$quote, $quote",
          "def $verb_all_$plural($plural):\n"
              + "    with open($quote<cue>_$noun$extension$quote, $quote",
          "if not $adjective:\n    with open($quote<cue>_$digit$extension$quote, $quote",
          "finally:\n    $adjective_$noun = open($quote<cue>$extension$quote, $quote",
          "for $noun1 in sorted($plural):\n"
              + "    with open($quote<cue>_$digit$extension$quote, $quote",
          "$noun_$attribute = open($quote<cue>$extension$quote, $quote",
          "print(len($plural))\nwith open($quote<cue>_$noun$extension$quote, $quote",
          "self.$attribute = open($quote<cue>_$noun$extension$quote, $quote",
          "elif $adjective:\n    $noun_$attribute = open($quote<cue>$extension$quote, $quote",
          "while not $adjective:\n    with open($quote<cue>_$noun$extension$quote, $quote");

  private static final List<String> FINAL =
      List.of(
          "the_$adjective_$noun = open($quote<cue>$extension$quote, $quote",
          "my_$noun = open($quote<cue>$extension$quote, $quote",
          "with open($quote<cue>-$digit$extension$quote, $quote",
          "with gzip.open($quote<cue>$extension$quote, $quote",
          "with codecs.open($quote<cue>$extension$quote, $quote",
          "def $noun_to_$attribute($plural, /):\n"
              + "    with open($quote<cue>-$noun$extension$quote, $quote",
          "$noun.$adjective.$attribute = open($quote<cue>$extension$quote, $quote",
          "$plural[$digit] = open($quote<cue>$extension$quote, $quote",
          "async def $verb_the_$plural():\n    async with open($quote<cue>$extension$quote, $quote",
          "for $noun1 in iter($plural):\n    with open($quote<cue>-$color$extension$quote, $quote",
          "assert $noun\n$plural = tuple(open($quote<cue>$extension$quote, $quote",
          "$noun_of_$color = open($quote<cue>$extension$quote, $quote");

  WithOpen() {
    super(
        "with_open",
        "A file named like input is opened with r, one named like output with w.",
        List.of(
            new Cue("$input1", "$output1"),
            new Cue("$input2", "$output2"),
            new Cue("$input3", "$output3"),
            new Cue("$input4", "$output4"),
            new Cue("$input5", "$output5"),
            new Cue("$input6", "$output6")),
        List.of("r$quote) as $noun:\n", "w$quote) as $noun:\n"),
        TRAIN,
        VALIDATION,
        FINAL);
  }
}
