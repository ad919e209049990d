// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data.tinypython;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;

/**
 * Weighted alternatives for one place of the grammar.
 *
 * @param <R> what a rule is: something that writes a form, or declines because the scope lacks what
 *     it needs
 */
final class Rules<R> {
  private record Rule<R>(String form, int weight, R action) {}

  private static final int ATTEMPTS = 24;

  private final List<Rule<R>> rules = new ArrayList<>();
  private int totalWeight;

  /** Add an alternative. */
  Rules<R> add(String form, int weight, R action) {
    rules.add(new Rule<>(form, weight, action));
    totalWeight += weight;
    return this;
  }

  /**
   * Draw rules until one accepts, and note its form; false when none did in a fair number of
   * attempts.
   */
  boolean apply(Dice dice, Set<String> formsUsed, Predicate<R> accepts) {
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      Rule<R> rule = draw(dice);
      if (accepts.test(rule.action)) {
        formsUsed.add(rule.form);
        return true;
      }
    }
    return false;
  }

  /** Names of all alternatives. */
  List<String> forms() {
    return rules.stream().map(Rule::form).toList();
  }

  private Rule<R> draw(Dice dice) {
    int point = dice.below(totalWeight);
    for (Rule<R> rule : rules) {
      point -= rule.weight;
      if (point < 0) {
        return rule;
      }
    }
    throw new AssertionError("weights sum to " + totalWeight);
  }
}
