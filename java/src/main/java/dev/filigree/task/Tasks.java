// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The tasks there are. */
public final class Tasks {
  private static final List<Task> ALL =
      List.of(
          new SingleDoubleQuote(),
          new FinalKwarg(),
          new SetOrString(),
          new SetOrStringFixedVarname(),
          new ClassInit(),
          new WithAs(),
          new BracketBrace(),
          new WithOpen(),
          new BracketCounting(),
          new ForWhile(),
          new ElseElif(),
          new FstringBrace(),
          new IfTernary(),
          new VarSwap(),
          new IndentFor(),
          new LambdaFunc(),
          new IfEquals(),
          new EnumerateRange(),
          new VarIf(),
          new WhileReturnTrue());

  /** Names are file names too. */
  private static final Pattern NAME = Pattern.compile("[a-z][a-z0-9_]*");

  private static final List<Task> CONTROLS = Controls.all();

  private Tasks() {}

  /** All tasks of the published table, in its order. */
  public static List<Task> all() {
    return ALL;
  }

  /** The controls ({@link Task#isControl}). */
  public static List<Task> controls() {
    return CONTROLS;
  }

  /**
   * The task or control of a name.
   *
   * @throws TaskException when there is none, naming those there are
   */
  public static Task named(String name) {
    return named(name, List.of());
  }

  /**
   * The task, control or own task of a name.
   *
   * @param own tasks beside those of Filigree
   * @throws TaskException when there is none, naming those there are
   */
  public static Task named(String name, List<Task> own) {
    return known(own)
        .filter(task -> task.name().equals(name))
        .findFirst()
        .orElseThrow(
            () ->
                new TaskException(
                    ("there is no task '%s'; there are: %s; one of your own needs its"
                            + " --task-file")
                        .formatted(
                            name, known(own).map(Task::name).collect(Collectors.joining(", ")))));
  }

  /**
   * Check the names of tasks beside those of Filigree.
   *
   * @throws TaskException when one is taken or cannot be the name of a file
   */
  public static void requireNames(List<Task> own) {
    Set<String> taken = new HashSet<>();
    known(List.of()).map(Task::name).forEach(taken::add);
    for (Task task : own) {
      if (!NAME.matcher(task.name()).matches()) {
        throw new TaskException(
            "'%s' cannot be the name of a task; names are lower case letters, digits and _"
                .formatted(task.name()));
      }
      if (!taken.add(task.name())) {
        throw new TaskException("there is a task '%s' already".formatted(task.name()));
      }
    }
  }

  private static Stream<Task> known(List<Task> own) {
    return Stream.of(ALL, CONTROLS, own).flatMap(List::stream);
  }
}
