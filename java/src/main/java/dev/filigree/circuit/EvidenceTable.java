// SPDX-License-Identifier: Apache-2.0
package dev.filigree.circuit;

import dev.filigree.circuit.Checks.Ablations;
import dev.filigree.circuit.Checks.Binarised;
import dev.filigree.circuit.Checks.Draws;
import dev.filigree.circuit.Checks.Faithful;
import dev.filigree.circuit.Checks.Interchange;
import dev.filigree.circuit.Checks.Necessary;
import dev.filigree.circuit.Checks.NodeDelta;
import dev.filigree.circuit.Checks.RandomInit;
import dev.filigree.circuit.Checks.Relaxation;
import dev.filigree.circuit.Checks.Resample;
import dev.filigree.circuit.Checks.Seeds;
import dev.filigree.circuit.Checks.Sufficient;
import dev.filigree.circuit.Checks.Variants;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Collectors;

/** Lays evidence out as text: one line per check, its sentence below it. */
final class EvidenceTable {
  private static final int MOST_NODES = 5;

  private final StringBuilder out = new StringBuilder();
  private final Evidence evidence;
  private final Checks checks;

  private EvidenceTable(Evidence evidence) {
    this.evidence = evidence;
    this.checks = evidence.checks();
  }

  static String of(Evidence evidence) {
    EvidenceTable table = new EvidenceTable(evidence);
    table.write();
    return table.out.toString();
  }

  private void write() {
    if (checks.sufficient() == null) {
      line("%s: grade F; no circuit, since the model does not do the task", evidence.task());
      gate();
      return;
    }
    line(
        "%s: grade %s; %,d nodes, %,d edges, %,d extended edges%s%s",
        evidence.task(),
        evidence.grade(),
        evidence.nodes(),
        evidence.edges(),
        evidence.extendedEdges(),
        names("; fails ", evidence.failed()),
        names("; not run: ", evidence.notRun()));
    gate();
    check("final", checks.last().passed());
    line(
        "      The circuit's loss is %s on final examples, of wordings that had no part in the"
            + " search (at most %.3f).",
        checks.last().loss().text(), checks.last().limit());
    sufficient(checks.sufficient());
    necessary(checks.necessary());
    if (checks.resample() != null) {
      resample(checks.resample());
    }
    if (checks.interchange() != null) {
      interchange(checks.interchange());
    }
    faithful(checks.faithful());
    if (checks.relaxation() != null) {
      relaxation(checks.relaxation());
    }
    if (checks.seeds() != null) {
      seeds(checks.seeds());
    }
    if (checks.randomInit() != null) {
      randomInit(checks.randomInit());
    }
    if (checks.variants() != null) {
      variants(checks.variants());
    }
    if (checks.ablations() != null) {
      ablations(checks.ablations());
    }
    if (checks.binarised() != null) {
      binarised(checks.binarised());
    }
  }

  private static String names(String before, List<String> names) {
    return names.isEmpty() ? "" : before + String.join(", ", names);
  }

  private void gate() {
    check("gate", checks.gate().passed());
    line(
        "      The whole model's loss is %s on validation and %s on final examples; it counts as"
            + " doing the task up to %.2f.",
        checks.gate().validation().text(), checks.gate().last().text(), checks.gate().limit());
  }

  private void sufficient(Sufficient check) {
    check("sufficient", check.passed());
    line(
        "      With everything else at its mean, the circuit's loss is %s on validation (asked"
            + " for: %.2f) and %.3f on final examples (at most %.3f).",
        check.validation().text(), check.target(), check.last().mean(), check.limit());
  }

  private void necessary(Necessary check) {
    check("necessary", check.passed());
    line(
        "      Without the circuit's %,d nodes the model's loss goes from %.3f to %s (at least"
            + " %.2f; guessing is 0.693); without as many others it is %s to be within"
            + " %.2f of the model's; without as many live ones %s for comparison.",
        evidence.nodes(),
        check.model().mean(),
        check.loss().text(),
        check.threshold(),
        draws(check.random()),
        check.randomMargin(),
        draws(check.live()));
  }

  private static String draws(Draws draws) {
    return draws == null
        ? "not known, for lack of nodes,"
        : "%s, over %d draws up to %.3f,"
            .formatted(draws.loss().text(), draws.draws().size(), Collections.max(draws.draws()));
  }

  private void resample(Resample check) {
    check("resample", check.passed());
    line(
        "      With everything else saying what it says on other examples, the circuit's loss is"
            + " %s (at most %.3f).",
        check.loss().text(), check.limit());
  }

  private void interchange(Interchange check) {
    check("interchange", check.passed());
    line(
        "      Given the activations of the pair's other member, the circuit turns %.1f%% of %,d"
            + " right answers of the model (at least %.0f%%); as many other nodes turn %s (at most"
            + " %.0f%%).",
        100 * check.flipped(),
        check.sequences(),
        100 * check.threshold(),
        check.randomFlipped() == null
            ? "a part that is not known, for lack of nodes"
            : "%.1f%%".formatted(100 * check.randomFlipped()),
        100 * check.randomLimit());
  }

  private void faithful(Faithful check) {
    check("faithful", check.passed());
    line(
        "      Circuit and model give the same answer to %.1f%% of %,d prompts; their answers"
            + " diverge by %s nats (at most %.2f) and correlate by %s, among those with the same"
            + " right answer by %s; over the %,d that the model gets wrong: same answer %s,"
            + " divergence %s, correlation %s.",
        100 * check.agreement(),
        check.sequences(),
        check.divergence().text(),
        check.limit(),
        correlation(check.correlation()),
        correlation(check.memberCorrelation()),
        check.wrongSequences(),
        check.wrongAgreement() == null
            ? "cannot be said"
            : "%.1f%%".formatted(100 * check.wrongAgreement()),
        check.wrongDivergence() == null ? "cannot be said" : check.wrongDivergence().text(),
        correlation(check.wrongCorrelation()));
  }

  private void relaxation(Relaxation check) {
    check("relaxation", check.passed());
    line(
        "      Given back %s of the other nodes, the circuit's loss is at most %.3f: %s.",
        check.steps().stream()
            .map(step -> "%.0f%%".formatted(100 * step.share()))
            .collect(Collectors.joining(", ")),
        check.limit(),
        check.steps().stream().map(step -> step.loss().text()).collect(Collectors.joining(", ")));
  }

  private void seeds(Seeds check) {
    check("seeds", check.passed());
    line(
        "      Searches with %d seeds keep %s nodes; two of them share %.0f%% of the nodes that"
            + " either has (at least %.0f%%).",
        check.found().size(),
        check.found().stream()
            .map(found -> "%,d".formatted(found.nodes()))
            .collect(Collectors.joining(", ")),
        100 * check.agreement(),
        100 * check.threshold());
  }

  private void randomInit(RandomInit check) {
    check("random_init", check.passed());
    line(
        "      In an untrained model, whose loss is %s, the same search keeps %,d nodes and %,d"
            + " edges%s; their loss is %s on final examples (it should be above %.3f).",
        check.modelLoss().text(),
        check.nodes(),
        check.edges(),
        check.reached() ? "" : ", the best that it saw, short of its target",
        check.last().text(),
        check.limit());
  }

  private void variants(Variants check) {
    line("  %-11s %s", "variants", check.passed() == null ? "-" : answer(check.passed()));
    if (check.passed() == null) {
      line(
          check.variants().isEmpty()
              ? "      This task has none, so nothing hangs on it."
              : "      None misleads the model, and the circuit says so; nothing hangs on it.");
    }
    for (Variants.Outcome outcome : check.variants()) {
      line(
          "      %s, probability of the right answer %s, predicted by the circuit and observed on"
              + " the model: %s (within %.2f).",
          outcome.name(),
          outcome.member(),
          outcome.levels().stream()
              .map(
                  level ->
                      "%s %.2f %.2f"
                          .formatted(level.label(), level.circuit().mean(), level.model().mean()))
              .collect(Collectors.joining("; ")),
          outcome.margin());
    }
  }

  private void ablations(Ablations check) {
    line("  %-11s", "ablations");
    line(
        "      The model's loss rises most without these nodes of the circuit: %s%s.",
        deltas(check.nodes()),
        check.others() == null
            ? ""
            : "; of all other live nodes without these: " + deltas(check.others()));
  }

  private static String deltas(List<NodeDelta> nodes) {
    return nodes.isEmpty()
        ? "none"
        : nodes.stream()
            .sorted(Comparator.comparing(delta -> -delta.model().mean()))
            .limit(MOST_NODES)
            .map(delta -> "%d by %+.3f".formatted(delta.node(), delta.model().mean()))
            .collect(Collectors.joining(", "));
  }

  private void binarised(Binarised check) {
    line("  %-11s", "binarised");
    line(
        "      With each node saying one of two things, the circuit's loss is %s.",
        check.loss().text());
  }

  private void check(String name, boolean passed) {
    line("  %-11s %s", name, answer(passed));
  }

  private static String answer(boolean passed) {
    return passed ? "yes" : "NO";
  }

  private static String correlation(Double value) {
    return value == null ? "cannot be said" : "%.3f".formatted(value);
  }

  private void line(String format, Object... values) {
    out.append(format.formatted(values).stripTrailing()).append('\n');
  }
}
