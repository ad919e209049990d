// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.List;

/**
 * {@code single_double_quote}: close a string with the mark that opened it, {@code ')} or {@code
 * ")}.
 */
final class SingleDoubleQuote extends TemplateTask {
  private static final List<String> TRAIN =
      List.of(
          "print(<cue>$Phrase",
          "def $verb_$noun($attribute):\n    print(<cue>$Phrase",
          "for $noun in $plural:\n    print(<cue>$Adjective $noun",
          "$plural.append(<cue>$thing",
          "$noun = $noun.replace(<cue>$color",
          "raise ValueError(<cue>$Phrase",
          "if $attribute < $digit:\n    raise TypeError(<cue>$Noun $attribute is $adjective",
          "$noun = input(<cue>$Phrase",
          "self.$verb(<cue>$thing",
          "$noun = $Noun(<cue>$Person",
          "return $noun.split(<cue>$adjective",
          "$adjective = $noun.startswith(<cue>$color",
          "logger.info(<cue>$Phrase",
          "$attribute = os.path.join(<cue>$plural");

  private static final List<String> VALIDATION =
      List.of(
          "warnings.warn(<cue>$Phrase",
          "def $verb_$adjective_$noun(self):\n    self.journal.put(<cue>$Phrase",
          "def on_$noun_error($noun):\n    logging.error(<cue>$Phrase",
          "with $noun:\n    $noun.send(<cue>$thing",
          "parser.add_argument(<cue>$noun",
          "$attribute = $noun.lookup(<cue>$attribute",
          "if $noun:\n    $verb($noun)\nelse:\n    sys.exit(<cue>$Phrase",
          "while $noun:\n    $plural.remove(<cue>$Person",
          "$adjective = not $noun.endswith(<cue>$noun",
          "$adjective_$noun = str(<cue>$Place",
          "lines.extend(<cue>$Phrase",
          "assert $noun.matches(<cue>$Phrase",
          "$noun_$attribute = $plural.get(<cue>$attribute",
          "yield $Noun(<cue>$thing");

  private static final List<String> FINAL =
      List.of(
          "speaker.announce(<cue>$Phrase",
          "def greet_$person($attribute, $noun):\n    stdout.write(<cue>$Phrase",
          "async with $noun as $attribute:\n    await $attribute.broadcast(<cue>$Phrase",
          "$plural.extendleft(<cue>$thing",
          "$adjective = $noun.partition(<cue>$color",
          "raise $Adjective$Noun1Problem(<cue>$Phrase",
          "if ($attribute, $noun) in $plural: narrate(<cue>$Phrase",
          "$noun_widget.setText(<cue>$Phrase",
          "assertEquals(<cue>$thing",
          "def $verb_every_$noun($plural, /):\n    $plural[$digit] = quoted(<cue>$Place",
          "$attribute = lambda: shout(<cue>$Person",
          "$noun = re.fullmatch(<cue>$adjective",
          "for ($noun, $attribute) in $plural:\n    console.rule(<cue>$Phrase",
          "$noun |= translated(<cue>$Adjective");

  SingleDoubleQuote() {
    super(
        "single_double_quote",
        "A string closes with the quotation mark that opened it.",
        List.of(new Cue("'", "\"")),
        List.of("')\n", "\")\n"),
        TRAIN,
        VALIDATION,
        FINAL);
  }
}
