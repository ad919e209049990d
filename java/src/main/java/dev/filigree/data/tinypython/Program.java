// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data.tinypython;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * One generated program.
 *
 * @param text valid Python that ends in a line end
 * @param forms names of the forms of the grammar it uses
 */
public record Program(String text, Set<String> forms) {
  /** Chance that a program is a sheet of short statements rather than a whole. */
  private static final double SHEETS = 0.5;

  private static final List<Type> CONSTANT_TYPES =
      List.of(
          Type.INT,
          Type.TEXT,
          Type.INTS,
          Type.TEXTS,
          Type.GRID,
          Type.COUNTS,
          Type.RECORD,
          Type.FLOAT);
  private static final List<String> UNUSED_IMPORTS =
      List.of(
          "import os",
          "import sys",
          "import re",
          "import time",
          "import math",
          "import random",
          "import json",
          "import argparse",
          "import itertools",
          "import datetime as dt",
          "import numpy as np",
          "from pathlib import Path",
          "from typing import List, Optional",
          "from collections import Counter, defaultdict",
          "from datetime import datetime");

  /** Write the program of a seed. */
  public static Program write(long seed) {
    return new Writer(new Dice(seed)).write();
  }

  /** Names of the forms that the grammar file defines; the forms of a program include some more. */
  public static Set<String> grammarForms() {
    return new TreeSet<>(Grammar.get().forms());
  }

  /** The order of a program's parts. */
  private static final class Writer {
    private final Dice dice;
    private final Author author;
    private final Page page;
    private final Functions functions;
    private final Classes classes;

    Writer(Dice dice) {
      this.dice = dice;
      this.author = new Author(dice);
      this.page = author.page;
      this.functions = new Functions(author);
      this.classes = new Classes(author, functions);
    }

    Program write() {
      if (dice.chance(SHEETS)) {
        sheet();
        return new Program(head() + page.text(), author.forms());
      }
      constants(dice.pick(0, 0, 1, 1, 2, 3));
      boolean script = dice.chance(0.3);
      if (!script) {
        definitions(dice.pick(1, 2, 2, 3, 3, 4));
      }
      if (script || dice.chance(0.75)) {
        main(script);
      }
      return new Program(head() + page.text(), author.forms());
    }

    /** Short statements and definitions that differ in what the tasks ask for, side by side. */
    private void sheet() {
      author.setup(dice.between(3, 5));
      for (int i = dice.between(8, 20); i > 0; i--) {
        if (dice.chance(0.25)) {
          functions.stub();
          if (dice.chance(0.6)) {
            page.blank();
          }
        } else if (dice.chance(0.1)) {
          classes.stub();
        } else if (!author.write("contrast")) {
          author.statements(1);
        }
      }
      author.noteForm("sheet");
    }

    /** Docstring and imports, known only once the rest is written. */
    private String head() {
      StringBuilder head = new StringBuilder();
      if (dice.chance(0.15)) {
        head.append("\"\"\"").append(author.phrases.summary()).append("\"\"\"\n\n");
        author.noteForm("module_docstring");
      } else if (dice.chance(0.1)) {
        head.append("# ").append(author.phrases.comment()).append("\n");
      }
      List<String> imports = new ArrayList<>(author.imports());
      for (int i = dice.pick(0, 0, 0, 1, 2); i > 0; i--) {
        String line = dice.pick(UNUSED_IMPORTS);
        if (!imports.contains(line)) {
          imports.add(line);
        }
      }
      Collections.sort(imports);
      if (!imports.isEmpty()) {
        author.noteForm("import");
        imports.forEach(line -> head.append(line).append('\n'));
        head.append(dice.chance(0.8) ? "\n" : "\n\n");
      }
      return head.toString();
    }

    private void constants(int count) {
      for (int i = 0; i < count; i++) {
        Type type = dice.pick(CONSTANT_TYPES);
        String name = author.names.constant(type, author.scope());
        boolean spread =
            type != Type.INT && type != Type.FLOAT && type != Type.TEXT && dice.chance(0.4);
        page.line(
            name
                + " = "
                + (spread ? author.literals.spread(type, page.step()) : author.literals.of(type)));
        author.addConstant(name, type);
        author.noteForm(spread ? "spread_constant" : "constant");
      }
      if (count > 0) {
        page.blank();
      }
    }

    private void definitions(int count) {
      for (int i = 0; i < count; i++) {
        int before = page.length();
        if (dice.chance(0.28)) {
          classes.define();
        } else {
          functions.define();
        }
        if (page.length() > before) {
          for (int blank = author.style.blankLines(); blank > 0; blank--) {
            page.blank();
          }
        }
      }
    }

    private void main(boolean script) {
      boolean guarded = !script && dice.chance(0.4);
      if (guarded && dice.chance(0.5) && !author.hasFunction("main")) {
        author.function("def main():", new Scope(), null, () -> mainStatements(dice.between(2, 6)));
        page.blank();
        page.line(guard());
        page.indented(() -> page.line("main()"));
        author.noteForm("main_function");
      } else if (guarded) {
        page.line(guard());
        page.indented(() -> mainStatements(dice.between(2, 6)));
        author.noteForm("main_guard");
      } else {
        mainStatements(dice.between(3, script ? 12 : 7));
      }
    }

    private String guard() {
      return "if __name__ == " + author.literals.string("__main__") + ":";
    }

    private void mainStatements(int count) {
      author.setup(dice.between(1, 3));
      for (int i = 0; i < count; i++) {
        if (!classes.isEmpty() && dice.chance(0.3)) {
          classes.use();
        } else {
          author.statements(1);
        }
        if (dice.chance(0.12) && i + 1 < count) {
          page.blank();
        }
      }
    }
  }
}
