// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

/** Reports a task that does not exist or that a vocabulary cannot express. */
public final class TaskException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public TaskException(String message) {
    super(message);
  }
}
