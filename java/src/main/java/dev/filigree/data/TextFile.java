// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** Text files that a user names. */
public final class TextFile {
  private TextFile() {}

  /**
   * Read a whole file.
   *
   * @throws DataException when it is missing, no UTF-8 or cannot be read, with a sentence that says
   *     which
   */
  public static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (NoSuchFileException e) {
      throw new DataException(file + " does not exist", e);
    } catch (CharacterCodingException e) {
      throw new DataException(file + " is not UTF-8 text", e);
    } catch (IOException e) {
      throw new DataException("cannot read " + file + ": " + e.getMessage(), e);
    }
  }
}
