// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data;

/** Reports input data that cannot be used; the message names the file and what is wrong with it. */
public final class DataException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public DataException(String message) {
    super(message);
  }

  public DataException(String message, Throwable cause) {
    super(message, cause);
  }
}
