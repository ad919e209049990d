// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.PruneConfig;

/**
 * How circuits are searched.
 *
 * @param targetLoss two-way loss to reach on the validation examples, nats per sequence
 * @param trainPairs pairs the masks are learnt on
 * @param validationPairs pairs the number of nodes is chosen by
 * @param finalPairs pairs the result is reported on
 * @param meanSequences windows of each corpus that node means are taken over, 0 for all
 * @param seed of the examples
 * @param masks how the masks are learnt
 */
public record CircuitConfig(
    double targetLoss,
    int trainPairs,
    int validationPairs,
    int finalPairs,
    int meanSequences,
    long seed,
    PruneConfig masks) {
  public CircuitConfig {
    if (!(targetLoss > 0)) {
      throw new IllegalArgumentException("target_loss is above 0, not " + targetLoss);
    }
    if (trainPairs < 1 || validationPairs < 1 || finalPairs < 1) {
      throw new IllegalArgumentException("every split has at least one pair");
    }
    if (masks.batchPairs() > trainPairs) {
      throw new IllegalArgumentException(
          "masks.batch_pairs %d is more than train_pairs %d"
              .formatted(masks.batchPairs(), trainPairs));
    }
    if (meanSequences < 0) {
      throw new IllegalArgumentException("mean_sequences is at least 0, not " + meanSequences);
    }
  }

  CircuitConfig withMasks(PruneConfig masks) {
    return new CircuitConfig(
        targetLoss, trainPairs, validationPairs, finalPairs, meanSequences, seed, masks);
  }

  CircuitConfig withSeed(long seed) {
    return new CircuitConfig(
        targetLoss,
        trainPairs,
        validationPairs,
        finalPairs,
        meanSequences,
        seed,
        masks.withSeed(seed));
  }
}
