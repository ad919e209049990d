// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.filigree.experiment.StopRequest.Part;
import dev.filigree.experiment.StopRequest.Stopped;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class StopRequestTest {
  private final StopRequest stop = new StopRequest();
  private final AtomicInteger told = new AtomicInteger();

  @Test
  void tellsThePartThatRuns() throws Stopped {
    try (Part _ = stop.begin(told::incrementAndGet)) {
      assertThat(stop.isRequested()).isFalse();
      stop.request();
      assertThat(told).hasValue(1);
    }
    assertThatThrownBy(stop::check).isInstanceOf(Stopped.class);
  }

  @Test
  void leavesAPartAloneThatIsOver() throws Stopped {
    stop.begin(told::incrementAndGet).close();
    stop.request();
    assertThat(told).hasValue(0);
  }

  @Test
  void beginsNothingOnceItWasAsked() {
    stop.request();
    assertThatThrownBy(() -> stop.begin(told::incrementAndGet)).isInstanceOf(Stopped.class);
    stop.request();
    assertThat(told).hasValue(0);
  }
}
