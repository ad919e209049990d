// SPDX-License-Identifier: Apache-2.0
/**
 * The grammar behind {@link dev.filigree.data.TinyPython}: seeded generation of small, valid Python
 * programs in which every name is defined before it is used.
 *
 * <p>{@link dev.filigree.data.tinypython.Program} is the entry. A program has a {@code Style}, a
 * {@code Page} it is written on and a stack of {@code Scope}s; {@code Expressions}, {@code
 * Literals}, {@code Statements}, {@code Blocks}, {@code Idioms}, {@code Functions} and {@code
 * Classes} each hold weighted rules, and a rule's name is the form it writes. A rule that finds no
 * fitting variable declines and another one is drawn.
 */
package dev.filigree.data.tinypython;
