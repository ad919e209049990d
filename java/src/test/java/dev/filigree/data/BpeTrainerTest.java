// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BpeTrainerTest {
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6})
  void learnsTheMergesOfANaiveTrainer(long seed) {
    String text = seed % 2 == 0 ? program(seed) : fewLetters(new Random(seed));
    int merges = 40;
    BpeTrainer trainer = new BpeTrainer(Tokenizer.MINIMUM_SIZE + merges);
    trainer.add(text);
    assertThat(TokenizerTest.ranks(trainer.train())).isEqualTo(naiveMerges(text, merges));
  }

  @Test
  void doesNotDependOnTheOrderOfTexts() {
    BpeTrainer forwards = new BpeTrainer(500);
    BpeTrainer backwards = new BpeTrainer(500);
    for (int i = 0; i < 40; i++) {
      forwards.add(program(i));
      backwards.add(program(39 - i));
    }
    assertThat(forwards.train().hash()).isEqualTo(backwards.train().hash());
  }

  @Test
  void breaksTiesByTheLowestNumbers() {
    BpeTrainer trainer = new BpeTrainer(Tokenizer.MINIMUM_SIZE + 2);
    trainer.add("ba\ndc");
    Tokenizer tokenizer = trainer.train();
    assertThat(tokenizer.tokenOf("ba")).hasValue(256);
    assertThat(tokenizer.tokenOf("dc")).hasValue(257);
  }

  @Test
  void saysWhenTheTextIsTooSmall() {
    BpeTrainer trainer = new BpeTrainer(1000);
    trainer.add("tiny text");
    assertThatThrownBy(trainer::train)
        .isInstanceOf(DataException.class)
        .hasMessageContaining("264 tokens only, 1,000 were asked for");
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 256, 65_537})
  void refusesImpossibleSizes(int size) {
    assertThatThrownBy(() -> new BpeTrainer(size)).isInstanceOf(IllegalArgumentException.class);
  }

  private static String program(long index) {
    return new TinyPython(21).document(index).text();
  }

  /** Runs of few letters, where pairs overlap ("aaa"). */
  private static String fewLetters(Random random) {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < 400; i++) {
      text.append("aaab \n".charAt(random.nextInt(6)));
    }
    return text.toString();
  }

  /** BPE by recounting everything after each merge. */
  private static Map<Merge, Integer> naiveMerges(String text, int count) {
    List<List<Integer>> words = new ArrayList<>();
    Tokenizer.PRE_TOKEN
        .matcher(text)
        .results()
        .forEach(
            word ->
                words.add(
                    new ArrayList<>(
                        Tokenizer.mergeByPairs(word.group().getBytes(UTF_8), Map.of()))));
    Map<Merge, Integer> merges = new HashMap<>();
    for (int token = 256; token < 256 + count; token++) {
      Map<Merge, Integer> counts = new HashMap<>();
      for (List<Integer> word : words) {
        for (int i = 0; i + 1 < word.size(); i++) {
          counts.merge(new Merge(word.get(i), word.get(i + 1)), 1, Integer::sum);
        }
      }
      Merge best =
          counts.entrySet().stream()
              .min(
                  Map.Entry.<Merge, Integer>comparingByValue(Comparator.reverseOrder())
                      .thenComparing(entry -> entry.getKey().left())
                      .thenComparing(entry -> entry.getKey().right()))
              .orElseThrow()
              .getKey();
      merges.put(best, token);
      for (List<Integer> word : words) {
        for (int i = 0; i + 1 < word.size(); i++) {
          if (word.get(i) == best.left() && word.get(i + 1) == best.right()) {
            word.set(i, token);
            word.remove(i + 1);
          }
        }
      }
    }
    return merges;
  }
}
