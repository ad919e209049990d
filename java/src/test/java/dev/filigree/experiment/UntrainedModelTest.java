// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class UntrainedModelTest {
  @Test
  void theLargestStayAndOfEqualOnesTheFirst() {
    assertThat(kept(2, 1, -3, 2, 0.5f)).containsExactly(0, -3, 2, 0);
    assertThat(kept(2, 1, -1, 1, -1)).containsExactly(1, -1, 0, 0);
    assertThat(kept(3, 1, -1, 5, -1)).containsExactly(1, -1, 5, 0);
    assertThat(kept(0, 1, -1)).containsExactly(0, 0);
    assertThat(kept(2, 1, -1)).containsExactly(1, -1);
  }

  private static float[] kept(int count, float... values) {
    UntrainedModel.keepLargest(values, count);
    return values;
  }
}
