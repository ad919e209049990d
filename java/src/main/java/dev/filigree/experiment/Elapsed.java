// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.data.AtomicFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** How long work on a folder took, over all processes that went on with it. */
final class Elapsed {
  private static final String FILE = "elapsed";

  private final Path file;
  private final double before;
  private final long begin = System.nanoTime();

  private Elapsed(Path file, double before) {
    this.file = file;
    this.before = before;
  }

  /** Start the clock where nothing counts that was done before. */
  static Elapsed anew(Path folder) {
    return new Elapsed(folder.resolve(FILE), 0);
  }

  /** Start the clock at what earlier processes have remembered. */
  static Elapsed goingOn(Path folder) {
    Path file = folder.resolve(FILE);
    try {
      return new Elapsed(
          file, Files.isRegularFile(file) ? Double.parseDouble(Files.readString(file).strip()) : 0);
    } catch (IOException | NumberFormatException e) {
      throw new RunException("cannot read " + file + ": " + e.getMessage(), e);
    }
  }

  /** Seconds that earlier processes have worked. */
  double before() {
    return before;
  }

  /** Seconds by now. */
  double seconds() {
    return before + (System.nanoTime() - begin) / 1e9;
  }

  /** Write them down for a process that goes on. */
  void remember() {
    try {
      AtomicFile.write(file, (seconds() + "\n").getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new RunException("cannot write " + file + ": " + e.getMessage(), e);
    }
  }
}
