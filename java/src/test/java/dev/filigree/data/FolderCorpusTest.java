// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FolderCorpusTest {
  @TempDir Path folder;

  private final List<Document> documents = new ArrayList<>();

  private CorpusReport read(Corpus corpus) {
    documents.clear();
    return corpus.read(Corpus.UNLIMITED, documents::add);
  }

  private CorpusReport read() {
    return read(new FolderCorpus("code", List.of(folder)));
  }

  private void write(String name, byte[] content) throws IOException {
    Path file = folder.resolve(name);
    Files.createDirectories(file.getParent());
    Files.write(file, content);
  }

  private void write(String name, String content) throws IOException {
    write(name, content.getBytes(UTF_8));
  }

  @Test
  void readsPythonFilesInOrderOfTheirPaths() throws IOException {
    write("b.py", "b = 1\n");
    write("a/z.py", "z = 1\n");
    write("a.py", "a = 1\n");
    write("notes.txt", "not code");
    write("__pycache__/c.py", "cached = 1\n");
    write(".hidden/d.py", "hidden = 1\n");
    CorpusReport report = read();
    assertThat(documents).extracting(Document::name).containsExactly("a.py", "a/z.py", "b.py");
    assertThat(report).isEqualTo(new CorpusReport(3, 18, Map.of()));
  }

  @Test
  void skipsAndCountsFilesItCannotUse() throws IOException {
    write("good.py", "x = 1\n");
    write("copy.py", "x = 1\n");
    write("empty.py", "");
    write("blank.py", " \n\n");
    write("binary.py", new byte[] {'x', 0, 1});
    write("latin.py", "x = '\u00e9'\n".getBytes(ISO_8859_1));
    write("unknown.py", "# coding: klingon\nx = 1\n");
    Files.createSymbolicLink(folder.resolve("dangling.py"), folder.resolve("nowhere.py"));
    CorpusReport report = read();
    assertThat(report.documents()).isEqualTo(1);
    assertThat(report.skipped())
        .containsOnly(
            Map.entry(SkipReason.DUPLICATE, 1L),
            Map.entry(SkipReason.EMPTY, 2L),
            Map.entry(SkipReason.BINARY, 1L),
            Map.entry(SkipReason.WRONG_ENCODING, 1L),
            Map.entry(SkipReason.UNKNOWN_ENCODING, 1L),
            Map.entry(SkipReason.UNREADABLE, 1L));
    assertThat(report.skippedFiles()).isEqualTo(7);
    assertThat(report.describeSkipped()).contains("2 empty", "1 wrong encoding");
  }

  @Test
  void skipsFilesItMayNotRead() throws IOException {
    write("good.py", "x = 1\n");
    write("secret.py", "y = 1\n");
    assumeThat(folder.resolve("secret.py").toFile().setReadable(false)).isTrue();
    assumeThat(Files.isReadable(folder.resolve("secret.py"))).as("running as root").isFalse();
    assertThat(read().skipped()).containsOnly(Map.entry(SkipReason.UNREADABLE, 1L));
  }

  @Test
  void decodesByTheCodingLineOfPep263() throws IOException {
    write("a.py", "# -*- coding: latin-1 -*-\nx = '\u00e9'\n".getBytes(ISO_8859_1));
    write(
        "b.py",
        "#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\ny = '\u00fc'\n".getBytes(ISO_8859_1));
    write("c.py", "\uFEFFz = '\u00e8'\n");
    write("d.py", "w = 1\nv = 2\n# coding: latin-1 comes too late\nu = '\u00e9'\n");
    write("e.py", "import re\n# coding: ascii, after code\nt = '\u00e9'\n");
    write("f.py", "x = 1\r\ny = 2\rz = 3\n");
    read();
    assertThat(documents)
        .extracting(Document::text)
        .containsExactly(
            "# -*- coding: latin-1 -*-\nx = '\u00e9'\n",
            "#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\ny = '\u00fc'\n",
            "z = '\u00e8'\n",
            "w = 1\nv = 2\n# coding: latin-1 comes too late\nu = '\u00e9'\n",
            "import re\n# coding: ascii, after code\nt = '\u00e9'\n",
            "x = 1\ny = 2\nz = 3\n");
  }

  @Test
  void survivesLinksInACircle() throws IOException {
    write("a/x.py", "x = 1\n");
    Files.createSymbolicLink(folder.resolve("a/loop"), folder);
    Files.createSymbolicLink(folder.resolve("again"), folder.resolve("a"));
    CorpusReport report = read();
    assertThat(report.documents()).isEqualTo(1);
    assertThat(report.skipped()).containsKey(SkipReason.UNREADABLE);
  }

  @Test
  void doesNotEnterExcludedFolders() throws IOException {
    write("lib/x.py", "x = 1\n");
    write("lib/tests/y.py", "y = 1\n");
    write("site-packages/z.py", "z = 1\n");
    read(new FolderCorpus("code", List.of(folder), Set.of("tests", "site-packages")));
    assertThat(documents).extracting(Document::name).containsExactly("lib/x.py");
  }

  @Test
  void stopsAtTheBudgetButNotBeforeTheFirstDocument() throws IOException {
    write("a.py", "a = 1\n");
    write("b.py", "b = 2\n");
    write("c.py", "c = 3\n");
    Corpus corpus = new FolderCorpus("code", List.of(folder));
    assertThat(corpus.read(12, document -> {}).documents()).isEqualTo(2);
    assertThat(corpus.read(1, document -> {}).documents()).isEqualTo(1);
  }

  @Test
  void saysWhenAFolderIsMissingOrHasNothingToUse() throws IOException {
    assertThatThrownBy(() -> read(new FolderCorpus("code", List.of(folder.resolve("none")))))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("none does not exist");
    assertThatThrownBy(this::read)
        .hasMessageContaining("no usable .py file")
        .hasMessageContaining("skipped: none");
    write("empty.py", "");
    assertThatThrownBy(this::read).hasMessageContaining("1 empty");
    assertThatThrownBy(() -> read(new FolderCorpus("code", List.of(folder.resolve("empty.py")))))
        .hasMessageContaining("is not a folder");
    assertThatThrownBy(() -> new FolderCorpus("Bad Name", List.of(folder)))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
