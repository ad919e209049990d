// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data.tinypython;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.function.Predicate;

/** Writes one program: turns snippets into lines, keeping track of what exists where. */
final class Author {
  private static final int DEEPEST_EXPRESSION = 2;
  private static final int DEEPEST_BLOCK = 3;

  /**
   * In the name of forms that hold a conditional expression, which inside another would need
   * parentheses.
   */
  private static final String CONDITIONAL = "conditional";

  final Dice dice;
  final Style style;
  final Page page;
  final Names names;
  final Phrases phrases;
  final Literals literals;

  private final Grammar grammar = Grammar.get();
  private final Set<String> forms = new TreeSet<>();
  private final Set<String> imports = new TreeSet<>();
  private final Map<String, Signature> functions = new TreeMap<>();
  private final Map<String, Type> constants = new LinkedHashMap<>();
  private Scope scope = new Scope();
  private Place place = new Place(false, null, 0, 0);
  private int expressionDepth;

  /**
   * Where a statement stands.
   *
   * @param inFunction whether it may return
   * @param result what the function returns; null for nothing
   * @param loops loops around it within the function
   * @param blocks blocks around it within the function or module
   */
  private record Place(boolean inFunction, Type result, int loops, int blocks) {}

  /**
   * A function that can be called.
   *
   * @param parameters types of the parameters
   * @param required number of parameters without a default
   * @param result what it returns; null for nothing
   */
  record Signature(String name, List<Parameter> parameters, int required, Type result) {
    /** The same as a method of an object. */
    Signature on(String object) {
      return new Signature(object + "." + name, parameters, required, result);
    }
  }

  /** A parameter and what it takes. */
  record Parameter(String name, Type type) {}

  Author(Dice dice) {
    this.dice = dice;
    this.style = Style.random(dice);
    this.page = new Page(style.indent());
    this.names = new Names(dice, style);
    this.phrases = new Phrases(dice);
    this.literals = new Literals(dice, style, phrases);
  }

  Scope scope() {
    return scope;
  }

  /** Names of the forms written so far. */
  Set<String> forms() {
    return forms;
  }

  /** Import lines that the snippets written so far need. */
  Set<String> imports() {
    return imports;
  }

  void noteForm(String form) {
    forms.add(form);
  }

  void addFunction(Signature signature) {
    functions.put(signature.name(), signature);
  }

  void removeFunction(Signature signature) {
    functions.remove(signature.name());
  }

  boolean hasFunction(String name) {
    return functions.containsKey(name);
  }

  /** Remember a constant of the module, which functions read too but must not assign. */
  void addConstant(String name, Type type) {
    constants.put(name, type);
    scope.define(name, type);
  }

  /** Give some variables a first value, for the statements that follow to work with. */
  void setup(int count) {
    for (int i = 0; i < count; i++) {
      write("setup");
    }
  }

  /** Write a header and, one level deeper, the body of a function with its own scope. */
  void function(String header, Scope inside, Type result, Runnable body) {
    Scope outerScope = scope;
    Place outerPlace = place;
    scope = inside;
    place = new Place(true, result, 0, 0);
    page.line(header);
    page.indented(body);
    scope = outerScope;
    place = outerPlace;
  }

  /** Write the body of a loop or branch. */
  private void block(Scope inside, boolean loop, Runnable body) {
    Scope outerScope = scope;
    Place outerPlace = place;
    scope = inside;
    place =
        new Place(place.inFunction, place.result, place.loops + (loop ? 1 : 0), place.blocks + 1);
    page.indented(body);
    scope = outerScope;
    place = outerPlace;
  }

  /** Write statements. */
  void statements(int count) {
    for (int i = 0; i < count; i++) {
      statement();
    }
  }

  private void statement() {
    if (dice.chance(style.comments())) {
      page.line("# " + phrases.comment());
      noteForm("comment");
    }
    int draw = dice.below(100);
    boolean shallow = place.blocks < DEEPEST_BLOCK - 1;
    if (draw < 26 && place.blocks < DEEPEST_BLOCK && write("block")) {
      return;
    }
    if (draw < 50 && shallow && write("idiom")) {
      return;
    }
    if (draw < 57) {
      List<Signature> callable = callable(signature -> true);
      if (!callable.isEmpty()) {
        callStatement(dice.pick(callable));
        return;
      }
    }
    if (!write("simple")) {
      throw new AssertionError("some simple statement needs no variables");
    }
  }

  /** Statements of a branch or loop, and perhaps a jump out of it. */
  private void body() {
    statements(dice.pick(1, 1, 1, 1, 2, 2, 2, 3));
    if (place.inFunction && dice.chance(0.1)) {
      writeReturn();
    } else if (place.loops > 0 && dice.chance(0.08)) {
      write("jump");
    }
  }

  /** End a function with its result, or return early from one without. */
  void writeReturn() {
    if (place.result == null) {
      page.line("return");
      noteForm("return_nothing");
    } else if (place.result == Type.BOOL && dice.chance(0.5)) {
      write("decision");
    } else {
      String variable = dice.chance(0.6) ? variable(place.result, Set.of()) : null;
      page.line("return " + (variable == null ? expression(place.result) : variable));
      noteForm("return_value");
    }
  }

  /** Write a snippet of a section; false when none fits the scope. */
  boolean write(String section) {
    Snippet snippet = grammar.draw(section, dice, this::fits);
    if (snippet == null) {
      return false;
    }
    write(snippet, null);
    return true;
  }

  /** Write a function of the section {@code function_<result>} and make it known. */
  boolean writeFunction(Type result) {
    Snippet snippet =
        grammar.draw("function_" + (result == null ? "NONE" : result), dice, this::fits);
    if (snippet == null) {
      return false;
    }
    write(
        snippet,
        signature ->
            addFunction(
                new Signature(
                    signature.name(), signature.parameters(), signature.required(), result)));
    return true;
  }

  private boolean fits(Snippet snippet) {
    for (Map.Entry<Type, Integer> need : snippet.requires().entrySet()) {
      if (scope.count(need.getKey()) < need.getValue()) {
        return false;
      }
    }
    return true;
  }

  private void write(Snippet snippet, Consumer<Signature> definitions) {
    note(snippet);
    boolean conditional = snippet.form().contains(CONDITIONAL);
    expressionDepth += conditional ? 1 : 0;
    new Writing(snippet, definitions).block(0);
    expressionDepth -= conditional ? 1 : 0;
  }

  private void note(Snippet snippet) {
    forms.add(snippet.form());
    imports.addAll(snippet.imports());
  }

  /** An expression of a type. */
  String expression(Type type) {
    // A constant says nothing as a condition, so conditions are always forms.
    if (type != Type.BOOL && (expressionDepth >= DEEPEST_EXPRESSION || dice.chance(0.3))) {
      return atom(type);
    }
    expressionDepth++;
    try {
      if (!functions.isEmpty() && dice.chance(0.2)) {
        List<Signature> fitting = callable(signature -> signature.result() == type);
        if (!fitting.isEmpty()) {
          noteForm("call_value");
          return call(dice.pick(fitting));
        }
      }
      Snippet snippet =
          grammar.draw(
              type.name(),
              dice,
              drawn ->
                  fits(drawn) && (expressionDepth == 1 || !drawn.form().contains(CONDITIONAL)));
      if (snippet == null && type == Type.BOOL) {
        snippet = grammar.draw("BOOL_ANYWHERE", dice, this::fits);
      }
      if (snippet == null) {
        return atom(type);
      }
      note(snippet);
      return new Writing(snippet, null).text(snippet.lines().getFirst());
    } finally {
      expressionDepth--;
    }
  }

  /** A variable, a constant of the module or a literal. */
  String atom(Type type) {
    if (place.inFunction && dice.chance(0.12)) {
      List<String> fitting =
          constants.keySet().stream().filter(name -> constants.get(name) == type).toList();
      if (!fitting.isEmpty()) {
        noteForm("constant_used");
        return dice.pick(fitting);
      }
    }
    String variable = dice.chance(0.65) ? variable(type, Set.of()) : null;
    return variable == null ? literals.of(type) : variable;
  }

  /** An existing variable, rather a recent one; null when there is none but those to avoid. */
  private String variable(Type type, Set<String> avoid) {
    List<String> known = scope.of(type);
    known.removeAll(avoid);
    if (known.isEmpty()) {
      return null;
    }
    int recent = Math.min(known.size(), dice.chance(0.6) ? 2 : known.size());
    return known.get(known.size() - 1 - dice.below(recent));
  }

  /**
   * Functions that can be called from here; methods of the class being written only where there is
   * a self.
   */
  private List<Signature> callable(Predicate<Signature> fits) {
    boolean hasSelf = scope.has("self");
    return functions.values().stream()
        .filter(
            signature -> (hasSelf || !signature.name().startsWith("self.")) && fits.test(signature))
        .toList();
  }

  /** Call a function and print, keep or drop its result. */
  void callStatement(Signature signature) {
    String call = call(signature);
    if (signature.result() == null) {
      page.line(call);
      noteForm("call_statement");
    } else if (dice.chance(0.3)) {
      page.line("print(" + call + ")");
      noteForm("print_call");
    } else {
      String name = names.variable(signature.result(), scope);
      page.line(name + " = " + call);
      scope.define(name, signature.result());
      noteForm("assign_call");
    }
  }

  private String call(Signature signature) {
    expressionDepth++;
    List<String> arguments = new ArrayList<>();
    for (int i = 0; i < signature.parameters().size(); i++) {
      Parameter parameter = signature.parameters().get(i);
      if (i < signature.required()) {
        arguments.add(expression(parameter.type()));
      } else if (dice.chance(0.4)) {
        arguments.add(parameter.name() + "=" + atom(parameter.type()));
        noteForm("keyword_argument");
      }
    }
    expressionDepth--;
    String line = signature.name() + "(" + String.join(", ", arguments) + ")";
    if (line.length() > 70 && arguments.size() > 1) {
      String step = page.step();
      noteForm("wrapped_call");
      return signature.name()
          + "(\n"
          + step
          + String.join(",\n" + step, arguments)
          + (dice.chance(0.6) ? "," : "")
          + "\n)";
    }
    return line;
  }

  /** One use of a snippet: what its slots stand for, and how far it is written. */
  private final class Writing {
    private final Snippet snippet;
    private final Consumer<Signature> definitions; // told of functions; null where they are local
    private final Map<String, String> bindings = new HashMap<>();
    private final Map<Type, Set<String>> taken = new EnumMap<>(Type.class);
    private final Map<String, Type> pending =
        new LinkedHashMap<>(); // variables of the block that comes next
    private int next;
    private char openQuote;

    Writing(Snippet snippet, Consumer<Signature> definitions) {
      this.snippet = snippet;
      this.definitions = definitions;
      // Before anything is assigned: a new value must not go to a variable whose old one is still
      // to be used.
      for (Snippet.Line line : snippet.lines()) {
        for (Snippet.Part part : line.parts()) {
          if (part.sigil() == '@' && !bindings.containsKey(part.key())) {
            bindings.put(part.key(), existing(Type.valueOf(part.kind())));
          }
        }
      }
    }

    /** Write the lines of one level and, recursively, those below. */
    void block(int level) {
      while (next < snippet.lines().size() && snippet.lines().get(next).indent() >= level) {
        Snippet.Line line = snippet.lines().get(next);
        if (line.optional() && dice.chance(0.5)) {
          next++;
          continue;
        }
        if (line.isBody()) {
          next++;
          body();
          continue;
        }
        String code = text(line);
        next++;
        page.line(code);
        if (next < snippet.lines().size() && snippet.lines().get(next).indent() > level) {
          below(code, level + 1);
        }
      }
    }

    private void below(String header, int level) {
      boolean definition = header.startsWith("def ");
      Scope inside = definition ? new Scope() : scope.inner();
      pending.forEach(inside::define);
      List<Parameter> parameters =
          pending.entrySet().stream().map(e -> new Parameter(e.getKey(), e.getValue())).toList();
      pending.clear();
      if (definition) {
        if (definitions != null) {
          String name = header.substring("def ".length(), header.indexOf('('));
          definitions.accept(new Signature(name, parameters, parameters.size(), null));
        }
        Scope outerScope = scope;
        Place outerPlace = place;
        scope = inside;
        place = new Place(true, null, 0, 0);
        page.indented(() -> block(level));
        scope = outerScope;
        place = outerPlace;
      } else {
        boolean loop = header.startsWith("for ") || header.startsWith("while ");
        Author.this.block(inside, loop, () -> block(level));
      }
    }

    /** The code of a line. */
    String text(Snippet.Line line) {
      StringBuilder code = new StringBuilder();
      List<Map.Entry<String, Type>> assigned = new ArrayList<>();
      for (Snippet.Part part : line.parts()) {
        if (part.sigil() == 0) {
          appendText(code, part.kind());
        } else {
          code.append(value(part, line, assigned));
        }
      }
      assigned.forEach(variable -> scope.define(variable.getKey(), variable.getValue()));
      return code.toString();
    }

    /** Copy text; a pair of backticks stands for a pair of quotation marks. */
    private void appendText(StringBuilder code, String text) {
      for (int i = 0; i < text.length(); i++) {
        char letter = text.charAt(i);
        if (letter != '`') {
          code.append(letter);
        } else if (openQuote == 0) {
          openQuote = literals.quote();
          code.append(openQuote);
        } else {
          code.append(openQuote);
          openQuote = 0;
        }
      }
    }

    private String value(
        Snippet.Part part, Snippet.Line line, List<Map.Entry<String, Type>> assigned) {
      String known = part.isShared() ? bindings.get(part.key()) : null;
      if (known != null) {
        return known;
      }
      String value =
          switch (part.sigil()) {
            case '#' -> assign(Type.valueOf(part.kind()), line, assigned);
            case '%' -> element(part, line);
            default -> distinctCode(part);
          };
      if (part.isShared()) {
        bindings.put(part.key(), value);
      }
      return value;
    }

    private String existing(Type type) {
      Set<String> avoid = taken.computeIfAbsent(type, key -> new TreeSet<>());
      String name = variable(type, avoid);
      avoid.add(name);
      return name;
    }

    /** Code for a slot; slots with different numbers get different names. */
    private String distinctCode(Snippet.Part part) {
      String value = code(part.kind());
      while (part.isShared() && bindings.containsValue(value)) {
        value = code(part.kind());
      }
      return value;
    }

    private String assign(Type type, Snippet.Line line, List<Map.Entry<String, Type>> assigned) {
      Set<String> avoid = taken.computeIfAbsent(type, key -> new TreeSet<>());
      String name = dice.chance(0.2) ? variable(type, avoid) : null;
      if (name == null) {
        name =
            isEmptied(type, line)
                ? names.collection(bindingScope())
                : names.variable(type, bindingScope());
      }
      avoid.add(name);
      assigned.add(Map.entry(name, type));
      return name;
    }

    /** Whether a set or text is made empty, to be filled by what follows. */
    private static boolean isEmptied(Type type, Snippet.Line line) {
      return type == Type.TEXT
              && line.parts().stream().anyMatch(part -> part.kind().equals("EMPTY"))
          || type == Type.SET && line.parts().getLast().kind().endsWith("set()");
    }

    private String element(Snippet.Part part, Snippet.Line line) {
      Type type = Type.valueOf(part.kind());
      String collection = null;
      for (Snippet.Part other : line.parts()) {
        if (other.sigil() == '@'
            && (other.kind().equals("TEXTS")
                || other.kind().equals("INTS")
                || other.kind().equals("SET"))) {
          collection = bindings.get(other.key());
        }
      }
      String name = names.element(type, collection, bindingScope());
      pending.put(name, type);
      return name;
    }

    /** What new names must differ from: what exists, and what this snippet has named already. */
    private Scope bindingScope() {
      Scope all = scope.inner();
      bindings.values().forEach(name -> all.define(name, Type.OBJECT));
      return all;
    }
  }

  /** Code or words of a kind that is not a type of the same name. */
  private String code(String kind) {
    return switch (kind) {
      case "STR" -> literals.string(phrases.text());
      case "WORD" -> literals.string(phrases.word());
      case "KEY" -> literals.key();
      case "PROMPT" -> literals.string(phrases.prompt());
      case "INFILE" -> literals.string(phrases.inputFile());
      case "OUTFILE" -> literals.string(phrases.outputFile());
      case "SEP" ->
          literals.string(
              dice.pick(",", " ", ", ", "-", "\\n", ";", ":", "_", "/", " - ", "\\t", "|"));
      case "CHAR" ->
          literals.string(
              dice.pick("a", "b", "x", "#", "*", "-", ".", " ", "e", "o", "@", "!", "0", "s"));
      case "EMPTY" -> dice.chance(0.35) ? "str()" : literals.string("");
      case "MSG" -> dice.chance(0.65) ? code("STR") : code("FSTR");
      case "FSTR" -> formatted();
      case "NUM" -> literals.integer();
      case "SMALL" -> Integer.toString(dice.between(2, 9));
      case "BIG" -> Integer.toString(dice.between(10, 500));
      case "ZERO" -> dice.pick("0", "0", "0", "1");
      case "DEC" -> literals.fraction();
      case "NOUN" -> dice.pick(Lexicon.NOUNS);
      case "CNOUN" -> Names.capitalised(dice.pick(Lexicon.NOUNS));
      case "ADJ" -> dice.pick(Lexicon.ADJECTIVES);
      case "PLURAL" -> Lexicon.plural(dice.pick(Lexicon.NOUNS));
      case "ATTR" -> dice.pick(Lexicon.ATTRIBUTES);
      case "EXC" -> dice.pick(Lexicon.EXCEPTIONS);
      case "COMMENT" -> phrases.comment();
      case "SUMMARY" -> phrases.summary();
      case "FUNC" -> unusedFunction(names.function());
      case "PRED" -> unusedFunction(names.predicate());
      case "ARG" ->
          dice.pick(
              dice.pick("x", "n", "item", "pair", "a", "value", "s", "word"),
              dice.pick(Lexicon.NOUNS),
              names.function());
      case "CALL" -> piece(kind, Type.INT);
      case "LIST_CALL" -> piece(kind, Type.INTS);
      case "CONDITION" -> piece(kind, Type.BOOL);
      case "SPREAD_INTS" -> literals.spread(Type.INTS, page.step());
      case "SPREAD_TEXTS" -> literals.spread(Type.TEXTS, page.step());
      case "SPREAD_GRID" -> literals.spread(Type.GRID, page.step());
      case "SPREAD_COUNTS" -> literals.spread(Type.COUNTS, page.step());
      case "SPREAD_RECORD" -> literals.spread(Type.RECORD, page.step());
      case "SPREAD_PAIRS" -> literals.spread(Type.PAIRS, page.step());
      case "SPREAD_SET" -> literals.spread(Type.SET, page.step());
      default -> {
        boolean literal = kind.endsWith("_LIT");
        Type type = Type.valueOf(literal ? kind.substring(0, kind.length() - 4) : kind);
        yield literal ? literals.of(type) : expression(type);
      }
    };
  }

  /** An expression of a section; one of a type where none of them fits the scope. */
  private String piece(String section, Type otherwise) {
    Snippet snippet = grammar.draw(section, dice, this::fits);
    if (snippet == null) {
      return atom(otherwise);
    }
    note(snippet);
    return new Writing(snippet, null).text(snippet.lines().getFirst());
  }

  private String unusedFunction(String name) {
    return functions.containsKey(name) || scope.has(name) ? name + "_" + dice.between(2, 9) : name;
  }

  /** An f-string with one or two variables in it. */
  private String formatted() {
    Deque<String> fields = new ArrayDeque<>();
    for (int i = dice.between(1, 2); i > 0; i--) {
      String field = field();
      if (field != null) {
        fields.add(field);
      }
    }
    if (fields.isEmpty()) {
      return literals.string(phrases.text());
    }
    noteForm("f_string");
    char quote = literals.quote();
    StringBuilder code = new StringBuilder("f").append(quote);
    String first = "{" + fields.pop() + "}";
    String second = fields.isEmpty() ? "" : "{" + fields.pop() + "}";
    String noun = dice.pick(Lexicon.NOUNS);
    code.append(
        switch (dice.below(10)) {
          case 0 ->
              first + (second.isEmpty() ? "" : dice.pick(" ", ", ", ": ", "-", " = ") + second);
          case 1 ->
              Names.capitalised(noun)
                  + ": "
                  + first
                  + (second.isEmpty() ? "" : " (" + second + ")");
          case 2 -> "The " + noun + " is " + first + second;
          case 3 -> first + " " + Lexicon.plural(noun) + (second.isEmpty() ? "" : " in " + second);
          case 4 -> "Hello, " + first + "!" + (second.isEmpty() ? "" : " You are " + second + ".");
          case 5 ->
              noun
                  + "="
                  + first
                  + (second.isEmpty() ? "" : ", " + dice.pick(Lexicon.NOUNS) + "=" + second);
          case 6 ->
              Names.capitalised(noun)
                  + " "
                  + first
                  + " is "
                  + dice.pick(Lexicon.ADJECTIVES)
                  + (second.isEmpty() ? "" : ", not " + second);
          case 7 -> "Invalid " + noun + " " + first + (second.isEmpty() ? "" : " at " + second);
          case 8 -> phrases.word() + "_" + first + (second.isEmpty() ? ".txt" : "_" + second);
          default ->
              Names.capitalised(dice.pick(Lexicon.VERBS))
                  + " "
                  + first
                  + (second.isEmpty() ? "" : " and " + second);
        });
    return code.append(quote).toString();
  }

  /**
   * What stands between the braces of an f-string; no quotation marks in it, which Python before
   * 3.12 forbids.
   */
  private String field() {
    Type type =
        dice.pick(Type.INT, Type.TEXT, Type.INT, Type.TEXT, Type.FLOAT, Type.TEXTS, Type.INTS);
    String variable = variable(type, Set.of());
    if (variable == null) {
      return null;
    }
    return switch (type) {
      case INT ->
          dice.chance(0.8)
              ? variable
              : dice.pick(variable + " + 1", variable + " * 2", variable + ":3d", variable + ":,");
      case TEXT ->
          dice.chance(0.8)
              ? variable
              : dice.pick(
                  variable + ".upper()", variable + "!r", variable + ":>10", variable + ".title()");
      case FLOAT -> variable + dice.pick("", ":.2f", ":.2f", ":.1f", ":.0%");
      default -> dice.pick("len(" + variable + ")", variable, variable + "[0]");
    };
  }
}
