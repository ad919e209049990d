// SPDX-License-Identifier: Apache-2.0
package dev.filigree.nativelib;

/** The native core could not be found, loaded or used; the message says what to do about it. */
public final class NativeLibraryException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  NativeLibraryException(String message, Throwable cause) {
    super(message, cause);
  }
}
