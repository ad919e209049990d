// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WorkLockTest {
  @TempDir Path folder;

  /** Ends with 0 where the lock is free: the system's locks are the same for every program. */
  private static final String TRY =
      "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'w'), fcntl.LOCK_EX | fcntl.LOCK_NB)";

  private static boolean isFreeForOthers(Path file) throws IOException, InterruptedException {
    Process other =
        new ProcessBuilder("python3", "-c", TRY, file.toString())
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
    return other.waitFor() == 0;
  }

  @Test
  void whoTriesInVainDoesNotReleaseTheLockOfAnother() throws Exception {
    Path file = folder.resolve("missing/cell.lock");
    Optional<WorkLock> lock = WorkLock.tryTake(file);
    assertThat(lock).isPresent();
    assertThat(isFreeForOthers(file)).isFalse();
    Path sameFile = folder.resolve("missing/../missing/cell.lock");
    assertThat(WorkLock.tryTake(sameFile)).isEmpty();
    assertThat(isFreeForOthers(file)).isFalse();
    lock.get().close();
    assertThat(isFreeForOthers(file)).isTrue();
    try (WorkLock again = WorkLock.tryTake(file).orElseThrow()) {
      assertThat(again).isNotNull();
    }
  }
}
