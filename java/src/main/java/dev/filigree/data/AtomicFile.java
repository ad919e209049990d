// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A file that appears complete or not at all: written beside its target under a temporary name of
 * its own, synced and renamed by {@link #commit()}; closing without a commit leaves the target as
 * it was. Of several writers, in one process or in many, the last to commit wins.
 */
public final class AtomicFile implements AutoCloseable {
  private static final int BUFFER_BYTES = 1 << 16;
  private static final AtomicLong FILES = new AtomicLong(); // of this process

  private final Path target;
  private final Path temporary;
  private final FileChannel channel;
  private final OutputStream stream;
  private boolean closed;

  /** Start a file; missing parent folders are made. */
  public AtomicFile(Path target) throws IOException {
    this.target = target.toAbsolutePath();
    this.temporary =
        this.target.resolveSibling(
            "%s.%d-%d.tmp"
                .formatted(
                    target.getFileName(), ProcessHandle.current().pid(), FILES.incrementAndGet()));
    Files.createDirectories(this.target.getParent());
    this.channel =
        FileChannel.open(
            temporary,
            StandardOpenOption.CREATE,
            StandardOpenOption.WRITE,
            StandardOpenOption.TRUNCATE_EXISTING);
    this.stream = new BufferedOutputStream(Channels.newOutputStream(channel), BUFFER_BYTES);
  }

  /** Write a whole file at once. */
  public static void write(Path target, byte[] content) throws IOException {
    try (AtomicFile file = new AtomicFile(target)) {
      file.stream().write(content);
      file.commit();
    }
  }

  /** Where the content goes; buffered, owned by this file. */
  public OutputStream stream() {
    return stream;
  }

  /** Sync what was written and give it its final name. */
  public void commit() throws IOException {
    stream.flush();
    channel.force(true);
    channel.close();
    Files.move(
        temporary, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    closed = true;
  }

  /** Drop what was written unless it was committed. */
  @Override
  public void close() throws IOException {
    if (!closed) {
      closed = true;
      channel.close();
      Files.deleteIfExists(temporary);
    }
  }
}
