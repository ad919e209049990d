// SPDX-License-Identifier: Apache-2.0
package dev.filigree.circuit;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * How far a circuit can be trusted: the highest grade of which it has passed every check, and those
 * of every grade below. A check that was not run has not been passed. docs/evidence.md explains the
 * checks.
 */
public enum Grade {
  /** Everything, the costly checks too. */
  A(List.of("seeds", "random_init", "variants")),
  /** It stands interventions other than the one it was found by, and answers as the model does. */
  B(List.of("resample", "interchange", "faithful", "relaxation")),
  /** It is enough and it is needed, by mean ablation. */
  C(List.of("sufficient", "necessary")),
  /** It does the task of its model on wordings that had no part in the search. */
  D(List.of("gate", "final")),
  /** It explains nothing: the model does not do the task, or the circuit does not. */
  F(List.of());

  private static final Set<Verdict> ALLOWED = EnumSet.of(Verdict.PASSED, Verdict.NOT_APPLICABLE);

  private final List<String> needs;

  Grade(List<String> needs) {
    this.needs = needs;
  }

  /** Names of the checks that this grade needs beside those of the grades below it. */
  public List<String> needs() {
    return needs;
  }

  /** Grade checks. */
  public static Grade of(Checks checks) {
    Grade reached = F;
    for (Grade grade : List.of(D, C, B, A)) {
      if (!grade.needs.stream().allMatch(name -> ALLOWED.contains(checks.verdict(name)))) {
        return reached;
      }
      reached = grade;
    }
    return reached;
  }

  /** What a check said. */
  public enum Verdict {
    @JsonProperty("passed")
    PASSED,
    @JsonProperty("failed")
    FAILED,
    /** It asks nothing of this task, and so stands in the way of no grade. */
    @JsonProperty("not_applicable")
    NOT_APPLICABLE,
    /** It was not run, or there is no circuit to run it on. */
    @JsonProperty("not_run")
    NOT_RUN
  }
}
