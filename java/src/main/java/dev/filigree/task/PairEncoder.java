// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import dev.filigree.data.Tokenizer;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/**
 * Turns pairs of prompts into tokens, and says why a pair cannot be used.
 *
 * @param maximumLength most tokens a prompt may have
 */
record PairEncoder(Tokenizer tokenizer, int maximumLength) {
  PairEncoder {
    if (maximumLength < 2) {
      throw new IllegalArgumentException("a prompt of " + maximumLength + " token has no cue");
    }
  }

  /**
   * Tokens of a pair, or why it cannot be used.
   *
   * @param rejection null where it can
   */
  record Outcome(
      Rejection rejection, List<Integer> tokensA, List<Integer> tokensB, int targetA, int targetB) {
    static Outcome rejected(Rejection rejection) {
      return new Outcome(rejection, List.of(), List.of(), -1, -1);
    }
  }

  /** Encode a pair; see {@link ExampleBuilder} for what its answers are. */
  Outcome encode(Candidate candidate) {
    int[] promptA = tokenizer.encode(candidate.promptA());
    int[] promptB = tokenizer.encode(candidate.promptB());
    int[] wholeA = tokenizer.encode(candidate.promptA() + candidate.completionA());
    int[] wholeB = tokenizer.encode(candidate.promptB() + candidate.completionB());
    if (promptA.length != promptB.length) {
      return Outcome.rejected(Rejection.UNEQUAL_LENGTHS);
    }
    if (!startsWith(wholeA, promptA) || !startsWith(wholeB, promptB)) {
      return Outcome.rejected(Rejection.NO_BOUNDARY);
    }
    int answer = promptA.length;
    int end = Math.min(wholeA.length, wholeB.length);
    while (answer < end && wholeA[answer] == wholeB[answer]) {
      answer++;
    }
    if (answer == end) {
      return Outcome.rejected(Rejection.EQUAL_ANSWERS);
    }
    if (answer > maximumLength) {
      return Outcome.rejected(Rejection.TOO_LONG);
    }
    int[] tokensA = Arrays.copyOf(wholeA, answer);
    int[] tokensB = Arrays.copyOf(wholeB, answer);
    int spans = differingSpans(tokensA, tokensB);
    if (spans != 1) {
      return Outcome.rejected(spans == 0 ? Rejection.EQUAL_PROMPTS : Rejection.SEVERAL_SPANS);
    }
    return new Outcome(null, toList(tokensA), toList(tokensB), wholeA[answer], wholeB[answer]);
  }

  /** The last lines of a pair and its completions in tokens, for a message. */
  String describe(Candidate candidate) {
    return "%s or %s, followed by %s or %s"
        .formatted(
            pieces(candidate.promptA()),
            pieces(candidate.promptB()),
            pieces(candidate.completionA()),
            pieces(candidate.completionB()));
  }

  /** The tokens of the last line of a text, in brackets. */
  private String pieces(String text) {
    String line = text.stripTrailing().lines().reduce("", (_, second) -> second);
    return Arrays.stream(tokenizer.encode(line))
        .mapToObj(token -> "[" + tokenizer.decode(token) + "]")
        .collect(Collectors.joining());
  }

  private static boolean startsWith(int[] tokens, int[] start) {
    int mismatch = Arrays.mismatch(tokens, start);
    return mismatch < 0 || mismatch == start.length;
  }

  private static int differingSpans(int[] a, int[] b) {
    int spans = 0;
    for (int i = 0; i < a.length; i++) {
      if (a[i] != b[i] && (i == 0 || a[i - 1] == b[i - 1])) {
        spans++;
      }
    }
    return spans;
  }

  private static List<Integer> toList(int[] tokens) {
    return Arrays.stream(tokens).boxed().toList();
  }
}
