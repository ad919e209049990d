// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TokenDatasetTest {
  private static final TokenDataset.Source GENERATED =
      new TokenDataset.Source(new TinyPython(1), 2, 300_000);
  private static final Tokenizer TOKENIZER =
      TokenDataset.learnTokenizer(List.of(GENERATED), 400, 100_000);

  @TempDir Path folder;

  /** Documents held in memory. */
  private record ListCorpus(String name, List<String> texts) implements Corpus {
    @Override
    public CorpusReport read(long byteBudget, Consumer<Document> sink) {
      texts.forEach(text -> sink.accept(new Document("", text)));
      long bytes =
          texts.stream().mapToLong(text -> text.getBytes(StandardCharsets.UTF_8).length).sum();
      return new CorpusReport(texts.size(), bytes, Map.of(SkipReason.EMPTY, 2L));
    }
  }

  private TokenDataset.Part prepare(Corpus corpus) {
    return TokenDataset.prepare(
            folder, TOKENIZER, List.of(new TokenDataset.Source(corpus, 1, Corpus.UNLIMITED - 1)))
        .getFirst();
  }

  private static List<String> documents(Path path) {
    List<String> documents = new ArrayList<>();
    try (TokenFile file = TokenFile.open(path)) {
      List<Integer> tokens = new ArrayList<>();
      for (long i = 0; i < file.count(); i++) {
        if (file.token(i) == TOKENIZER.endOfText()) {
          documents.add(TOKENIZER.decode(tokens.stream().mapToInt(Integer::intValue).toArray()));
          tokens.clear();
        } else {
          tokens.add(file.token(i));
        }
      }
      assertThat(tokens).as("tokens after the last end of text").isEmpty();
    }
    return documents;
  }

  @Test
  void holdsOutAboutOneDocumentInFifty() {
    TokenDataset.Part part = TokenDataset.prepare(folder, TOKENIZER, List.of(GENERATED)).getFirst();
    assertThat(part.train()).isEqualTo(folder.resolve("tinypython.train.u16"));
    assertThat(part.validation()).isEqualTo(folder.resolve("tinypython.val.u16"));
    List<String> train = documents(part.train());
    List<String> validation = documents(part.validation());
    assertThat((double) validation.size() / train.size()).isBetween(0.005, 0.05);
    Set<String> all = new HashSet<>(train);
    all.addAll(validation);
    List<String> written = new ArrayList<>();
    new TinyPython(1).read(300_000, document -> written.add(document.text()));
    assertThat(all).containsExactlyInAnyOrderElementsOf(written);
    try (TokenFile file = TokenFile.open(part.train())) {
      assertThat(file.info().share()).isEqualTo(2);
      assertThat(file.info().vocabularyHash()).isEqualTo(TOKENIZER.hash());
      assertThat(file.info().documents()).isEqualTo(train.size());
    }
  }

  @Test
  void splitsByContentSoThatADocumentKeepsItsSide() {
    List<String> texts = new ArrayList<>();
    for (int i = 0; i < 400; i++) {
      texts.add("x = " + i + "\n");
    }
    List<String> first = documents(prepare(new ListCorpus("one", texts)).validation());
    List<String> some =
        documents(prepare(new ListCorpus("two", texts.subList(100, 400))).validation());
    assertThat(first).containsAll(some);
    assertThat(some).isNotEmpty();
  }

  @Test
  void isDeterministic() throws IOException {
    byte[] first =
        Files.readAllBytes(
            TokenDataset.prepare(folder, TOKENIZER, List.of(GENERATED)).getFirst().train());
    byte[] second =
        Files.readAllBytes(
            TokenDataset.prepare(folder, TOKENIZER, List.of(GENERATED)).getFirst().train());
    assertThat(second).isEqualTo(first);
  }

  @Test
  void corpusHashChangesWithAnyDocument() {
    String one = hash(prepare(new ListCorpus("a", List.of("x = 1\n", "y = 1\n"))));
    String two = hash(prepare(new ListCorpus("b", List.of("x = 1\n", "y = 2\n"))));
    assertThat(one)
        .isNotEqualTo(two)
        .isEqualTo(hash(prepare(new ListCorpus("c", List.of("x = 1\n", "y = 1\n")))));
  }

  private static String hash(TokenDataset.Part part) {
    try (TokenFile file = TokenFile.open(part.train())) {
      assertThat(file.info().skipped()).containsExactly(Map.entry("empty", 2L));
      return file.info().corpusHash();
    }
  }

  @Test
  void givesSmallCorporaAValidationDocumentToo() {
    for (int size = 2; size < 20; size++) {
      List<String> texts = new ArrayList<>();
      for (int i = 0; i < size; i++) {
        texts.add("value = " + i + "\n");
      }
      TokenDataset.Part part = prepare(new ListCorpus("small", texts));
      List<String> all = new ArrayList<>(documents(part.validation()));
      assertThat(all).isNotEmpty();
      all.addAll(documents(part.train()));
      assertThat(all).containsExactlyInAnyOrderElementsOf(texts);
    }
  }

  @Test
  void saysWhenACorpusCannotBeSplit() {
    assertThatThrownBy(() -> prepare(new ListCorpus("single", List.of("x = 1\n"))))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("corpus single has 1 document(s)");
    assertThat(folder).isEmptyDirectory();
  }

  @Test
  void refusesAMixThatMakesNoSense() {
    assertThatThrownBy(() -> TokenDataset.prepare(folder, TOKENIZER, List.of()))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> TokenDataset.prepare(folder, TOKENIZER, List.of(GENERATED, GENERATED)))
        .hasMessageContaining("two corpora");
    assertThatThrownBy(() -> new TokenDataset.Source(new TinyPython(1), 0, 10))
        .hasMessageContaining("share 0.0");
    assertThatThrownBy(() -> new TokenDataset.Source(new TinyPython(1), 1, 0))
        .hasMessageContaining("byte budget 0");
    assertThatThrownBy(() -> new TinyPython(1).read(Corpus.UNLIMITED, document -> {}))
        .hasMessageContaining("no end");
  }

  @Test
  void saysWhenTheFolderCannotBeWritten() throws IOException {
    Path file = Files.createFile(folder.resolve("file"));
    assertThatThrownBy(
            () -> TokenDataset.prepare(file.resolve("below"), TOKENIZER, List.of(GENERATED)))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("cannot write token files");
  }
}
