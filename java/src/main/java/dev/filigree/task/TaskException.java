// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.Set;

/**
 * Reports a task that does not exist, a task file that cannot be used, or a task that a vocabulary
 * cannot express.
 */
public final class TaskException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final transient Set<Rejection> rejections;

  public TaskException(String message) {
    this(message, Set.of());
  }

  TaskException(String message, Set<Rejection> rejections) {
    super(message);
    this.rejections = Set.copyOf(rejections);
  }

  /** Why candidates were thrown out, where that is the reason. */
  public Set<Rejection> rejections() {
    return rejections;
  }
}
