// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.Engine;
import dev.filigree.Model;
import dev.filigree.ModelInfo;
import dev.filigree.ModelInit;
import java.util.Arrays;

/**
 * A model that has learnt nothing, as sparse as one that has: what a search finds in it, it finds
 * anywhere.
 */
final class UntrainedModel {
  private UntrainedModel() {}

  /**
   * Make the counterpart of a trained model: fresh weights of the same configuration, every tensor
   * cut down to as many of its largest entries as the trained one has.
   */
  static Model of(Engine engine, Model trained, ModelInit init) {
    Model fresh = engine.createModel(trained.config(), init);
    for (ModelInfo.Tensor tensor : trained.info().tensors()) {
      if (tensor.nonzeros() < tensor.count()) {
        float[] values = fresh.readTensor(tensor.name());
        keepLargest(values, Math.toIntExact(tensor.nonzeros()));
        fresh.writeTensor(tensor.name(), values);
      }
    }
    return fresh;
  }

  /** Zero all but the entries of largest magnitude; of equal ones the first stay. */
  static void keepLargest(float[] values, int kept) {
    float[] sizes = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      sizes[i] = Math.abs(values[i]);
    }
    Arrays.sort(sizes);
    float least = kept == 0 ? Float.POSITIVE_INFINITY : sizes[values.length - kept];
    int larger = 0;
    for (float size : sizes) {
      larger += size > least ? 1 : 0;
    }
    int ties = kept - larger;
    for (int i = 0; i < values.length; i++) {
      float size = Math.abs(values[i]);
      boolean stays = size > least || size == least && ties-- > 0;
      if (!stays) {
        values[i] = 0;
      }
    }
  }
}
