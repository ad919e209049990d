// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data;

import java.util.Locale;

/** Why a file of a corpus was left out. */
public enum SkipReason {
  /** Nothing but white space. */
  EMPTY,
  /** Holds a NUL byte. */
  BINARY,
  /** Could not be opened or read, or is a link that leads nowhere or in a circle. */
  UNREADABLE,
  /** Its bytes are not text in the encoding it declares (PEP 263; UTF-8 without a declaration). */
  WRONG_ENCODING,
  /** Declares an encoding that Java does not know. */
  UNKNOWN_ENCODING,
  /** The same text as an earlier file. */
  DUPLICATE;

  /** Name in files and messages: {@code wrong_encoding}. */
  public String key() {
    return name().toLowerCase(Locale.ROOT);
  }
}
