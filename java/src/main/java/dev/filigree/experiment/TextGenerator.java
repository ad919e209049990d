// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.Model;
import dev.filigree.data.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.IntConsumer;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;

/**
 * Continues a prompt with a model, token by token. What does not fit the model's block is forgotten
 * from the front. One thread at a time.
 */
public final class TextGenerator {
  private final Model model;
  private final Tokenizer tokenizer;
  private final int blockSize;
  private final Sampling sampling;

  /** Prepare to generate. */
  public TextGenerator(Model model, Tokenizer tokenizer, Sampling sampling) {
    this.model = model;
    this.tokenizer = tokenizer;
    this.blockSize = model.config().blockSize();
    this.sampling = sampling;
  }

  /**
   * How the next token is chosen.
   *
   * @param temperature logits are divided by it; 0 always takes the likeliest token
   * @param topK likeliest tokens to choose from, 0 for all
   * @param seed of the choices
   */
  public record Sampling(double temperature, int topK, long seed) {
    public Sampling {
      if (!(temperature >= 0 && Double.isFinite(temperature))) {
        throw new IllegalArgumentException("temperature is at least 0, not " + temperature);
      }
      if (topK < 0) {
        throw new IllegalArgumentException("top-k is at least 0, not " + topK);
      }
    }

    /** Choose a token; of equally likely ones at temperature 0, the one with the lowest number. */
    int choose(float[] logits, RandomGenerator random) {
      int[] order =
          IntStream.range(0, logits.length)
              .boxed()
              .sorted(Comparator.comparing(i -> -logits[i]))
              .mapToInt(Integer::intValue)
              .toArray();
      if (temperature == 0) {
        return order[0];
      }
      int candidates = topK == 0 ? order.length : Math.min(topK, order.length);
      double[] weights = new double[candidates];
      for (int i = 0; i < candidates; i++) {
        weights[i] = Math.exp(((double) logits[order[i]] - logits[order[0]]) / temperature);
      }
      double left = random.nextDouble() * Arrays.stream(weights).sum();
      for (int i = 0; i < candidates; i++) {
        left -= weights[i];
        if (left < 0) {
          return order[i];
        }
      }
      return order[0]; // rounding left a trace of weight over
    }
  }

  /**
   * Encode a prompt: {@value Tokenizer#END_OF_TEXT} in it is the token that separates documents,
   * and an empty prompt is the beginning of one.
   */
  public int[] encode(String prompt) {
    List<Integer> tokens = new ArrayList<>();
    String rest = prompt;
    for (int at; (at = rest.indexOf(Tokenizer.END_OF_TEXT)) >= 0; ) {
      Arrays.stream(tokenizer.encode(rest.substring(0, at))).forEach(tokens::add);
      tokens.add(tokenizer.endOfText());
      rest = rest.substring(at + Tokenizer.END_OF_TEXT.length());
    }
    Arrays.stream(tokenizer.encode(rest)).forEach(tokens::add);
    if (tokens.isEmpty()) {
      tokens.add(tokenizer.endOfText());
    }
    return tokens.stream().mapToInt(Integer::intValue).toArray();
  }

  /**
   * Continue a prompt until the document ends or there are enough tokens.
   *
   * @param prompt at least one token
   * @param most tokens to add
   * @param heard gets every token as soon as it is chosen; the end of the document is not one
   * @return whether the document ended
   */
  public boolean generate(int[] prompt, int most, IntConsumer heard) {
    RandomGenerator random = new SplittableRandom(sampling.seed());
    int[] tokens = Arrays.copyOf(prompt, prompt.length + most);
    for (int length = prompt.length; length < tokens.length; length++) {
      int[] window = Arrays.copyOfRange(tokens, Math.max(0, length - blockSize), length);
      int next = sampling.choose(model.logits(new int[][] {window})[0][window.length - 1], random);
      if (next == tokenizer.endOfText()) {
        return true;
      }
      tokens[length] = next;
      heard.accept(next);
    }
    return false;
  }
}
