// SPDX-License-Identifier: Apache-2.0
package dev.filigree.nativelib;

/**
 * A status other than OK on its way from the engine thread to the caller, who makes an exception
 * with the caller's stack of it; that is why this one has no stack.
 */
public final class NativeFailure extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final Status status;

  NativeFailure(Status status, String message) {
    super(message, null, false, false);
    this.status = status;
  }

  public Status status() {
    return status;
  }
}
