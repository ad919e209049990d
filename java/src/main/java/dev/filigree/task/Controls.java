// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.List;
import java.util.random.RandomGenerator;

/**
 * Tasks that a model has no reason to do: what a search for circuits finds here says what its finds
 * are worth elsewhere.
 */
final class Controls {
  private static final List<String> COMPLETIONS = List.of(" in the $place", " on the $place");

  private static final List<String> TRAIN =
      List.of(
          "print(\"the <cue> $noun is",
          "print('a <cue> $noun was",
          "$noun1 = \"the <cue> $noun",
          "$attribute = 'one <cue> $noun",
          "return \"a <cue> $noun",
          "print($noun1, 'the <cue> $noun",
          "if $noun1:\n    print(\"every <cue> $noun",
          "for $noun1 in $plural:\n    print('some <cue> $noun",
          "self.$attribute = \"the <cue> $noun",
          "$plural.append('a <cue> $noun",
          "def $verb(self):\n    return \"the <cue> $noun",
          "while $noun1:\n    print('no <cue> $noun");

  private static final List<String> VALIDATION =
      List.of(
          "$adjective_$noun1 = \"their <cue> $noun",
          "$noun1_$attribute = 'his <cue> $noun",
          "log(\"his <cue> $noun is",
          "self.$noun1_$attribute = 'her <cue> $noun",
          "if not $noun1:\n    log('the <cue> $noun",
          "else:\n    return \"their <cue> $noun",
          "for $noun1 in sorted($plural):\n    log(\"each <cue> $noun",
          "with $noun1:\n    log('its <cue> $noun",
          "def is_$adjective(self):\n    return 'her <cue> $noun",
          "$plural += \"their <cue> $noun",
          "print(len($plural), 'your <cue> $noun",
          "log($noun1, \"one <cue> $noun");

  private static final List<String> FINAL =
      List.of(
          "shout(\"our <cue> $noun is",
          "the_$adjective_$noun1 = 'that <cue> $noun",
          "my_$noun1 = \"this <cue> $noun",
          "$noun1.$adjective.$attribute = 'such a <cue> $noun",
          "assert $noun1, \"not the <cue> $noun",
          "yield 'my <cue> $noun",
          "$plural[$digit] = \"those <cue> $plural",
          "raise $Noun1Problem('which <cue> $noun",
          "async def $verb_the_$noun1():\n    await shout(\"any <cue> $noun",
          "$verb = lambda: 'whose <cue> $noun",
          "$noun1_of_$attribute = \"both <cue> $plural",
          "def $noun1_to_$attribute($noun1, /):\n    yield 'these <cue> $plural");

  private Controls() {}

  /** All controls. */
  static List<Task> all() {
    return List.of(
        new Control(
            "control_nonsense",
            "Nothing decides: two colours in any order, and the answers in and on.",
            List.of(
                new Cue("$color1", "$color2"),
                new Cue("$color3", "$color4"),
                new Cue("$color5", "$color6"),
                new Cue("$color7", "$color8")),
            TRAIN,
            VALIDATION,
            FINAL),
        new Control(
            "control_mapping",
            "An arbitrary rule: after the one word comes in, after the other comes on.",
            List.of(
                new Cue("red", "blue"),
                new Cue("green", "black"),
                new Cue("white", "brown"),
                new Cue("old", "new")),
            TRAIN,
            VALIDATION,
            FINAL),
        new Shuffled("control_shuffled", new SingleDoubleQuote()));
  }

  /** A task that is a control by its wording. */
  private static final class Control extends TemplateTask {
    Control(
        String name,
        String description,
        List<Cue> cues,
        List<String> train,
        List<String> validation,
        List<String> last) {
      super(name, description, cues, COMPLETIONS, train, validation, last);
    }

    @Override
    public boolean isControl() {
      return true;
    }
  }

  /** A real task whose answers are exchanged in half of the pairs, by the toss of a coin. */
  private static final class Shuffled extends TemplateTask {
    Shuffled(String name, TemplateTask real) {
      super(
          name,
          "The prompts of %s; which answer is right is tossed for each pair."
              .formatted(real.name()),
          real.cues(),
          real.completions(),
          texts(real, Split.TRAIN),
          texts(real, Split.VALIDATION),
          texts(real, Split.FINAL));
    }

    @Override
    public boolean isControl() {
      return true;
    }

    @Override
    public List<Candidate> candidates(Template template, String context, RandomGenerator random) {
      List<Candidate> candidates = super.candidates(template, context, random);
      return random.nextBoolean() ? candidates : candidates.stream().map(Shuffled::swap).toList();
    }

    private static Candidate swap(Candidate right) {
      return new Candidate(
          right.promptA(), right.promptB(), right.completionB(), right.completionA());
    }

    private static List<String> texts(Task task, Split split) {
      return task.templates(split).stream().map(Template::text).toList();
    }
  }
}
