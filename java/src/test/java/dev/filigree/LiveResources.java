// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** Fails any test that leaves a native object open. */
final class LiveResources implements BeforeEachCallback, AfterEachCallback {
  private Set<Resource> before;

  @Override
  public void beforeEach(ExtensionContext context) {
    before = Resource.live();
  }

  @Override
  public void afterEach(ExtensionContext context) {
    Set<Resource> left = new HashSet<>(Resource.live());
    left.removeAll(before);
    if (!left.isEmpty()) {
      throw new AssertionError("left open by the test: " + left);
    }
  }
}
