// SPDX-License-Identifier: Apache-2.0
/** What was found: {@link dev.filigree.circuit.Circuit}, its file and its table. */
package dev.filigree.circuit;
