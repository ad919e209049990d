// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.List;
import java.util.random.RandomGenerator;

/**
 * {@code single_double_quote}: close a string with the mark that opened it, {@code ')} or {@code
 * ")}.
 */
final class SingleDoubleQuote implements Task {
  /** Where a template has the opening mark. */
  private static final String QUOTE = "@";

  private static final List<Template> TRAIN =
      Template.numbered(
          Split.TRAIN,
          List.of(
              "print(@$Phrase",
              "def $verb_$noun($attribute):\n    print(@$Phrase",
              "for $noun in $plural:\n    print(@$Adjective $noun",
              "$plural.append(@$thing",
              "$noun = $noun.replace(@$color",
              "raise ValueError(@$Phrase",
              "if $attribute < $digit:\n    raise TypeError(@$Noun $attribute is $adjective",
              "$noun = input(@$Phrase",
              "self.$verb(@$thing",
              "$noun = $Noun(@$Person",
              "return $noun.split(@$adjective",
              "$adjective = $noun.startswith(@$color",
              "logger.info(@$Phrase",
              "$attribute = os.path.join(@$plural"));

  private static final List<Template> VALIDATION =
      Template.numbered(
          Split.VALIDATION,
          List.of(
              "warnings.warn(@$Phrase",
              "def $verb_$adjective_$noun(self):\n    self.log(@$Phrase",
              "try:\n    $verb()\nexcept OSError:\n    logging.error(@$Phrase",
              "with $noun:\n    $noun.send(@$thing",
              "parser.add_argument(@$noun",
              "$attribute = $noun.lookup(@$attribute",
              "if $noun:\n    $verb($noun)\nelse:\n    sys.exit(@$Phrase",
              "while $noun:\n    $plural.remove(@$Person",
              "$adjective = not $noun.endswith(@$noun",
              "$adjective_$noun = str(@$Place",
              "lines.extend(@$Phrase",
              "assert $noun.matches(@$Phrase",
              "$noun_$attribute = $plural.get(@$attribute",
              "yield $Noun(@$thing"));

  private static final List<Template> FINAL =
      Template.numbered(
          Split.FINAL,
          List.of(
              "speaker.announce(@$Phrase",
              "def greet_$person($attribute, $noun):\n    stdout.write(@$Phrase",
              "async with $noun as $attribute:\n    await $attribute.broadcast(@$Phrase",
              "$plural.extendleft(@$thing",
              "$adjective = $noun.partition(@$color",
              "raise $Adjective$Noun1Problem(@$Phrase",
              "if ($attribute, $noun) in $plural: narrate(@$Phrase",
              "$noun_widget.setText(@$Phrase",
              "assertEquals(@$thing",
              "def $verb_every($plural):\n    $plural[$digit] = quoted(@$Place",
              "$attribute = lambda: shout(@$Person",
              "$noun = re.fullmatch(@$adjective",
              "for ($noun, $attribute) in $plural:\n    console.rule(@$Phrase",
              "$noun |= translated(@$Adjective"));

  @Override
  public String name() {
    return "single_double_quote";
  }

  @Override
  public String description() {
    return "A string closes with the quotation mark that opened it.";
  }

  @Override
  public List<String> completions() {
    return List.of("')", "\")");
  }

  @Override
  public List<Template> templates(Split split) {
    return switch (split) {
      case TRAIN -> TRAIN;
      case VALIDATION -> VALIDATION;
      case FINAL -> FINAL;
    };
  }

  @Override
  public Candidate candidate(Template template, String context, RandomGenerator random) {
    String code = new Slots(random).fill(context + template.text());
    return new Candidate(code.replace(QUOTE, "'"), code.replace(QUOTE, "\""), "')\n", "\")\n");
  }
}
