// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.TokenStream;
import dev.filigree.data.TokenFile;
import dev.filigree.data.TokenFileInfo;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import java.util.TreeMap;

/**
 * Random tokens to time steps on: what the tokens are does not change how long a step takes. The
 * file goes away with the object, which must outlive only the making of a trainer.
 */
public final class RandomText implements AutoCloseable {
  private static final long TOKENS = 1 << 17;

  private final Path folder;
  private final TokenFile file;

  /**
   * @param vocabulary number of different tokens
   */
  public RandomText(int vocabulary) {
    try {
      folder = Files.createTempDirectory("filigree-bench");
      Path path = folder.resolve("random" + TokenFile.EXTENSION);
      SplittableRandom random = new SplittableRandom(1);
      try (TokenFile.Writer writer = new TokenFile.Writer(path)) {
        for (long i = 0; i < TOKENS; i++) {
          writer.append(random.nextInt(vocabulary));
        }
        writer.commit(
            new TokenFileInfo(
                "random", "train", 1, 1, TOKENS, 2 * TOKENS, vocabulary, "", "", new TreeMap<>()));
      }
      file = TokenFile.open(path);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Return the text as the one stream of a trainer. */
  public List<TokenStream> streams() {
    return List.of(new TokenStream(file, 1));
  }

  @Override
  public void close() {
    file.close();
    try (var files = Files.list(folder)) {
      for (Path one : files.toList()) {
        Files.delete(one);
      }
      Files.delete(folder);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
