// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.regex.Matcher;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TokenizerTest {
  private static final Tokenizer TOKENIZER = learn(700, new TinyPython(3));

  @TempDir Path folder;

  private static Tokenizer learn(int size, Corpus corpus) {
    return TokenDataset.learnTokenizer(
        List.of(new TokenDataset.Source(corpus, 1, Long.MAX_VALUE - 1)), size, 200_000);
  }

  @Test
  void numbersBytesPrintableFirstThenMergesThenEndOfText() {
    assertThat(TOKENIZER.vocabularySize()).isEqualTo(700);
    assertThat(TOKENIZER.tokenOf("!")).hasValue(0);
    assertThat(TOKENIZER.tokenOf("~")).hasValue('~' - '!');
    assertThat(TOKENIZER.bytesOf(94)).containsExactly(0xA1);
    assertThat(TOKENIZER.bytesOf(188)).containsExactly(0);
    assertThat(TOKENIZER.tokenOf(" ")).hasValue(188 + ' ');
    assertThat(TOKENIZER.bytesOf(255)).containsExactly(0xAD);
    assertThat(TOKENIZER.tokenOf(Tokenizer.END_OF_TEXT)).hasValue(699);
    assertThat(TOKENIZER.endOfText()).isEqualTo(699);
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5})
  void roundTripsAnyWellFormedText(long seed) {
    Random random = new Random(seed);
    for (int i = 0; i < 200; i++) {
      String text = randomText(random);
      assertThat(TOKENIZER.decode(TOKENIZER.encode(text))).isEqualTo(text);
      assertThat(TOKENIZER.decodeToBytes(TOKENIZER.encode(text))).isEqualTo(text.getBytes(UTF_8));
    }
  }

  @Test
  void roundTripsLongRunsAndPrograms() {
    for (String text :
        List.of(
            "",
            "a".repeat(5000),
            "\n".repeat(999),
            " ".repeat(2000) + "x",
            "=".repeat(3000),
            "\r\n\t\r")) {
      assertThat(TOKENIZER.decode(TOKENIZER.encode(text))).isEqualTo(text);
    }
    for (int i = 0; i < 100; i++) {
      String program = new TinyPython(9).document(i).text();
      assertThat(TOKENIZER.decode(TOKENIZER.encode(program))).isEqualTo(program);
    }
  }

  @Test
  void encodesAsTheDefinitionOfBpeSays() {
    Map<Merge, Integer> ranks = ranks(TOKENIZER);
    Random random = new Random(11);
    for (int i = 0; i < 300; i++) {
      String text = i % 2 == 0 ? new TinyPython(5).document(i).text() : randomText(random);
      List<Integer> expected = new ArrayList<>();
      Matcher pieces = Tokenizer.PRE_TOKEN.matcher(text);
      while (pieces.find()) {
        expected.addAll(Tokenizer.mergeByPairs(pieces.group().getBytes(UTF_8), ranks));
      }
      assertThat(Arrays.stream(TOKENIZER.encode(text)).boxed()).containsExactlyElementsOf(expected);
    }
  }

  @Test
  void treatsTheEndOfTextMarkInTextAsText() {
    int[] tokens = TOKENIZER.encode("a " + Tokenizer.END_OF_TEXT + " b");
    assertThat(tokens).doesNotContain(TOKENIZER.endOfText());
    assertThat(TOKENIZER.decode(tokens)).isEqualTo("a <|endoftext|> b");
    assertThat(TOKENIZER.decode(TOKENIZER.endOfText())).isEqualTo(Tokenizer.END_OF_TEXT);
  }

  @Test
  void refusesUnpairedSurrogatesAndUnknownTokens() {
    assertThatThrownBy(() -> TOKENIZER.encode("ab\uD83D"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("index 2");
    assertThatThrownBy(() -> TOKENIZER.encode("\uDE00"))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> TOKENIZER.decode(700)).hasMessageContaining("outside the vocabulary");
  }

  @Test
  void splitsTextAsThePublishedPreTokeniser() {
    assertThat(pieces("def f(x):\n    return x+12345\n"))
        .containsExactly("def", " f", "(x", "):\n", "   ", " return", " x", "+", "123", "45", "\n");
    assertThat(pieces("print('hi')\n\nx = \"a\""))
        .containsExactly("print", "('", "hi", "')\n\n", "x", " =", " \"", "a", "\"");
    assertThat(pieces("a  b \n c")).containsExactly("a", " ", " b", " \n", " c");
    assertThat(pieces("f(\"hello\")")).containsExactly("f", "(\"", "hello", "\")");
    assertThat(pieces("x[0]]\n")).containsExactly("x", "[", "0", "]]\n");
    assertThat(pieces("\u00e9t\u00e9\u00a0\u00a0z"))
        .containsExactly("\u00e9t\u00e9", "\u00a0", "\u00a0z");
    assertThat(pieces("end  ")).containsExactly("end", "  ");
    assertThat(pieces("http://a\r\n")).containsExactly("http", "://", "a", "\r\n");
  }

  @Test
  void savesFilesThatLoadBackAlike() throws IOException {
    TOKENIZER.save(folder);
    assertThat(folder.resolve("vocab.bpe")).content().startsWith("#version: 0.2\n");
    assertThat(Files.readAllLines(folder.resolve("vocab.bpe"))).hasSize(1 + 700 - 257);
    assertThat(folder.resolve("encoder.json"))
        .content()
        .contains("\"!\":0", "\"<|endoftext|>\":699");
    Tokenizer loaded = Tokenizer.load(folder);
    assertThat(loaded.hash()).isEqualTo(TOKENIZER.hash());
    String program = new TinyPython(1).document(0).text();
    assertThat(loaded.encode(program)).isEqualTo(TOKENIZER.encode(program));
  }

  @Test
  void namesWhatIsWrongWithFiles() throws IOException {
    assertThatThrownBy(() -> Tokenizer.load(folder))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("vocab.bpe does not exist");

    TOKENIZER.save(folder);
    Path merges = folder.resolve("vocab.bpe");
    Path vocabulary = folder.resolve("encoder.json");
    String mergesText = Files.readString(merges);
    String vocabularyText = Files.readString(vocabulary);

    Files.writeString(vocabulary, vocabularyText.replace("\"!\":0", "\"!\":1"));
    assertThatThrownBy(() -> Tokenizer.load(folder)).hasMessageContaining("'!' the number 1");
    Files.writeString(vocabulary, vocabularyText.replaceFirst("\\{", "{\"zzzz\":5,"));
    assertThatThrownBy(() -> Tokenizer.load(folder)).hasMessageContaining("'zzzz'");
    Files.writeString(vocabulary, vocabularyText.substring(0, 100));
    assertThatThrownBy(() -> Tokenizer.load(folder)).hasMessageContaining("is not JSON");
    Files.writeString(vocabulary, "[1]");
    assertThatThrownBy(() -> Tokenizer.load(folder)).hasMessageContaining("not a JSON object");
    Files.writeString(vocabulary, vocabularyText);

    Files.writeString(merges, mergesText + "a b c\n");
    assertThatThrownBy(() -> Tokenizer.load(folder))
        .hasMessageContaining("line 445")
        .hasMessageContaining("'a b c'");
    Files.writeString(merges, mergesText + "a zq\n");
    assertThatThrownBy(() -> Tokenizer.load(folder)).hasMessageContaining("'zq' is neither");
    Files.writeString(
        merges, mergesText + mergesText.lines().skip(1).findFirst().orElseThrow() + "\n");
    assertThatThrownBy(() -> Tokenizer.load(folder)).hasMessageContaining("exists already");
    Files.write(merges, new byte[] {'#', '\n', (byte) 0xC3, '(', '\n'});
    assertThatThrownBy(() -> Tokenizer.load(folder)).hasMessageContaining("not UTF-8");
  }

  @Test
  void refusesMergesThatNoTrainingGives() {
    int a = TOKENIZER.tokenOf("a").orElseThrow();
    int b = TOKENIZER.tokenOf("b").orElseThrow();
    int c = TOKENIZER.tokenOf("c").orElseThrow();
    // "ab" is made before "bc", so in "abc" the parts "a" and "bc" are never side by side.
    List<Merge> merges = List.of(new Merge(a, b), new Merge(b, c), new Merge(a, 257));
    assertThatThrownBy(() -> Tokenizer.ofMerges(merges))
        .hasMessageContaining("'abc'")
        .hasMessageContaining("not the result of BPE training");
  }

  private static List<String> pieces(String text) {
    return Tokenizer.PRE_TOKEN.matcher(text).results().map(result -> result.group()).toList();
  }

  /** Merges of a tokenizer by the token they make, found from its bytes. */
  static Map<Merge, Integer> ranks(Tokenizer tokenizer) {
    Map<Merge, Integer> ranks = new HashMap<>();
    for (int token = 256; token < tokenizer.endOfText(); token++) {
      List<Integer> parts = Tokenizer.mergeByPairs(tokenizer.bytesOf(token), ranks);
      assertThat(parts).hasSize(2);
      ranks.put(new Merge(parts.get(0), parts.get(1)), token);
    }
    return ranks;
  }

  /** Code points from every plane, ASCII and white space preferred. */
  private static String randomText(Random random) {
    StringBuilder text = new StringBuilder();
    for (int i = random.nextInt(60); i > 0; i--) {
      int codePoint =
          switch (random.nextInt(5)) {
            case 0 -> "  \n\t\r()[]{}'\"_=:".charAt(random.nextInt(16));
            case 1 -> random.nextInt(0x80);
            case 2 -> random.nextInt(0x800);
            case 3 -> random.nextInt(0x10000);
            default -> random.nextInt(0x110000);
          };
      if (codePoint < 0xD800 || codePoint > 0xDFFF) {
        text.appendCodePoint(codePoint);
      }
    }
    return text.toString();
  }
}
