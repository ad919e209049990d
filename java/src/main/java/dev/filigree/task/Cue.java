// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.List;

/**
 * The two texts of which one stands at the mark of a template, {@value Template#CUE}, and decides
 * the answer. They may hold slots ({@link Slots}).
 *
 * @param a what prompt A has there
 * @param b what prompt B has there
 */
public record Cue(String a, String b) {
  /** Both texts. */
  public List<String> texts() {
    return List.of(a, b);
  }
}
