// SPDX-License-Identifier: Apache-2.0
/** Filigree's Java interface: start at {@code Engine}. */
package dev.filigree;
