// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

/**
 * The tokens that a circuit tells apart. The arrays are not copied.
 *
 * @param keep for every token of the vocabulary, whether it is embedded as it is
 * @param embedding what all others are embedded as, one value a residual channel
 */
public record TokenMask(boolean[] keep, float[] embedding) {}
