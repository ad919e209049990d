// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.data.AtomicFile;
import dev.filigree.data.Hashes;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A cell of a comparison and its folder, an ordinary run.
 *
 * @param path has the hash of everything in its name that the model comes from
 */
record CompareCellFolder(CompareCell cell, Path path) {
  /** Part of every hash: raise it to make all cells and searches anew. */
  static final int FORMAT = 2;

  private static final int HASH_LENGTH = 12;
  private static final String DIVERGED = "diverged";

  /** Start of the SHA-256 of a text, in hex. */
  static String hash(String text) {
    return Hashes.hex(text.getBytes(StandardCharsets.UTF_8)).substring(0, HASH_LENGTH);
  }

  /** Whether there is a model, or none can be had. */
  boolean trained() {
    return RunFolder.exists(path) && RunFolder.open(path).result().isPresent() || hasDiverged();
  }

  /** Whoever works on it has claimed this. */
  Path lock() {
    return path.resolveSibling(path.getFileName() + ".lock");
  }

  boolean hasDiverged() {
    return Files.exists(path.resolve(DIVERGED));
  }

  /** Say that there will be no model. */
  void markDiverged(String reason) {
    write(path.resolve(DIVERGED), reason + "\n");
  }

  /** Why there is no model. */
  String whyDiverged() {
    try {
      return Files.readString(path.resolve(DIVERGED)).strip();
    } catch (IOException e) {
      throw new RunException("cannot read " + path + ": " + e.getMessage(), e);
    }
  }

  /** Write a file at once. */
  static void write(Path file, String text) {
    try {
      AtomicFile.write(file, text.getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new RunException("cannot write " + file + ": " + e.getMessage(), e);
    }
  }
}
