// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Makes the token files of a run from a mix of corpora.
 *
 * <p>Whether a document is held out for validation depends on its text alone (about one in {@value
 * #DOCUMENTS_PER_VALIDATION_DOCUMENT}), so a document never changes sides when the mix changes. A
 * corpus in which no document is chosen gives up the one with the lowest hash; its other documents
 * come in their order, this one apart.
 */
public final class TokenDataset {
  /** One document in this many goes to validation. */
  public static final int DOCUMENTS_PER_VALIDATION_DOCUMENT = 50;

  private TokenDataset() {}

  /**
   * One corpus of a mix.
   *
   * @param corpus where the documents come from
   * @param share relative weight in training, above 0
   * @param byteBudget most UTF-8 bytes to take; {@link Corpus#UNLIMITED} for all there is
   */
  public record Source(Corpus corpus, double share, long byteBudget) {
    public Source {
      if (!(share > 0) || Double.isInfinite(share)) {
        throw new IllegalArgumentException(
            "share %s of corpus %s is not a positive number".formatted(share, corpus.name()));
      }
      if (byteBudget <= 0) {
        throw new IllegalArgumentException(
            "byte budget %d of corpus %s is not positive".formatted(byteBudget, corpus.name()));
      }
    }
  }

  /**
   * The token files of one corpus.
   *
   * @param corpus name of the corpus
   * @param share relative weight in training
   */
  public record Part(String corpus, double share, Path train, Path validation) {}

  /**
   * Learn a tokenizer from a mix, each corpus seen in proportion to its share as far as its budget
   * goes.
   *
   * @param vocabularySize number of tokens
   * @param byteBudget bytes of text to learn from, over all corpora
   */
  public static Tokenizer learnTokenizer(
      List<Source> sources, int vocabularySize, long byteBudget) {
    requireDistinct(sources);
    double shares = sources.stream().mapToDouble(Source::share).sum();
    BpeTrainer trainer = new BpeTrainer(vocabularySize);
    for (Source source : sources) {
      long bytes = Math.max(1, (long) (byteBudget * (source.share() / shares)));
      source
          .corpus()
          .read(Math.min(source.byteBudget(), bytes), document -> trainer.add(document.text()));
    }
    return trainer.train();
  }

  /**
   * Write {@code <corpus>.train.u16} and {@code <corpus>.val.u16} for every corpus of a mix.
   *
   * @param folder where to; made if missing
   * @throws DataException when a corpus has fewer than two documents or the files cannot be written
   */
  public static List<Part> prepare(Path folder, Tokenizer tokenizer, List<Source> sources) {
    requireDistinct(sources);
    List<Part> parts = new ArrayList<>();
    for (Source source : sources) {
      String name = source.corpus().name();
      Part part =
          new Part(
              name,
              source.share(),
              folder.resolve(name + ".train" + TokenFile.EXTENSION),
              folder.resolve(name + ".val" + TokenFile.EXTENSION));
      try (Split train = new Split(part.train(), "train", tokenizer);
          Split validation = new Split(part.validation(), "validation", tokenizer)) {
        write(source, tokenizer, train, validation);
      } catch (IOException | UncheckedIOException e) {
        throw new DataException("cannot write token files to " + folder + ": " + e.getMessage(), e);
      }
      parts.add(part);
    }
    return parts;
  }

  private static void write(Source source, Tokenizer tokenizer, Split train, Split validation)
      throws IOException {
    MessageDigest corpusDigest = Hashes.sha256();
    // The best validation document so far, while none was chosen by its hash.
    Hashed[] held = {null};
    CorpusReport report =
        source
            .corpus()
            .read(
                source.byteBudget(),
                document -> {
                  Hashed hashed = Hashed.of(document);
                  corpusDigest.update(hashed.hash());
                  if (hashed.isValidation()) {
                    validation.append(hashed);
                  } else if (validation.documents == 0
                      && (held[0] == null || hashed.isBefore(held[0]))) {
                    Hashed released = held[0];
                    held[0] = hashed;
                    if (released != null) {
                      train.append(released);
                    }
                  } else {
                    train.append(hashed);
                  }
                });
    if (held[0] != null) {
      (validation.documents == 0 ? validation : train).append(held[0]);
    }
    if (train.documents == 0 || validation.documents == 0) {
      throw new DataException(
          "corpus %s has %d document(s); at least two are needed, one of them for validation"
              .formatted(source.corpus().name(), report.documents()));
    }
    String corpusHash = Hashes.hex(corpusDigest);
    train.commit(source, tokenizer, corpusHash, report);
    validation.commit(source, tokenizer, corpusHash, report);
  }

  private static void requireDistinct(List<Source> sources) {
    if (sources.isEmpty()) {
      throw new IllegalArgumentException("a mix needs at least one corpus");
    }
    Set<String> names = new HashSet<>();
    for (Source source : sources) {
      if (!names.add(source.corpus().name())) {
        throw new IllegalArgumentException(
            "two corpora of the mix are called " + source.corpus().name());
      }
    }
  }

  /** A document and the hash that decides on which side it is. */
  private record Hashed(Document document, byte[] encoded, byte[] hash) {
    static Hashed of(Document document) {
      byte[] encoded = document.text().getBytes(UTF_8);
      return new Hashed(document, encoded, Hashes.sha256().digest(encoded));
    }

    boolean isValidation() {
      long prefix = 0;
      for (int i = 0; i < Long.BYTES; i++) {
        prefix = prefix << Byte.SIZE | hash[i] & 0xFF;
      }
      return Long.remainderUnsigned(prefix, DOCUMENTS_PER_VALIDATION_DOCUMENT) == 0;
    }

    boolean isBefore(Hashed other) {
      return Arrays.compareUnsigned(hash, other.hash) < 0;
    }
  }

  /** One of the two token files of a corpus while it is written. */
  private static final class Split implements AutoCloseable {
    private final String name;
    private final Tokenizer tokenizer;
    private final TokenFile.Writer writer;
    private long documents;
    private long bytes;

    Split(Path path, String name, Tokenizer tokenizer) throws IOException {
      this.name = name;
      this.tokenizer = tokenizer;
      this.writer = new TokenFile.Writer(path);
    }

    void append(Hashed document) {
      try {
        writer.append(tokenizer.encode(document.document().text()));
        writer.append(tokenizer.endOfText());
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      documents++;
      bytes += document.encoded().length;
    }

    void commit(Source source, Tokenizer tokenizer, String corpusHash, CorpusReport report)
        throws IOException {
      SortedMap<String, Long> skipped = new TreeMap<>();
      report.skipped().forEach((reason, count) -> skipped.put(reason.key(), count));
      writer.commit(
          new TokenFileInfo(
              source.corpus().name(),
              name,
              source.share(),
              documents,
              writer.count(),
              bytes,
              tokenizer.vocabularySize(),
              tokenizer.hash(),
              corpusHash,
              skipped));
    }

    @Override
    public void close() throws IOException {
      writer.close();
    }
  }
}
