// SPDX-License-Identifier: Apache-2.0
/** The one dialect of JSON in this module; see {@link dev.filigree.json.Json}. */
package dev.filigree.json;
