// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import dev.filigree.nativelib.Status;

/**
 * Something the engine could not do. There is one type for each way a caller may want to react; the
 * message is a sentence for a person.
 */
public abstract sealed class EngineException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private EngineException(String message) {
    super(message);
  }

  private EngineException(String message, Throwable cause) {
    super(message, cause);
  }

  /** Choose the type for a status: the only place that does. */
  static EngineException of(Status status, String message) {
    return switch (status) {
      case INVALID_ARGUMENT -> new InvalidArgument(message);
      case INVALID_CONFIG -> new InvalidConfig(message);
      case INVALID_STATE -> new InvalidState(message);
      case NOT_FOUND -> new NotFound(message);
      case IO -> new Io(message);
      case BAD_CHECKPOINT -> new BadCheckpoint(message);
      case UNSUPPORTED -> new Unsupported(message);
      case OUT_OF_MEMORY -> new OutOfMemory(message);
      case CUDA -> new Cuda(message);
      case CANCELLED -> new Cancelled(message);
      case DIVERGED -> new Diverged(message);
      case OK, INTERNAL -> new Internal(message);
    };
  }

  /** An argument is out of range, of the wrong size, or belongs to another object. */
  public static final class InvalidArgument extends EngineException {
    private static final long serialVersionUID = 1L;

    InvalidArgument(String message) {
      super(message);
    }
  }

  /** A configuration has an unknown or missing key, or asks the impossible. */
  public static final class InvalidConfig extends EngineException {
    private static final long serialVersionUID = 1L;

    InvalidConfig(String message) {
      super(message);
    }
  }

  /** The object is closed, in use, or not ready for this call. */
  public static final class InvalidState extends EngineException {
    private static final long serialVersionUID = 1L;

    InvalidState(String message) {
      super(message);
    }
  }

  /** A named tensor, file or folder does not exist. */
  public static final class NotFound extends EngineException {
    private static final long serialVersionUID = 1L;

    NotFound(String message) {
      super(message);
    }
  }

  /** Reading or writing failed: a full disk, missing permission. */
  public static final class Io extends EngineException {
    private static final long serialVersionUID = 1L;

    Io(String message) {
      super(message);
    }
  }

  /** A checkpoint is truncated, damaged, or does not fit its configuration. */
  public static final class BadCheckpoint extends EngineException {
    private static final long serialVersionUID = 1L;

    BadCheckpoint(String message) {
      super(message);
    }
  }

  /** Valid, but not supported by this build of the core. */
  public static final class Unsupported extends EngineException {
    private static final long serialVersionUID = 1L;

    Unsupported(String message) {
      super(message);
    }
  }

  /** Host or device memory ran out. */
  public static final class OutOfMemory extends EngineException {
    private static final long serialVersionUID = 1L;

    OutOfMemory(String message) {
      super(message);
    }
  }

  /** CUDA was asked for and is not usable, or a CUDA call failed. */
  public static final class Cuda extends EngineException {
    private static final long serialVersionUID = 1L;

    Cuda(String message) {
      super(message);
    }
  }

  /** {@code cancel()} stopped the call; the object can still be used. */
  public static final class Cancelled extends EngineException {
    private static final long serialVersionUID = 1L;

    Cancelled(String message) {
      super(message);
    }
  }

  /** A loss or gradient is not finite; the weights are those before the step. */
  public static final class Diverged extends EngineException {
    private static final long serialVersionUID = 1L;

    Diverged(String message) {
      super(message);
    }
  }

  /** The native core is missing, of another version, or not allowed to be called. */
  public static final class Unavailable extends EngineException {
    private static final long serialVersionUID = 1L;

    Unavailable(String message, Throwable cause) {
      super(message, cause);
    }
  }

  /** An error nobody foresaw. */
  public static final class Internal extends EngineException {
    private static final long serialVersionUID = 1L;

    Internal(String message) {
      super(message);
    }

    Internal(String message, Throwable cause) {
      super(message, cause);
    }
  }
}
