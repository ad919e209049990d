// SPDX-License-Identifier: Apache-2.0
package dev.filigree.circuit;

import dev.filigree.circuit.Evidence.Faithful;
import dev.filigree.circuit.Evidence.Gate;
import dev.filigree.circuit.Evidence.Necessary;
import dev.filigree.circuit.Evidence.Sufficient;
import java.util.Collections;
import java.util.List;

/** Lays evidence out as text: one line per check, its sentence below it. */
final class EvidenceTable {
  private EvidenceTable() {}

  static String of(Evidence evidence) {
    StringBuilder out = new StringBuilder();
    if (evidence.sufficient() == null) {
      line(out, "%s: no circuit, since the model does not do the task", evidence.task());
    } else {
      line(
          out,
          "%s: %,d nodes, %,d edges; the circuit %s on final examples",
          evidence.task(),
          evidence.nodes(),
          evidence.edges(),
          evidence.holds() ? "holds" : "does not hold");
    }
    gate(out, evidence);
    if (evidence.sufficient() != null) {
      sufficient(out, evidence.sufficient());
      necessary(out, evidence.necessary(), evidence.nodes());
      faithful(out, evidence.faithful());
    }
    return out.toString();
  }

  private static void gate(StringBuilder out, Evidence evidence) {
    Gate gate = evidence.gate();
    check(out, "gate", gate.passed());
    line(
        out,
        "      The whole model's loss is %.3f on validation and %.3f on final examples; it counts"
            + " as doing the task up to %.2f.",
        evidence.model().validation().loss(),
        evidence.model().last().loss(),
        gate.limit());
  }

  private static void sufficient(StringBuilder out, Sufficient check) {
    check(out, "sufficient", check.passed());
    line(
        out,
        "      With everything else at its mean, the circuit's loss is %.3f on validation (asked"
            + " for: %.2f) and %.3f on final examples (at most %.3f).",
        check.validation(),
        check.target(),
        check.last(),
        check.limit());
  }

  private static void necessary(StringBuilder out, Necessary check, int nodes) {
    check(out, "necessary", check.passed());
    line(
        out,
        "      Without the circuit's %,d nodes the model's loss goes from %.3f to %.3f (at least"
            + " %.2f; guessing is 0.693); without as many others it is %s to be within"
            + " %.2f of the model's; without as many live ones %s for comparison.",
        nodes,
        check.model(),
        check.loss(),
        check.threshold(),
        draws(check.randomMean(), check.random()),
        check.randomMargin(),
        draws(check.liveMean(), check.live()));
  }

  private static String draws(Double mean, List<Double> losses) {
    return mean == null
        ? "not known, for lack of nodes,"
        : "%.3f, the mean of %d draws up to %.3f,"
            .formatted(mean, losses.size(), Collections.max(losses));
  }

  private static void faithful(StringBuilder out, Faithful check) {
    line(out, "  %-11s %s", "faithful", correlation(check.correlation()));
    line(
        out,
        "      That is how circuit and model correlate over %,d answers; over the %,d that the"
            + " model gets wrong: %s.",
        check.sequences(),
        check.wrongSequences(),
        correlation(check.wrongCorrelation()));
  }

  private static void check(StringBuilder out, String name, boolean passed) {
    line(out, "  %-11s %s", name, passed ? "yes" : "NO");
  }

  private static String correlation(Double value) {
    return value == null ? "cannot be said" : "%.3f".formatted(value);
  }

  private static void line(StringBuilder out, String format, Object... values) {
    out.append(format.formatted(values)).append('\n');
  }
}
