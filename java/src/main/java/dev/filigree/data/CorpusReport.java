// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data;

import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * What reading a corpus gave.
 *
 * @param documents number of documents handed on
 * @param bytes their size in UTF-8
 * @param skipped number of files left out, by reason
 */
public record CorpusReport(long documents, long bytes, Map<SkipReason, Long> skipped) {
  public CorpusReport {
    skipped = Map.copyOf(skipped);
  }

  /** Number of files left out. */
  public long skippedFiles() {
    return skipped.values().stream().mapToLong(Long::longValue).sum();
  }

  /** Such as "2 empty, 1 binary"; "none" when nothing was left out. */
  public String describeSkipped() {
    return skipped.isEmpty()
        ? "none"
        : new TreeMap<>(skipped)
            .entrySet().stream()
                .map(entry -> entry.getValue() + " " + entry.getKey().key().replace('_', ' '))
                .collect(Collectors.joining(", "));
  }
}
