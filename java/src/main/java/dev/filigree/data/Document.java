// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data;

/**
 * One text of a corpus.
 *
 * @param name where it comes from: a path below the corpus folder, or a number
 * @param text well-formed text with {@code \n} line ends
 */
public record Document(String name, String text) {}
