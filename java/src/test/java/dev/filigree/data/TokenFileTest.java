// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TokenFileTest {
  @TempDir Path folder;
  private Path path;

  @BeforeEach
  void writeFile() throws IOException {
    path = folder.resolve("data/code.train.u16");
    try (TokenFile.Writer writer = new TokenFile.Writer(path)) {
      writer.append(1, 2, 258);
      writer.append(65_535);
      writer.commit(info(4));
    }
  }

  private static TokenFileInfo info(long tokens) {
    TreeMap<String, Long> skipped = new TreeMap<>();
    skipped.put("empty", 3L);
    return new TokenFileInfo("code", "train", 0.25, 1, tokens, 10, 65_536, "aa", "bb", skipped);
  }

  @Test
  void readsBackWhatWasWritten() throws IOException {
    assertThat(Files.readAllBytes(path)).containsExactly(1, 0, 2, 0, 2, 1, 255, 255);
    try (TokenFile file = TokenFile.open(path)) {
      assertThat(file.info()).isEqualTo(info(4));
      assertThat(file.count()).isEqualTo(4);
      assertThat(file.token(2)).isEqualTo(258);
      assertThat(file.token(3)).isEqualTo(65_535);
      assertThat(file.tokens().byteSize()).isEqualTo(8);
      assertThat(file.tokens().isReadOnly()).isTrue();
    }
  }

  @Test
  void appearsOnlyWhenCommitted() throws IOException {
    Path other = folder.resolve("other.u16");
    try (TokenFile.Writer writer = new TokenFile.Writer(other)) {
      writer.append(1, 2, 3);
      assertThat(other).doesNotExist();
    }
    assertThat(folder).isDirectoryNotContaining("glob:**other*");
  }

  @Test
  void refusesTokensThatDoNotFit16Bits() throws IOException {
    try (TokenFile.Writer writer = new TokenFile.Writer(folder.resolve("x.u16"))) {
      assertThatThrownBy(() -> writer.append(5, 65_536))
          .hasMessageContaining("token 65536 at position 1");
      assertThatThrownBy(() -> writer.append(-1)).isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> writer.commit(info(9)))
          .hasMessageContaining("9 tokens, 1 were written");
    }
    assertThatThrownBy(() -> new TokenFile.Writer(folder.resolve("x.bin")))
        .hasMessageContaining("ends in .u16");
  }

  @Test
  void namesWhatIsWrongWithAFile() throws IOException {
    assertThatThrownBy(() -> TokenFile.open(folder.resolve("none.u16")))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("none.json")
        .hasMessageContaining("does not exist");
    Path description = folder.resolve("data/code.train.json");
    String json = Files.readString(description);

    Files.write(path, new byte[] {1, 0, 2});
    assertThatThrownBy(() -> TokenFile.open(path))
        .hasMessageContaining("3 bytes")
        .hasMessageContaining("damaged");
    Files.delete(path);
    assertThatThrownBy(() -> TokenFile.open(path))
        .hasMessageContaining("code.train.u16 does not exist");
    Files.writeString(description, json.replace("corpus_hash", "hash"));
    assertThatThrownBy(() -> TokenFile.open(path)).hasMessageContaining("'corpus_hash' is missing");
    Files.writeString(description, "{");
    assertThatThrownBy(() -> TokenFile.open(path)).hasMessageContaining("not JSON");
  }

  @Test
  void closesOnceAndForAll() {
    TokenFile file = TokenFile.open(path);
    file.close();
    file.close();
    assertThatThrownBy(() -> file.token(0)).isInstanceOf(IllegalStateException.class);
  }
}
