// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data.tinypython;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Writes classes, and statements that make and use their objects. */
final class Classes {
  private static final List<Type> FIELD_TYPES =
      List.of(
          Type.TEXT,
          Type.TEXT,
          Type.TEXT,
          Type.INT,
          Type.INT,
          Type.INT,
          Type.FLOAT,
          Type.INTS,
          Type.TEXTS,
          Type.BOOL);
  private static final List<Type> STATE_TYPES =
      List.of(
          Type.INT, Type.INTS, Type.TEXTS, Type.COUNTS, Type.BOOL, Type.SET, Type.TEXT, Type.FLOAT);
  private static final List<Type> RESULT_TYPES =
      List.of(Type.INT, Type.TEXT, Type.BOOL, Type.FLOAT, Type.TEXTS, Type.INTS);

  private static final String SELF = "self";

  private final Author author;
  private final Dice dice;
  private final Functions functions;
  private final List<Shape> shapes = new ArrayList<>();

  /**
   * A class that can be instantiated.
   *
   * @param parameters what the constructor takes, by attribute
   * @param methods methods, by their names alone
   */
  private record Shape(String name, Map<String, Type> parameters, List<Author.Signature> methods) {}

  Classes(Author author, Functions functions) {
    this.author = author;
    this.dice = author.dice;
    this.functions = functions;
  }

  /** Define a class at module level. */
  void define() {
    String name = author.names.type();
    if (author.scope().has(name) || shapes.stream().anyMatch(shape -> shape.name().equals(name))) {
      return;
    }
    if (dice.chance(0.12)) {
      exception(name);
      return;
    }
    if (dice.chance(0.1)) {
      dataclass(name);
      return;
    }
    Shape base = shapes.isEmpty() || dice.chance(0.7) ? null : dice.pick(shapes);
    author.page.line(
        "class "
            + name
            + (base == null ? dice.pick("", "", "", "(object)") : "(" + base.name() + ")")
            + ":");
    author.page.indented(() -> body(name, base));
  }

  /**
   * Define a class that keeps what its constructor is given, or a function that hands what it is
   * given to an object.
   */
  void stub() {
    Map<String, Type> fields = attributes(dice.between(2, 4), FIELD_TYPES);
    if (dice.chance(0.25)) {
      Scope taken = new Scope();
      fields.forEach(taken::define);
      String object = dice.chance(0.4) ? SELF : author.names.variable(Type.OBJECT, taken);
      String name = author.names.function();
      if (!author.hasFunction(name)) {
        keep(name, object, "", fields);
      }
      return;
    }
    author.page.line("class " + author.names.type() + ":");
    String privately = dice.chance(0.25) ? "_" : "";
    author.page.indented(() -> keep("__init__", SELF, privately, fields));
  }

  /** Write a function that copies its parameters to an object of their names. */
  private void keep(String name, String object, String prefix, Map<String, Type> fields) {
    Scope inside = new Scope();
    fields.forEach(inside::define);
    author.function(
        "def " + name + "(" + object + ", " + String.join(", ", fields.keySet()) + "):",
        inside,
        null,
        () ->
            fields
                .keySet()
                .forEach(field -> author.page.line(object + "." + prefix + field + " = " + field)));
    author.noteForm("keeper");
  }

  /** Whether there is a class to use. */
  boolean isEmpty() {
    return shapes.isEmpty();
  }

  /** Make an object, and perhaps call its methods. */
  void use() {
    Shape shape = dice.pick(shapes);
    String name = author.names.variable(Type.OBJECT, author.scope());
    List<String> arguments = new ArrayList<>();
    shape
        .parameters()
        .forEach(
            (attribute, type) -> {
              String value = author.atom(type);
              arguments.add(
                  !arguments.isEmpty() && dice.chance(0.15) ? attribute + "=" + value : value);
            });
    // Positional arguments may not follow keyword arguments.
    arguments.sort((a, b) -> Boolean.compare(isKeyword(a, shape), isKeyword(b, shape)));
    author.page.line(name + " = " + shape.name() + "(" + String.join(", ", arguments) + ")");
    author.scope().define(name, Type.OBJECT);
    shape
        .parameters()
        .forEach((attribute, type) -> author.scope().define(name + "." + attribute, type));
    author.noteForm("instance");
    for (int i = dice.below(3); i > 0 && !shape.methods().isEmpty(); i--) {
      author.callStatement(dice.pick(shape.methods()).on(name));
      author.noteForm("method_call");
    }
  }

  private static boolean isKeyword(String argument, Shape shape) {
    return shape.parameters().keySet().stream().anyMatch(name -> argument.startsWith(name + "="));
  }

  private void exception(String name) {
    author.page.line(
        "class "
            + name
            + dice.pick("Error", "Exception")
            + "("
            + dice.pick("Exception", "ValueError", "RuntimeError")
            + "):");
    author.page.indented(
        () -> {
          if (dice.chance(0.5)) {
            author.page.line("pass");
          } else {
            author.page.line("\"\"\"" + author.phrases.summary() + "\"\"\"");
          }
        });
    author.noteForm("exception_class");
  }

  private void dataclass(String name) {
    author.imports().add("from dataclasses import dataclass");
    author.page.line("@dataclass");
    author.page.line("class " + name + ":");
    Map<String, Type> fields = attributes(dice.between(2, 4), FIELD_TYPES.subList(0, 7));
    author.page.indented(
        () -> fields.forEach((field, type) -> author.page.line(field + ": " + type.hint())));
    shapes.add(new Shape(name, fields, List.of()));
    author.noteForm("dataclass");
  }

  private void body(String name, Shape base) {
    functions.docstring();
    if (dice.chance(0.2)) {
      for (int i = dice.between(1, 2); i > 0; i--) {
        Type type = dice.pick(FIELD_TYPES);
        author.page.line(dice.pick(Lexicon.ATTRIBUTES) + " = " + author.literals.of(type));
      }
      author.noteForm("class_attribute");
      author.page.blank();
    }
    Map<String, Type> parameters = attributes(dice.pick(1, 2, 2, 3, 3, 4, 5), FIELD_TYPES);
    Map<String, Type> state = new LinkedHashMap<>(parameters);
    constructor(parameters, state, base);
    List<Author.Signature> methods = new ArrayList<>();
    for (int i = dice.pick(0, 1, 1, 2, 2, 3, 4); i > 0; i--) {
      author.page.blank();
      method(state, methods, name);
    }
    methods.forEach(method -> author.removeFunction(method.on(SELF)));
    shapes.add(new Shape(name, parameters, methods));
    author.noteForm(base == null ? "class" : "subclass");
  }

  private Map<String, Type> attributes(int count, List<Type> types) {
    Map<String, Type> attributes = new LinkedHashMap<>();
    while (attributes.size() < count) {
      Type type = dice.pick(types);
      String name =
          dice.chance(0.6)
              ? dice.pick(Lexicon.ATTRIBUTES)
              : author.names.variable(type, new Scope());
      attributes.putIfAbsent(name, type);
    }
    return attributes;
  }

  private void constructor(Map<String, Type> parameters, Map<String, Type> state, Shape base) {
    List<String> header = new ArrayList<>(List.of("self"));
    int left = parameters.size();
    boolean defaults = dice.chance(0.25);
    for (Map.Entry<String, Type> parameter : parameters.entrySet()) {
      String hint = author.style.hints() ? ": " + parameter.getValue().hint() : "";
      boolean optional = defaults && left <= 2;
      header.add(
          parameter.getKey()
              + hint
              + (optional
                  ? (hint.isEmpty() ? "=" : " = ")
                      + (dice.chance(0.5) ? "None" : author.literals.integer())
                  : ""));
      left--;
    }
    Scope inside = new Scope();
    parameters.forEach(inside::define);
    author.function(
        "def __init__("
            + String.join(", ", header)
            + ")"
            + (author.style.hints() ? " -> None" : "")
            + ":",
        inside,
        null,
        () -> {
          if (base != null && dice.chance(0.7)) {
            author.page.line(
                "super().__init__("
                    + String.join(
                        ", ", base.parameters().values().stream().map(author::atom).toList())
                    + ")");
            author.noteForm("super_call");
          }
          parameters.forEach(
              (name, type) -> {
                String value = dice.chance(0.94) ? name : author.expression(type);
                author.page.line("self." + name + " = " + value);
              });
          for (int i = dice.pick(0, 0, 1, 1, 2); i > 0; i--) {
            Type type = dice.pick(STATE_TYPES);
            String name = dice.pick("", "", "", "_") + author.names.variable(type, inside);
            if (state.putIfAbsent(name, type) == null) {
              author.page.line("self." + name + " = " + initial(type));
            }
          }
        });
    author.noteForm("constructor");
  }

  private String initial(Type type) {
    return switch (type) {
      case INT -> "0";
      case FLOAT -> "0.0";
      case INTS, TEXTS -> "[]";
      case COUNTS -> "{}";
      case SET -> "set()";
      case TEXT -> author.literals.string("");
      default -> author.literals.of(type);
    };
  }

  private void method(Map<String, Type> state, List<Author.Signature> methods, String className) {
    Scope inside = new Scope();
    inside.define(SELF, Type.OBJECT);
    state.forEach((attribute, type) -> inside.define("self." + attribute, type));
    if (dice.chance(0.3)) {
      special(inside, state, className);
      return;
    }
    Type result = dice.chance(0.4) ? null : dice.pick(RESULT_TYPES);
    String name = result == Type.BOOL ? author.names.predicate() : author.names.function();
    if (state.containsKey(name)
        || methods.stream().anyMatch(method -> method.name().equals(name))) {
      return;
    }
    if (result != null && dice.chance(0.12)) {
      author.page.line("@property");
      author.noteForm("property");
      author.function("def " + name + "(self):", inside, result, author::writeReturn);
      return;
    }
    if (dice.chance(0.06)) {
      author.page.line("@staticmethod");
      author.noteForm("static_method");
      functions.method(name, "", new Scope(), result);
      return;
    }
    if (dice.chance(0.05)) {
      author.page.line("@classmethod");
      author.noteForm("class_method");
      functions.method(name, "cls", new Scope(), result);
      return;
    }
    Author.Signature method = functions.method(name, SELF, inside, result);
    methods.add(method);
    author.addFunction(method.on(SELF));
  }

  private void special(Scope inside, Map<String, Type> state, String className) {
    String attribute = dice.pick(List.copyOf(state.keySet()));
    String other = dice.pick(List.copyOf(state.keySet()));
    char quote = author.literals.quote();
    switch (dice.below(6)) {
      case 0, 1 ->
          author.function(
              dice.pick("def __str__(self):", "def __repr__(self):"),
              inside,
              Type.TEXT,
              () ->
                  author.page.line(
                      "return f"
                          + quote
                          + className
                          + "({self."
                          + attribute
                          + "}, {self."
                          + other
                          + "})"
                          + quote));
      case 2 ->
          author.function(
              "def __len__(self):",
              inside,
              Type.INT,
              () -> author.page.line("return len(self." + attribute + ")"));
      case 3 ->
          author.function(
              "def __eq__(self, other):",
              inside,
              Type.BOOL,
              () -> author.page.line("return self." + attribute + " == other." + attribute));
      case 4 ->
          author.function(
              "def __lt__(self, other):",
              inside,
              Type.BOOL,
              () -> author.page.line("return self." + attribute + " < other." + attribute));
      default ->
          author.function(
              "def set_" + attribute.replaceFirst("^_", "") + "(self, " + attribute + "):",
              inside,
              null,
              () -> author.page.line("self." + attribute + " = " + attribute));
    }
    author.noteForm("special_method");
  }
}
