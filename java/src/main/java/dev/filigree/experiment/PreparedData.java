// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.Model;
import dev.filigree.TokenStream;
import dev.filigree.data.AtomicFile;
import dev.filigree.data.TokenDataset;
import dev.filigree.data.TokenFile;
import dev.filigree.data.TokenFileInfo;
import dev.filigree.data.Tokenizer;
import dev.filigree.json.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The tokenizer and the token files of a run, open. */
final class PreparedData implements AutoCloseable {
  /** Written last: token files beside it are complete and made by this configuration. */
  private static final String MARKER = "data.json";

  /**
   * The two token files of one corpus.
   *
   * @param share of the mix
   */
  record Part(String corpus, double share, TokenFile train, TokenFile validation) {}

  private final Tokenizer tokenizer;
  private final List<Part> parts;

  private PreparedData(Tokenizer tokenizer, List<Part> parts) {
    this.tokenizer = tokenizer;
    this.parts = parts;
  }

  /** Open what is there, and make what is missing or was made by another configuration. */
  static PreparedData prepare(RunFolder run, RunConfig config, Progress progress) {
    Path marker = run.data().resolve(MARKER);
    String wanted = Json.write(config.data()) + "\n" + config.model().vocabSize() + "\n";
    try {
      if (!Files.isRegularFile(marker) || !Files.readString(marker).equals(wanted)) {
        // Whatever comes of this, the files will no longer be those that the marker tells of.
        Files.deleteIfExists(marker);
        List<TokenDataset.Source> sources = config.data().open();
        progress.phase("learning a tokenizer of %d tokens".formatted(config.model().vocabSize()));
        Tokenizer tokenizer =
            TokenDataset.learnTokenizer(
                sources, config.model().vocabSize(), config.data().tokenizerBytes());
        tokenizer.save(run.tokenizer());
        for (TokenDataset.Source source : sources) {
          progress.phase("encoding corpus " + source.corpus().name());
          TokenDataset.prepare(run.data(), tokenizer, List.of(source));
        }
        AtomicFile.write(marker, wanted.getBytes(StandardCharsets.UTF_8));
      }
    } catch (IOException e) {
      throw new RunException("cannot write to " + run.data() + ": " + e.getMessage(), e);
    }
    return open(run, config);
  }

  /** Open what {@link #prepare} made. */
  static PreparedData open(RunFolder run, RunConfig config) {
    Tokenizer tokenizer = Tokenizer.load(run.tokenizer());
    if (tokenizer.vocabularySize() != config.model().vocabSize()) {
      throw new RunException(
          "the tokenizer in %s has %d tokens, the model %d"
              .formatted(run.tokenizer(), tokenizer.vocabularySize(), config.model().vocabSize()));
    }
    List<Part> parts = new ArrayList<>();
    PreparedData data = new PreparedData(tokenizer, parts);
    try {
      for (DataConfig.Source source : config.data().corpora()) {
        TokenFile train = open(run, source.name() + ".train", tokenizer);
        try {
          TokenFile validation = open(run, source.name() + ".val", tokenizer);
          parts.add(new Part(source.name(), source.share(), train, validation));
        } catch (RuntimeException e) {
          train.close();
          throw e;
        }
      }
      return data;
    } catch (RuntimeException e) {
      data.close();
      throw e;
    }
  }

  private static TokenFile open(RunFolder run, String name, Tokenizer tokenizer) {
    TokenFile file = TokenFile.open(run.data().resolve(name + TokenFile.EXTENSION));
    if (!file.info().vocabularyHash().equals(tokenizer.hash())) {
      file.close();
      throw new RunException(
          "token file %s was made with another tokenizer than the one in %s"
              .formatted(file.path(), run.tokenizer()));
    }
    return file;
  }

  Tokenizer tokenizer() {
    return tokenizer;
  }

  List<Part> parts() {
    return parts;
  }

  List<TokenStream> trainStreams() {
    return parts.stream().map(part -> new TokenStream(part.train(), part.share())).toList();
  }

  /** Facts of every corpus, for run.json. */
  List<TokenFileInfo> infos() {
    return parts.stream().map(part -> part.train().info()).toList();
  }

  /** Measure the held-out loss of every corpus, in the order of the mix. */
  Map<String, Double> losses(Model model, int batch, int sequences) {
    Map<String, Double> losses = new LinkedHashMap<>();
    for (Part part : parts) {
      losses.put(part.corpus(), model.loss(part.validation(), batch, sequences).loss());
    }
    return losses;
  }

  /**
   * How often each token of the vocabulary comes in the training text, each corpus weighing its
   * share.
   */
  double[] tokenShares(int vocabulary) {
    double[] shares = new double[vocabulary];
    for (Part part : parts) {
      long[] counts = new long[vocabulary];
      for (long i = 0; i < part.train().count(); i++) {
        counts[part.train().token(i)]++;
      }
      for (int token = 0; token < vocabulary; token++) {
        shares[token] += weight(part) * counts[token] / part.train().count();
      }
    }
    return shares;
  }

  /** Fraction of the mix that a corpus is. */
  double weight(Part part) {
    return part.share() / parts.stream().mapToDouble(Part::share).sum();
  }

  /** Average over the mix: each corpus weighs its share. */
  double mean(Map<String, Double> values) {
    return parts.stream().mapToDouble(p -> weight(p) * values.get(p.corpus())).sum();
  }

  @Override
  public void close() {
    for (Part part : parts) {
      part.train().close();
      part.validation().close();
    }
  }
}
