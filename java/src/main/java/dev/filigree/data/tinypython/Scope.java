// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data.tinypython;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Variables that exist at the place being written. What a block defines is forgotten after it, as
 * it may not run.
 */
final class Scope {
  private final Scope outer;
  private final Map<String, Type> variables = new LinkedHashMap<>();

  /** An empty scope that sees nothing, as a function body does for local variables. */
  Scope() {
    this(null);
  }

  private Scope(Scope outer) {
    this.outer = outer;
  }

  /** A scope inside this one. */
  Scope inner() {
    return new Scope(this);
  }

  void define(String name, Type type) {
    Scope owner = this;
    while (owner != null && !owner.variables.containsKey(name)) {
      owner = owner.outer;
    }
    (owner == null ? this : owner).variables.put(name, type);
  }

  boolean has(String name) {
    return variables.containsKey(name) || (outer != null && outer.has(name));
  }

  /** Number of variables of a type. */
  int count(Type type) {
    int count = outer == null ? 0 : outer.count(type);
    for (Type found : variables.values()) {
      count += found == type ? 1 : 0;
    }
    return count;
  }

  /** All variables of a type, innermost last. */
  List<String> of(Type type) {
    List<String> names = outer == null ? new ArrayList<>() : outer.of(type);
    variables.forEach(
        (name, found) -> {
          if (found == type) {
            names.add(name);
          }
        });
    return names;
  }
}
