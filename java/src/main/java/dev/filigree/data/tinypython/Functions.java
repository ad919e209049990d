// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data.tinypython;

import java.util.ArrayList;
import java.util.List;

/**
 * Writes function definitions: whole ones from the grammar, and free ones made of parameters and
 * statements.
 */
final class Functions {
  private static final int LONGEST_LINE = 80;
  private static final List<Type> PARAMETER_TYPES =
      List.of(
          Type.INT,
          Type.INT,
          Type.INT,
          Type.TEXT,
          Type.TEXT,
          Type.TEXT,
          Type.FLOAT,
          Type.BOOL,
          Type.INTS,
          Type.INTS,
          Type.TEXTS,
          Type.TEXTS,
          Type.GRID,
          Type.COUNTS,
          Type.RECORD,
          Type.SET,
          Type.PAIRS);
  private static final List<Type> RESULT_TYPES =
      List.of(
          Type.INT,
          Type.INT,
          Type.TEXT,
          Type.TEXT,
          Type.BOOL,
          Type.BOOL,
          Type.INTS,
          Type.TEXTS,
          Type.FLOAT,
          Type.COUNTS,
          Type.SET);
  private static final List<Type> WHOLE_FUNCTIONS =
      List.of(
          Type.INT, Type.BOOL, Type.TEXT, Type.INTS, Type.TEXTS, Type.COUNTS, Type.SET, Type.FLOAT);

  private final Author author;
  private final Dice dice;

  Functions(Author author) {
    this.author = author;
    this.dice = author.dice;
  }

  /** A parameter as it is written. */
  private record Written(Author.Parameter parameter, String defaultValue) {}

  /** Define a function at module level. */
  void define() {
    if (dice.chance(0.45)) {
      Type result = dice.chance(0.2) ? null : dice.pick(WHOLE_FUNCTIONS);
      if (author.writeFunction(result)) {
        return;
      }
    }
    Type result = dice.chance(0.35) ? null : dice.pick(RESULT_TYPES);
    String name = result == Type.BOOL ? author.names.predicate() : author.names.function();
    if (author.hasFunction(name)) {
      return;
    }
    Scope inside = new Scope();
    List<Written> parameters = parameters(inside, dice.pick(0, 1, 1, 1, 2, 2, 2, 3, 3, 4));
    if (dice.chance(0.04)) {
      author.page.line(dice.pick("@lru_cache(maxsize=None)", "@cache", "@wraps(print)"));
      author.noteForm("decorator");
      author.imports().add("from functools import cache, lru_cache, wraps");
    }
    String prefix = dice.chance(0.02) ? "async " : "";
    author.function(
        prefix + header(name, "", parameters, result, extra()),
        inside,
        result,
        () -> body(parameters, result));
    author.noteForm("function");
    if (prefix.isEmpty()) {
      author.addFunction(signature(name, parameters, result));
    }
  }

  /** Define a function with two to four parameters, with defaults of None or none, and one line. */
  void stub() {
    Type result = dice.pick(RESULT_TYPES);
    String name = author.names.function();
    if (author.hasFunction(name)) {
      return;
    }
    Scope inside = new Scope();
    int count = dice.pick(2, 2, 2, 3, 3, 4);
    int required = dice.chance(0.5) ? count : dice.below(count);
    List<Written> parameters = parameters(inside, count, required, true);
    author.function(
        header(name, dice.chance(0.3) ? "self" : "", parameters, result, ""),
        inside,
        result,
        () ->
            author.page.line(
                dice.pick("pass", "return True", "return None", "raise NotImplementedError")));
    author.noteForm("stub");
  }

  /** Define a method with the given names in scope, below a decorator if it has one. */
  Author.Signature method(String name, String receiver, Scope inside, Type result) {
    List<Written> parameters = parameters(inside, dice.pick(0, 0, 0, 1, 1, 2));
    author.function(
        header(name, receiver, parameters, result, ""),
        inside,
        result,
        () -> body(parameters, result));
    author.noteForm("method");
    return signature(name, parameters, result);
  }

  private static Author.Signature signature(String name, List<Written> parameters, Type result) {
    return new Author.Signature(
        name,
        parameters.stream().map(Written::parameter).toList(),
        (int) parameters.stream().filter(written -> written.defaultValue() == null).count(),
        result);
  }

  private void body(List<Written> parameters, Type result) {
    docstring();
    for (Written written : parameters) {
      if ("None".equals(written.defaultValue()) && dice.chance(0.5)) {
        Author.Parameter parameter = written.parameter();
        author.page.line("if " + parameter.name() + " is None:");
        author.page.indented(
            () ->
                author.page.line(parameter.name() + " = " + author.literals.of(parameter.type())));
        author.noteForm("default_none");
      }
    }
    author.setup(parameters.size() < 2 ? dice.below(3) : 0);
    author.statements(dice.pick(result == null ? 1 : 0, 1, 1, 2, 2, 3, 4));
    if (result != null) {
      author.writeReturn();
    }
  }

  /** Write a docstring, or none, as the style has it. */
  void docstring() {
    if (!dice.chance(author.style.docstrings())) {
      return;
    }
    String marks = dice.chance(0.9) ? "\"\"\"" : "'''";
    String summary = author.phrases.summary();
    if (dice.chance(0.75)) {
      author.page.line(marks + summary + marks);
      author.noteForm("docstring");
    } else {
      author.page.line(marks + summary);
      author.page.blank();
      for (int i = dice.between(1, 3); i > 0; i--) {
        author.page.line(author.phrases.sentence());
      }
      author.page.line(marks);
      author.noteForm("long_docstring");
    }
  }

  private List<Written> parameters(Scope inside, int count) {
    int required = dice.chance(0.5) ? count : dice.between(0, count);
    return parameters(inside, count, required, dice.chance(0.5));
  }

  private List<Written> parameters(Scope inside, int count, int required, boolean onlyNone) {
    List<Written> parameters = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      Type type = dice.pick(PARAMETER_TYPES);
      String name = author.names.variable(type, inside);
      inside.define(name, type);
      String defaultValue = i < required ? null : defaultValue(type, onlyNone);
      parameters.add(new Written(new Author.Parameter(name, type), defaultValue));
    }
    return parameters;
  }

  private String defaultValue(Type type, boolean onlyNone) {
    author.noteForm("default_argument");
    return onlyNone || dice.chance(0.4) || isMutable(type) ? "None" : author.literals.of(type);
  }

  private static boolean isMutable(Type type) {
    return switch (type) {
      case INT, FLOAT, BOOL, TEXT -> false;
      default -> true;
    };
  }

  private String extra() {
    if (dice.chance(0.94)) {
      return "";
    }
    author.noteForm("star_parameters");
    return dice.pick("*args", "**kwargs", "*args, **kwargs");
  }

  private String header(
      String name, String receiver, List<Written> parameters, Type result, String extra) {
    boolean hints = author.style.hints();
    List<String> all = new ArrayList<>();
    if (!receiver.isEmpty()) {
      all.add(receiver);
    }
    for (Written written : parameters) {
      String parameter = written.parameter().name();
      if (hints) {
        parameter += ": " + written.parameter().type().hint();
        author.noteForm("type_hint");
      }
      if (written.defaultValue() != null) {
        parameter += (hints ? " = " : "=") + written.defaultValue();
      }
      all.add(parameter);
    }
    if (!extra.isEmpty()) {
      all.add(extra);
    }
    String end = ")" + (hints ? " -> " + (result == null ? "None" : result.hint()) : "") + ":";
    String line = "def " + name + "(" + String.join(", ", all) + end;
    if (line.length() <= LONGEST_LINE) {
      return line;
    }
    author.noteForm("wrapped_parameters");
    String step = author.page.step();
    return "def " + name + "(\n" + step + String.join(",\n" + step, all) + "\n" + end;
  }
}
