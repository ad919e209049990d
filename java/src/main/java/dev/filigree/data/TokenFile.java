// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data;

import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * A stream of tokens on disk, memory-mapped: little-endian unsigned 16-bit numbers and nothing
 * else, described by a JSON file beside it ({@code x.u16} by {@code x.json}).
 *
 * <p>Any thread may read it. Closing unmaps the tokens: nobody may hold on to {@link #tokens()}
 * then.
 */
public final class TokenFile implements AutoCloseable {
  /** Extension of token files. */
  public static final String EXTENSION = ".u16";

  private static final ValueLayout.OfShort TOKEN =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final Path path;
  private final TokenFileInfo info;
  private final Arena arena;
  private final MemorySegment tokens;

  private TokenFile(Path path, TokenFileInfo info, Arena arena, MemorySegment tokens) {
    this.path = path;
    this.info = info;
    this.arena = arena;
    this.tokens = tokens;
  }

  /**
   * Map a token file.
   *
   * @throws DataException when it or its description is missing, or the two do not fit
   */
  public static TokenFile open(Path path) {
    TokenFileInfo info = readInfo(path);
    Arena arena = Arena.ofShared();
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      long bytes = channel.size();
      if (bytes != info.tokens() * TOKEN.byteSize()) {
        throw new DataException(
            "token file %s has %,d bytes, %,d tokens of 2 bytes were written: it is damaged"
                .formatted(path, bytes, info.tokens()));
      }
      MemorySegment tokens =
          channel.map(FileChannel.MapMode.READ_ONLY, 0, bytes, arena).asReadOnly();
      return new TokenFile(path, info, arena, tokens);
    } catch (NoSuchFileException e) {
      arena.close();
      throw new DataException("token file " + path + " does not exist", e);
    } catch (IOException e) {
      arena.close();
      throw new DataException("cannot read token file " + path + ": " + e.getMessage(), e);
    } catch (DataException e) {
      arena.close();
      throw e;
    }
  }

  /** Where the description of a token file is. */
  static Path infoPath(Path path) {
    String name = path.getFileName().toString();
    if (!name.endsWith(EXTENSION)) {
      throw new IllegalArgumentException(
          "the name of a token file ends in %s, not as %s".formatted(EXTENSION, name));
    }
    return path.resolveSibling(name.substring(0, name.length() - EXTENSION.length()) + ".json");
  }

  private static TokenFileInfo readInfo(Path path) {
    Path file = infoPath(path);
    try {
      return TokenFileInfo.fromJson(Files.readString(file));
    } catch (NoSuchFileException e) {
      throw new DataException(
          "%s, the description of token file %s, does not exist".formatted(file, path), e);
    } catch (IOException e) {
      throw new DataException("cannot read " + file + ": " + e.getMessage(), e);
    } catch (DataException e) {
      throw new DataException("%s: %s".formatted(file, e.getMessage()), e);
    }
  }

  public Path path() {
    return path;
  }

  public TokenFileInfo info() {
    return info;
  }

  /** Number of tokens. */
  public long count() {
    return info.tokens();
  }

  /** The tokens, [count] little-endian uint16, read-only; valid until this file is closed. */
  public MemorySegment tokens() {
    return tokens;
  }

  /** One token. */
  public int token(long position) {
    return Short.toUnsignedInt(tokens.get(TOKEN, position * TOKEN.byteSize()));
  }

  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }

  /** Writes a token file; without {@link #commit} nothing appears. One thread at a time. */
  public static final class Writer implements AutoCloseable {
    private final Path path;
    private final AtomicFile file;
    private long count;

    /** Start a token file. */
    public Writer(Path path) throws IOException {
      infoPath(path); // refuse a wrong name before anything is written
      this.path = path;
      this.file = new AtomicFile(path);
    }

    /** Append tokens, each below 65,536. */
    public void append(int... tokens) throws IOException {
      OutputStream stream = file.stream();
      for (int token : tokens) {
        if (token >>> Short.SIZE != 0) {
          throw new IllegalArgumentException(
              "token %d at position %,d does not fit 16 bits".formatted(token, count));
        }
        stream.write(token);
        stream.write(token >>> Byte.SIZE);
        count++;
      }
    }

    /** Number of tokens appended. */
    public long count() {
      return count;
    }

    /** Finish: the tokens and their description appear under their final names. */
    public void commit(TokenFileInfo info) throws IOException {
      if (info.tokens() != count) {
        throw new IllegalArgumentException(
            "the description speaks of %,d tokens, %,d were written"
                .formatted(info.tokens(), count));
      }
      file.commit();
      AtomicFile.write(infoPath(path), info.toJson().getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public void close() throws IOException {
      file.close();
    }
  }
}
