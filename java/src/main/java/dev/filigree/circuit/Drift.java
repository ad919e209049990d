// SPDX-License-Identifier: Apache-2.0
package dev.filigree.circuit;

import dev.filigree.circuit.Circuit.Source;
import dev.filigree.circuit.Grade.Verdict;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A circuit in another checkpoint, beside what was recorded where it was found.
 *
 * @param task name of the task
 * @param recorded where it was found
 * @param checked where it was looked at
 * @param edges nonzero weights between its nodes now
 * @param items what was compared
 * @param drifted whether any of it is beyond its tolerance
 * @param evidence what was found
 */
public record Drift(
    String task,
    Source recorded,
    Source checked,
    int edges,
    List<Item> items,
    boolean drifted,
    Evidence evidence) {
  /** Before the name of a check. */
  public static final String CHECK = "check:";

  /** How much a loss may rise, nats per sequence. */
  public static final double LOSS_TOLERANCE = 0.10;

  /** How much a share or a correlation may fall. */
  public static final double SHARE_TOLERANCE = 0.10;

  /** Share of the recorded edges that may be gone. */
  public static final double EDGE_TOLERANCE = 0.25;

  public Drift {
    items = List.copyOf(items);
  }

  /** One comparison. */
  public sealed interface Item {
    /** Name of a number, or of a check with {@link Drift#CHECK} before it. */
    String name();

    /** Whether it is worse than it may be. */
    boolean drifted();

    /** The comparison in a sentence. */
    String message();

    /** Whether one side of it is missing now. */
    default boolean notRun() {
      return false;
    }
  }

  /**
   * A number that may move.
   *
   * @param recorded what it was; null where that is not known
   * @param now what it is; null where it cannot be said
   * @param tolerance how far it may move for the worse; of edges the share that may be gone
   * @param drifted whether it moved further
   */
  public record Change(
      String name, Number recorded, Number now, double tolerance, boolean drifted, String message)
      implements Item {}

  /**
   * What a check says.
   *
   * @param recorded what it said; null where it was not run
   * @param now what it says; null where it was run then and is not now
   * @param drifted whether it passed and fails
   */
  public record Judgement(
      String name, Verdict recorded, Verdict now, boolean drifted, String message) implements Item {
    @Override
    public boolean notRun() {
      return now == null;
    }
  }

  /**
   * Compare.
   *
   * @param circuit as it was recorded
   * @param before its evidence where it was found; null where there is none
   * @param now its evidence in the other checkpoint
   * @param edgesNow nonzero weights between its nodes there
   * @param edgesLost how many of its edges are zero there
   * @param lossTolerance how much a loss may rise
   */
  public static Drift of(
      Circuit circuit,
      Evidence before,
      Evidence now,
      int edgesNow,
      int edgesLost,
      double lossTolerance) {
    List<Item> items = new ArrayList<>();
    items.add(
        rise("model_loss", circuit.losses().last().model().loss(), now.modelLoss(), lossTolerance));
    items.add(
        rise(
            "loss_validation",
            circuit.losses().validation().circuit().loss(),
            now.lossValidation(),
            lossTolerance));
    items.add(
        rise(
            "loss_final",
            circuit.losses().last().circuit().loss(),
            now.lossFinal(),
            lossTolerance));
    if (before != null && before.checks().sufficient() != null) {
      Checks then = before.checks();
      Checks here = now.checks();
      items.add(fall("correlation", then.faithful().correlation(), here.faithful().correlation()));
      if (then.interchange() != null && here.interchange() != null) {
        items.add(fall("flipped", then.interchange().flipped(), here.interchange().flipped()));
      }
    }
    items.add(edges(circuit.edges().size(), edgesLost));
    items.addAll(verdicts(before, now));
    return new Drift(
        circuit.task(),
        circuit.source(),
        now.source(),
        edgesNow,
        items,
        items.stream().anyMatch(Item::drifted),
        now);
  }

  /** Return the items beyond their tolerance. */
  public List<Item> beyond() {
    return items.stream().filter(Item::drifted).toList();
  }

  private static Item rise(String name, double recorded, double now, double tolerance) {
    boolean drifted = !(now <= recorded + tolerance);
    return new Change(
        name,
        recorded,
        now,
        tolerance,
        drifted,
        "%s was %.3f and is %.3f (it may rise by %.2f)".formatted(name, recorded, now, tolerance));
  }

  private static Item fall(String name, Double recorded, Double now) {
    boolean drifted = recorded != null && (now == null || now < recorded - SHARE_TOLERANCE);
    return new Change(
        name,
        recorded,
        now,
        SHARE_TOLERANCE,
        drifted,
        "%s was %s and is %s (it may fall by %.2f)"
            .formatted(name, text(recorded), text(now), SHARE_TOLERANCE));
  }

  private static Item edges(int recorded, int lost) {
    return new Change(
        "edges",
        recorded,
        recorded - lost,
        EDGE_TOLERANCE,
        lost > EDGE_TOLERANCE * recorded,
        "of %,d edges %,d are zero now (up to %.0f%% may be)"
            .formatted(recorded, lost, 100 * EDGE_TOLERANCE));
  }

  /**
   * Checks that passed where the circuit was found must pass here; unknown ones count as passed.
   */
  private static List<Item> verdicts(Evidence before, Evidence now) {
    Map<String, Verdict> then = before == null ? Map.of() : before.checks().verdicts();
    List<Item> items = new ArrayList<>();
    now.checks()
        .verdicts()
        .forEach(
            (name, verdict) -> {
              Verdict was = then.getOrDefault(name, Verdict.NOT_RUN);
              // Without recorded evidence the absolute limits hold of the checks every circuit has.
              boolean expected =
                  was == Verdict.PASSED || before == null && Grade.D.needs().contains(name);
              if (spoke(was) || spoke(verdict)) {
                items.add(
                    new Judgement(
                        CHECK + name,
                        spoke(was) ? was : null,
                        spoke(verdict) ? verdict : null,
                        expected && verdict == Verdict.FAILED,
                        "%s: %s, recorded: %s".formatted(name, word(verdict), word(was))));
              }
            });
    return items;
  }

  private static boolean spoke(Verdict verdict) {
    return verdict == Verdict.PASSED || verdict == Verdict.FAILED;
  }

  private static String word(Verdict verdict) {
    return switch (verdict) {
      case PASSED -> "passed";
      case FAILED -> "failed";
      case NOT_APPLICABLE -> "does not apply";
      case NOT_RUN -> "not run";
    };
  }

  private static String text(Double value) {
    return value == null ? "not to be said" : "%.3f".formatted(value);
  }
}
