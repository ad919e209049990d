// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data;

import java.util.function.Consumer;

/**
 * A named source of documents that gives the same documents in the same order each time it is read.
 */
public interface Corpus {
  /** Byte budget that stands for "all there is". */
  long UNLIMITED = Long.MAX_VALUE;

  /**
   * Name in run folders, metrics and file names: lower-case letters, digits, {@code _} and {@code
   * -}.
   */
  String name();

  /**
   * Hand documents to a sink, in order.
   *
   * @param byteBudget stop before the document that would exceed this many UTF-8 bytes, but not
   *     before the first
   * @throws DataException when there is no usable document
   */
  CorpusReport read(long byteBudget, Consumer<Document> sink);
}
