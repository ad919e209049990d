// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.experiment.CompareCellResult.Outcome;
import dev.filigree.experiment.CompareCellResult.Point;
import dev.filigree.experiment.CompareCellResult.Search;
import dev.filigree.experiment.DenseLadder.Pair;
import dev.filigree.experiment.DenseLadder.Rung;
import dev.filigree.experiment.DenseLadder.Size;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Why a task does not count for a sparse model. */
final class CompareReasons {
  private final CompareConfig plan;
  private final CompareMatches matches;

  CompareReasons(CompareConfig plan, CompareMatches matches) {
    this.plan = plan;
    this.matches = matches;
  }

  /**
   * Say why; null where it counts.
   *
   * @param own circuit of the sparse model
   * @param around dense models around its held-out loss
   * @param dense size between theirs
   */
  String reason(
      CompareCellResult model,
      String task,
      Optional<Point> own,
      Optional<Pair> around,
      Optional<Size> dense) {
    Optional<String> missing = missing(model, task, own);
    if (missing.isPresent()) {
      return missing.get();
    }
    if (around.isEmpty()) {
      return "the loss of the sparse model lies outside of the dense ladder";
    }
    if (dense.isPresent()) {
      return null;
    }
    return Stream.of(around.get().below(), around.get().above())
        .map(Rung::name)
        .distinct()
        .map(name -> denseReason(name, task))
        .flatMap(Optional::stream)
        .collect(Collectors.joining("; "));
  }

  /** Why a dense model has no circuit of a task; empty when it has one. */
  private Optional<String> denseReason(String name, String task) {
    CompareCellResult dense = matches.named(name);
    if (dense.circuit(task, plan.target()).isPresent()) {
      return Optional.empty();
    }
    Search search = dense.search(task).orElseThrow();
    return Optional.of(
        search.outcome() == Outcome.NOT_LEARNT
            ? name + " does not do it" + losses(search)
            : search.at(plan.target()).isPresent()
                ? "the circuit of " + name + " has no edge"
                : "no circuit of " + name + " reaches the loss");
  }

  /** Why a model is said not to do a task. */
  private static String losses(Search search) {
    return " (%.3f on validation, %.3f on final examples)"
        .formatted(search.modelLoss(), search.modelLossFinal());
  }

  private static Optional<String> missing(
      CompareCellResult model, String task, Optional<Point> own) {
    if (model.diverged() != null) {
      return Optional.of("training of the sparse model has diverged");
    }
    Outcome outcome = model.search(task).map(Search::outcome).orElseThrow();
    return switch (outcome) {
      case IMPOSSIBLE -> Optional.of("the vocabulary cannot express it");
      case NOT_LEARNT ->
          Optional.of("the sparse model does not do it" + losses(model.search(task).get()));
      case SEARCHED -> {
        if (own.isEmpty()) {
          yield Optional.of("no circuit of the sparse model reaches the loss");
        }
        // A ratio to nothing says nothing.
        yield own.get().edges() == 0
            ? Optional.of("the circuit of the sparse model has no edge")
            : Optional.empty();
      }
    };
  }
}
