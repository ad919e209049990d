// SPDX-License-Identifier: Apache-2.0
package dev.filigree.bench;

import dev.filigree.TokenStream;
import dev.filigree.data.TokenFile;
import dev.filigree.data.TokenFileInfo;
import dev.filigree.experiment.RunConfig;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import java.util.TreeMap;

/**
 * Random tokens in a file that goes away with the process; a trainer wants some text even if it is
 * not sampled.
 */
final class BenchmarkText {
  private BenchmarkText() {}

  static List<TokenStream> streams(RunConfig config, SplittableRandom random) {
    int count = 2 * config.model().blockSize();
    int vocabulary = config.model().vocabSize();
    try {
      Path folder = Files.createTempDirectory("filigree-bench");
      Path path = folder.resolve("random.train" + TokenFile.EXTENSION);
      try (TokenFile.Writer writer = new TokenFile.Writer(path)) {
        for (int i = 0; i < count; i++) {
          writer.append(random.nextInt(vocabulary));
        }
        writer.commit(
            new TokenFileInfo(
                "random",
                "train",
                1,
                1,
                count,
                count,
                vocabulary,
                "none",
                "none",
                new TreeMap<>()));
      }
      try (TokenFile file = TokenFile.open(path)) {
        return List.of(new TokenStream(file, 1));
      } finally {
        path.toFile().deleteOnExit();
        folder.toFile().deleteOnExit();
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
