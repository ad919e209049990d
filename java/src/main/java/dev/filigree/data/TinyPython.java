// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data;

import dev.filigree.data.tinypython.Program;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Consumer;

/**
 * An endless corpus of small generated Python programs (method 5): valid, every name defined before
 * its use, and rich in the constructs that the tasks ask about. The same seed gives the same
 * programs.
 */
public final class TinyPython implements Corpus {
  /** Name of the corpus. */
  public static final String NAME = "tinypython";

  private final long seed;

  public TinyPython(long seed) {
    this.seed = seed;
  }

  @Override
  public String name() {
    return NAME;
  }

  /** The program of a number; programs do not depend on each other. */
  public Document document(long index) {
    long programSeed = new SplittableRandom(seed ^ index * 0x9E3779B97F4A7C15L).nextLong();
    return new Document(Long.toString(index), Program.write(programSeed).text());
  }

  /**
   * Generate programs up to the budget.
   *
   * @throws IllegalArgumentException without a budget, as there is no end to the programs
   */
  @Override
  public CorpusReport read(long byteBudget, Consumer<Document> sink) {
    if (byteBudget == UNLIMITED) {
      throw new IllegalArgumentException("the tinypython corpus has no end; give it a byte budget");
    }
    long documents = 0;
    long bytes = 0;
    while (true) {
      Document document = document(documents);
      int size = document.text().getBytes(StandardCharsets.UTF_8).length;
      if (documents > 0 && size > byteBudget - bytes) {
        return new CorpusReport(documents, bytes, Map.of());
      }
      sink.accept(document);
      documents++;
      bytes += size;
    }
  }
}
