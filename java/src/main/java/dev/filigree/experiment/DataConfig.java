// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.filigree.data.Corpus;
import dev.filigree.data.FolderCorpus;
import dev.filigree.data.PythonStandardLibrary;
import dev.filigree.data.TinyPython;
import dev.filigree.data.TokenDataset;
import java.nio.file.Path;
import java.util.List;

/**
 * What a model reads.
 *
 * @param corpora the mix
 * @param tokenizerBytes UTF-8 bytes the tokenizer is learnt from, over all corpora
 */
public record DataConfig(List<Source> corpora, long tokenizerBytes) {
  public DataConfig {
    corpora = List.copyOf(corpora);
    if (corpora.isEmpty()) {
      throw new IllegalArgumentException("corpora names no corpus; there must be one at least");
    }
    if (tokenizerBytes < 1) {
      throw new IllegalArgumentException("tokenizer_bytes is at least 1, not " + tokenizerBytes);
    }
  }

  /** Where documents come from. */
  public enum Kind {
    /** The standard library of the python3 on the search path. */
    @JsonProperty("stdlib")
    STDLIB,
    /** The .py files below folders. */
    @JsonProperty("folder")
    FOLDER,
    /** Generated programs. */
    @JsonProperty("tinypython")
    TINYPYTHON
  }

  /**
   * One corpus of the mix.
   *
   * @param name in metrics and file names
   * @param kind where its documents come from
   * @param folders of kind folder; empty otherwise
   * @param share relative weight in training, above 0
   * @param bytes most UTF-8 bytes to take
   * @param seed of kind tinypython; 0 otherwise
   */
  public record Source(
      String name, Kind kind, List<String> folders, double share, long bytes, long seed) {
    public Source {
      folders = List.copyOf(folders);
      if (!(share > 0 && Double.isFinite(share))) {
        throw new IllegalArgumentException("share is above 0, not " + share);
      }
      if (bytes < 1) {
        throw new IllegalArgumentException("bytes is at least 1, not " + bytes);
      }
      if (folders.isEmpty() == (kind == Kind.FOLDER)) {
        throw new IllegalArgumentException(
            kind == Kind.FOLDER
                ? "a corpus of kind folder names its folders"
                : "only a corpus of kind folder has folders");
      }
    }

    public static Source stdlib(double share) {
      return new Source(
          PythonStandardLibrary.NAME, Kind.STDLIB, List.of(), share, Corpus.UNLIMITED, 0);
    }

    public static Source tinypython(double share, long bytes, long seed) {
      return new Source(TinyPython.NAME, Kind.TINYPYTHON, List.of(), share, bytes, seed);
    }

    public static Source folder(String name, Path folder, double share) {
      return new Source(name, Kind.FOLDER, List.of(folder.toString()), share, Corpus.UNLIMITED, 0);
    }

    TokenDataset.Source open() {
      Corpus corpus =
          switch (kind) {
            case STDLIB -> PythonStandardLibrary.locate();
            case FOLDER -> new FolderCorpus(name, folders.stream().map(Path::of).toList());
            case TINYPYTHON -> new TinyPython(seed);
          };
      return new TokenDataset.Source(corpus, share, bytes);
    }
  }

  /** Open every corpus of the mix. */
  List<TokenDataset.Source> open() {
    return corpora.stream().map(Source::open).toList();
  }
}
