// SPDX-License-Identifier: Apache-2.0
package dev.filigree.nativelib;

import dev.filigree.ffi.Filigree;
import java.lang.foreign.MemorySegment;

/** Outcome of a native call; the numbers are those of {@code fg_status}. */
public enum Status {
  OK(Filigree.FG_OK()),
  INVALID_ARGUMENT(Filigree.FG_INVALID_ARGUMENT()),
  INVALID_CONFIG(Filigree.FG_INVALID_CONFIG()),
  INVALID_STATE(Filigree.FG_INVALID_STATE()),
  NOT_FOUND(Filigree.FG_NOT_FOUND()),
  IO(Filigree.FG_IO()),
  BAD_CHECKPOINT(Filigree.FG_BAD_CHECKPOINT()),
  UNSUPPORTED(Filigree.FG_UNSUPPORTED()),
  OUT_OF_MEMORY(Filigree.FG_OUT_OF_MEMORY()),
  CUDA(Filigree.FG_CUDA()),
  CANCELLED(Filigree.FG_CANCELLED()),
  INTERNAL(Filigree.FG_INTERNAL()),
  DIVERGED(Filigree.FG_DIVERGED());

  /** A message longer than this is cut: no sentence for a person is. */
  private static final long MAX_MESSAGE_BYTES = 1 << 16;

  private final int code;

  Status(int code) {
    this.code = code;
  }

  /** Return the number of this status in the C interface. */
  public int code() {
    return code;
  }

  /** Return the status with a number; a number of a newer library counts as {@link #INTERNAL}. */
  public static Status of(int code) {
    for (Status status : values()) {
      if (status.code == code) {
        return status;
      }
    }
    return INTERNAL;
  }

  /**
   * Throw unless a call returned {@code FG_OK}. To be called on the thread that made the call and
   * before it makes another one: the message belongs to the operating-system thread.
   */
  public static void check(int code) {
    if (code != OK.code) {
      throw new NativeFailure(of(code), text(Filigree.fg_last_error_message()));
    }
  }

  /** Copy static or borrowed NUL-terminated text. */
  static String text(MemorySegment pointer) {
    return pointer.reinterpret(MAX_MESSAGE_BYTES).getString(0);
  }
}
