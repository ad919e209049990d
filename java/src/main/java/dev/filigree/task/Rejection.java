// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

/** Why a candidate cannot be used with a vocabulary. */
public enum Rejection {
  TOO_LONG("a prompt is longer than the limit"),
  UNEQUAL_LENGTHS("the prompts of a pair differ in length"),
  SEVERAL_SPANS("the prompts of a pair differ in more than one place"),
  EQUAL_PROMPTS("the prompts of a pair are equal"),
  NO_BOUNDARY("the tokens of a prompt change when its completion follows"),
  EQUAL_ANSWERS("both completions have the same tokens"),
  DUPLICATE("an earlier pair is the same");

  private final String meaning;

  Rejection(String meaning) {
    this.meaning = meaning;
  }

  /** A clause for a person. */
  public String meaning() {
    return meaning;
  }
}
