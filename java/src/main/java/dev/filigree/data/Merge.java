// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data;

/** One learnt merge: the two tokens that, side by side, become the next token. */
record Merge(int left, int right) {}
