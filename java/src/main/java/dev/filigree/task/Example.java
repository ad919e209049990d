// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.List;

/**
 * A pair of prompts in tokens. Both have the same length and differ in one span.
 *
 * @param id task, split and number
 * @param template {@link Template#id()} of the template it was made from
 * @param tokensA prompt A; the answer is the token that comes after its last one
 * @param tokensB prompt B
 * @param targetA right answer of A, and wrong answer of B
 * @param targetB right answer of B, and wrong answer of A
 * @param textA prompt A as text
 * @param textB prompt B as text
 */
public record Example(
    String id,
    String template,
    List<Integer> tokensA,
    List<Integer> tokensB,
    int targetA,
    int targetB,
    String textA,
    String textB) {

  public Example {
    tokensA = List.copyOf(tokensA);
    tokensB = List.copyOf(tokensB);
  }

  /** Position whose logits are the answer: the last token of either prompt. */
  public int evalPosition() {
    return tokensA.size() - 1;
  }
}
