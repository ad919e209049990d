// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.List;
import java.util.stream.Collectors;

/** The tasks there are. */
public final class Tasks {
  private static final List<Task> ALL =
      List.of(
          new SingleDoubleQuote(),
          new FinalKwarg(),
          new SetOrString(),
          new BracketCounting(),
          new ForWhile(),
          new IfEquals());

  private Tasks() {}

  /** All tasks, in the order of the published table. */
  public static List<Task> all() {
    return ALL;
  }

  /**
   * The task of a name.
   *
   * @throws TaskException when there is none, naming those there are
   */
  public static Task named(String name) {
    return ALL.stream()
        .filter(task -> task.name().equals(name))
        .findFirst()
        .orElseThrow(
            () ->
                new TaskException(
                    "there is no task '%s'; there are: %s"
                        .formatted(
                            name, ALL.stream().map(Task::name).collect(Collectors.joining(", ")))));
  }
}
