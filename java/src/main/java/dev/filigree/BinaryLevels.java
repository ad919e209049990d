// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

/**
 * Two values for every node of a circuit, made by {@link Model#binarise}. The arrays are not
 * copied.
 *
 * @param low said instead of activations nearer to it than to high; 0 for nodes outside
 * @param high said otherwise
 */
public record BinaryLevels(float[] low, float[] high) {}
