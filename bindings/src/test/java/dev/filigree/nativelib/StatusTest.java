// SPDX-License-Identifier: Apache-2.0
package dev.filigree.nativelib;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class StatusTest {
  @ParameterizedTest
  @EnumSource
  void isFoundByItsNumber(Status status) {
    assertThat(Status.of(status.code())).isSameAs(status);
  }

  @Test
  void numberOfANewerLibraryIsInternal() {
    assertThat(Status.of(4711)).isSameAs(Status.INTERNAL);
  }
}
