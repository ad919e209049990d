// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import dev.filigree.json.Json;
import java.util.List;

/**
 * How the fast method searches circuits (docs/pruning.md).
 *
 * @param masks how masks are learnt; kCoef is that of a factor of 1
 * @param options what is asked of circuits
 * @param kFactors one mask is learnt for each, with a price of so many times kCoef
 * @param targets two-way losses to reach, nats per sequence; a circuit is found for each
 * @param margin a search aims at this part of the way from the best there is to a target
 * @param attributionPairs training pairs that attributions are averaged over
 * @param candidateFactor candidates for every node that the attribution needs, at least 1
 * @param selectionPairs training pairs, and as many validation pairs, that circuits are judged by
 * @param rankingPairs the same of those by which parts to leave out are looked for
 * @param exactParts nodes or edges that are ranked by runs without each; of more by gradients
 * @param edges whether single edges are left out
 */
public record FastPruneConfig(
    PruneConfig masks,
    PruneOptions options,
    List<Double> kFactors,
    List<Double> targets,
    double margin,
    int attributionPairs,
    double candidateFactor,
    int selectionPairs,
    int rankingPairs,
    int exactParts,
    boolean edges) {
  public FastPruneConfig {
    kFactors = List.copyOf(kFactors);
    targets = List.copyOf(targets);
    require(!kFactors.isEmpty(), "k_factors", "at least one", kFactors);
    require(!targets.isEmpty(), "targets", "at least one", targets);
    require(targets.stream().allMatch(t -> t > 0), "targets", "all above 0", targets);
    require(kFactors.stream().allMatch(k -> k >= 0), "k_factors", "all at least 0", kFactors);
    require(margin >= 1e-3 && margin <= 1, "margin", "from 0.001 to 1", margin);
    require(attributionPairs >= 1, "attribution_pairs", "at least 1", attributionPairs);
    require(candidateFactor >= 1, "candidate_factor", "at least 1", candidateFactor);
    require(selectionPairs >= 1, "selection_pairs", "at least 1", selectionPairs);
    require(rankingPairs >= 1, "ranking_pairs", "at least 1", rankingPairs);
    require(exactParts >= 0, "exact_parts", "at least 0", exactParts);
    require(
        options.ablation() != Ablation.RESAMPLE,
        "options.ablation",
        "\"mean\" or \"zero\" with the fast method",
        options.ablation());
  }

  /** Return the canonical JSON text, the one the core reads. */
  public String toJson() {
    return Json.write(this);
  }

  private static void require(boolean condition, String name, String what, Object value) {
    if (!condition) {
      throw new IllegalArgumentException("%s is %s, not %s".formatted(name, what, value));
    }
  }
}
