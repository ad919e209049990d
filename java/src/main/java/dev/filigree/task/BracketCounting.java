// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import dev.filigree.task.Variant.Level;
import dev.filigree.task.Variant.Member;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** {@code bracket_counting}: close as many brackets as are open, {@code ]]} or {@code ]}. */
final class BracketCounting extends TemplateTask {
  private static final List<String> TRAIN =
      List.of(
          "$plural = <cue>$digit1, $digit2",
          "$plural = <cue>$int1, $int2, $int3",
          "$noun = <cue>$digit1, $int1, $digit2, $int2",
          "self.$plural = <cue>$int1, $digit1",
          "def $verb_$noun():\n    return <cue>$digit1, $digit2, $digit3",
          "$plural += <cue>$int1, $int2",
          "if $noun:\n    $plural = <cue>$digit1, $digit2, $digit3",
          "for $noun in $plural:\n    $attribute = <cue>$int1, $digit1",
          "yield <cue>$digit1, $int1",
          "$plural.$attribute = <cue>$digit1, $int1, $digit2",
          "return <cue>$int1, $int2",
          "while $noun:\n    $noun = <cue>$digit1, $digit2, $digit3, $digit4",
          "$plural[$digit] = <cue>$int1, $digit1, $int2",
          "print($plural)\n$attribute = <cue>$digit1, $digit2, $int1");

  private static final List<String> VALIDATION =
      List.of(
          "$adjective_$plural = <cue>$digit1, $digit2",
          "$noun_$plural = <cue>$int1, $int2, $digit1",
          "$noun_$attribute = <cue>$digit1, $digit2, $digit3, $digit4",
          "self.$adjective_$plural = <cue>$int1, $int2",
          "def is_$adjective_$noun(self):\n    self.$noun_$attribute = <cue>$digit1, $int1, $int2",
          "$plural: list = <cue>$digit1, $digit2, $digit3",
          "$plural = $noun or <cue>$int1, $digit1",
          "$attribute = $plural + <cue>$digit1, $int1",
          "else:\n    $noun_$plural = <cue>$digit1, $digit2, $digit3",
          "with $noun:\n    return $plural + <cue>$int1, $int2",
          "$adjective_$noun = <cue>$int1, $int2, $int3",
          "if $plural is None:\n    $adjective_$plural = <cue>$digit1, $int1, $digit2, $int2",
          "$noun_$attribute += <cue>$digit1, $digit2",
          "for $noun in range($digit):\n    $noun_$plural = <cue>$int1, $digit1, $digit2");

  private static final List<String> FINAL =
      List.of(
          "$adjective_$noun_$plural = <cue>$digit1, $digit2, $digit3",
          "my_$plural = <cue>$int1, $int2",
          "the_$adjective_$noun = <cue>$digit1, $int1, $digit2",
          "$noun.$adjective.$attribute = <cue>$int1, $int2, $digit1",
          "$plural = $noun = <cue>$digit1, $digit2",
          "$noun_to_$attribute = <cue>$int1, $digit1",
          "$verb = lambda: <cue>$digit1, $digit2, $digit3, $digit4",
          "$noun = $plural and <cue>$int1, $int2, $int3",
          "assert $noun != <cue>$digit1, $digit2",
          "return $noun == <cue>$int1, $digit1, $int2",
          "$plural[-$digit] = <cue>$digit1, $int1",
          "$plural[$digit1:$digit2] = <cue>$int1, $int2",
          "$noun = yield <cue>$digit3, $digit4, $digit5",
          "async def $verb_the_$plural():\n    _$plural = <cue>$int1, $digit1, $digit2");

  private static final List<Cue> CUES = List.of(new Cue("[[", "["));
  private static final List<String> COMPLETIONS = List.of("]]\n", "]\n");

  /** Elements of the lists of the levels, about as many as published (method 6.5). */
  private static final List<Integer> ELEMENTS = List.of(5, 10, 20, 30, 40, 50, 60, 70);

  private static final List<String> LIST_STARTS =
      List.of(
          "$adjective_$noun_$plural = <cue>",
          "my_$plural = <cue>",
          "$noun_to_$attribute = <cue>",
          "$plural = $noun = <cue>");

  BracketCounting() {
    super(
        "bracket_counting",
        "A list closes with as many brackets as are open.",
        CUES,
        COMPLETIONS,
        TRAIN,
        VALIDATION,
        FINAL);
  }

  @Override
  public List<Variant> variants() {
    return List.of(contextDilution(), distractor());
  }

  /** The bracket that opens the inner list is one of ever more tokens that are averaged over. */
  private static Variant contextDilution() {
    return new Variant(
        "context_dilution",
        "The lists grow. A head that averages over the context sees the second bracket less and"
            + " less, and takes a nested list for a flat one.",
        Member.A,
        ELEMENTS.stream()
            .map(elements -> new Level(elements + " elements", elements, listsOf(elements)))
            .toList());
  }

  /** What counts brackets wherever they stand counts one in a comment too. */
  private static Variant distractor() {
    return new Variant(
        "distractor",
        "A comment before the list ends in a bracket that nothing closes. What counts brackets"
            + " wherever they stand takes a flat list for a nested one.",
        Member.B,
        List.of(
            new Level("a comment", 0, commented("# $verb every $noun: $adjective\n")),
            new Level("a comment that ends in [", 1, commented("# $verb every $noun: [\n"))));
  }

  private static Task listsOf(int elements) {
    String values =
        IntStream.rangeClosed(1, elements)
            .mapToObj(element -> "$digit" + element)
            .collect(Collectors.joining(", "));
    return new Changed(LIST_STARTS.stream().map(start -> start + values).toList());
  }

  private static Task commented(String comment) {
    return new Changed(
        LIST_STARTS.stream()
            .flatMap(
                start ->
                    Stream.of("$digit1, $digit2", "$digit1, $digit2, $digit3, $digit4")
                        .map(values -> comment + start + values))
            .toList());
  }

  /** The task with other templates, the same in every split, and nothing before them. */
  private static final class Changed extends TemplateTask {
    Changed(List<String> templates) {
      super(
          "bracket_counting",
          "A list closes with as many brackets as are open.",
          CUES,
          COMPLETIONS,
          templates,
          templates,
          templates);
    }

    @Override
    public List<Template> contexts(Split split) {
      return List.of();
    }
  }
}
