// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

/**
 * What can be asked of a search for a circuit beside the published algorithm (docs/pruning.md).
 *
 * @param ablation what closed nodes hold; {@link Ablation#RESAMPLE} for the published method alone
 * @param calibrate whether scale and shift are fitted to a circuit's answers before it is judged
 * @param tiedQk whether a query and the key of the same channel are open together
 * @param frozenNorms whether every RMSNorm divides by what it does in the whole model
 */
public record PruneOptions(
    Ablation ablation, boolean calibrate, boolean tiedQk, boolean frozenNorms) {
  /** Mean ablation and calibration, as published. */
  public static final PruneOptions PUBLISHED = new PruneOptions(Ablation.MEAN, true, false, false);
}
