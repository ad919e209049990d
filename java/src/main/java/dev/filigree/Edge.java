// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

/**
 * One nonzero weight between two kept nodes.
 *
 * @param source flat index of the node it reads
 * @param target flat index of the node it writes
 * @param weight its value
 */
public record Edge(int source, int target, float weight) {}
