// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Claims a piece of work among threads and processes: the system releases it when its process ends,
 * however that happens. The file stays behind, empty.
 */
final class WorkLock implements AutoCloseable {
  /**
   * Of this process. The system's locks are the process's, not the thread's: closing any channel to
   * a file gives up all that the process has on it, so none is opened to a file that is held here.
   */
  private static final Set<Path> HELD = ConcurrentHashMap.newKeySet();

  private final Path file;
  private final FileChannel channel;

  private WorkLock(Path file, FileChannel channel) {
    this.file = file;
    this.channel = channel;
  }

  /** Claim, unless someone has. Missing parent folders are made. */
  static Optional<WorkLock> tryTake(Path file) {
    Path held = file.toAbsolutePath().normalize();
    if (!HELD.add(held)) {
      return Optional.empty();
    }
    WorkLock taken = null;
    try {
      taken = lock(held);
      return Optional.ofNullable(taken);
    } catch (IOException e) {
      throw new RunException("cannot lock " + file + ": " + e.getMessage(), e);
    } finally {
      if (taken == null) {
        HELD.remove(held);
      }
    }
  }

  /** Whether someone has claimed it. */
  static boolean isTaken(Path file) {
    Optional<WorkLock> lock = tryTake(file);
    lock.ifPresent(WorkLock::close);
    return lock.isEmpty();
  }

  /** Null where another process has it. */
  private static WorkLock lock(Path file) throws IOException {
    Files.createDirectories(file.getParent());
    FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    try {
      if (channel.tryLock() != null) {
        return new WorkLock(file, channel);
      }
    } catch (IOException e) {
      channel.close();
      throw e;
    }
    channel.close();
    return null;
  }

  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      throw new RunException("cannot release a lock: " + e.getMessage(), e);
    } finally {
      HELD.remove(file);
    }
  }
}
