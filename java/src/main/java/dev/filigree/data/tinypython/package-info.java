// SPDX-License-Identifier: Apache-2.0
/**
 * The grammar behind {@link dev.filigree.data.TinyPython}: seeded generation of small, valid Python
 * programs in which every name is defined before it is used.
 *
 * <p>{@link dev.filigree.data.tinypython.Program} is the entry. The forms of the language are in
 * the resource {@code forms.grammar}, read by {@code Grammar}; an {@code Author} turns them into
 * lines of a {@code Page}, keeping a {@code Scope} of what exists; {@code Functions} and {@code
 * Classes} write definitions; {@code Names}, {@code Phrases}, {@code Literals} and the {@code
 * Lexicon} have the words. A form that needs a variable which does not exist is passed over.
 */
package dev.filigree.data.tinypython;
