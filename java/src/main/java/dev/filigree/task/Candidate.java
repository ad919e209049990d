// SPDX-License-Identifier: Apache-2.0
package dev.filigree.task;

/**
 * A pair of prompts before it is known whether a vocabulary can express it.
 *
 * @param promptA code up to the place where the answer is due
 * @param promptB the same code with the other cue
 * @param completionA what rightly follows {@code promptA}, as real code goes on: with the line end
 *     if there is one
 * @param completionB what rightly follows {@code promptB}
 */
public record Candidate(String promptA, String promptB, String completionA, String completionB) {}
