// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

/**
 * A run folder that cannot be used as asked: missing, taken, damaged or not writable; the message
 * says what to do.
 */
public class RunException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  RunException(String message) {
    super(message);
  }

  RunException(String message, Throwable cause) {
    super(message, cause);
  }
}
