// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.knuddels.jtokkit.Encodings;
import com.knuddels.jtokkit.api.Encoding;
import com.knuddels.jtokkit.api.GptBytePairEncodingParams;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.regex.Pattern;

/**
 * Byte-level BPE tokenizer with the pre-tokeniser and the files of method 1.11.
 *
 * <p>Tokens 0 to 255 are single bytes in the order of {@link ByteAlphabet}, merges take the next
 * numbers in the order they were learnt, and the last number is {@value #END_OF_TEXT}, which no
 * text encodes to. Immutable; any thread may use it.
 *
 * <p>Encoding is JTokkit's. It merges wherever two neighbours spell a known token, where the
 * definition of BPE merges listed pairs only; the two agree for every list that training can
 * produce, and {@link #load} refuses other lists.
 */
public final class Tokenizer {
  /** Text that separates documents; its token is the last one. */
  public static final String END_OF_TEXT = "<|endoftext|>";

  /** File names of a saved tokenizer. */
  public static final String VOCABULARY_FILE = "encoder.json";

  public static final String MERGES_FILE = "vocab.bpe";

  /** Largest vocabulary that fits the uint16 tokens of the token files. */
  public static final int MAXIMUM_SIZE = 1 << 16;

  /** Smallest vocabulary: the bytes and the end of text. */
  public static final int MINIMUM_SIZE = ByteAlphabet.SIZE + 1;

  /** Splits text into the pieces that merges never cross; \s and the categories are Unicode's. */
  static final Pattern PRE_TOKEN =
      Pattern.compile(
          "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
              + "|\\p{N}{1,3}"
              + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*"
              + "|\\s*[\\r\\n]+"
              + "|\\s+(?!\\S)"
              + "|\\s+",
          Pattern.UNICODE_CHARACTER_CLASS);

  private static final String MERGES_HEADER = "#version: 0.2";
  private static final ObjectMapper JSON = new ObjectMapper();

  private final List<Merge> merges;
  private final byte[][] bytes; // [V], bytes of each token
  private final Map<String, Integer>
      tokens; // by spelling in the printable alphabet, without END_OF_TEXT
  private final Encoding encoding;
  private final String hash;

  private Tokenizer(List<Merge> merges, byte[][] bytes, Map<String, Integer> tokens) {
    this.merges = merges;
    this.bytes = bytes;
    this.tokens = tokens;
    this.hash = Hashes.hex(mergesText().getBytes(UTF_8));
    Map<byte[], Integer> ranks = new HashMap<>();
    tokens.values().forEach(token -> ranks.put(bytes[token], token));
    this.encoding =
        Encodings.newLazyEncodingRegistry()
            .registerGptBytePairEncoding(
                new GptBytePairEncodingParams(hash, PRE_TOKEN, ranks, Map.of()))
            .getEncoding(hash)
            .orElseThrow();
  }

  /**
   * Build a tokenizer from merges in the order they were learnt.
   *
   * @throws DataException when no training could have produced them
   */
  static Tokenizer ofMerges(List<Merge> merges) {
    int size = MINIMUM_SIZE + merges.size();
    if (size > MAXIMUM_SIZE) {
      throw new DataException(
          "a vocabulary of %,d tokens does not fit 16 bits; at most %,d merges are possible"
              .formatted(size, MAXIMUM_SIZE - MINIMUM_SIZE));
    }
    byte[][] bytes = new byte[size][];
    Map<String, Integer> tokens = new LinkedHashMap<>();
    for (int token = 0; token < ByteAlphabet.SIZE; token++) {
      bytes[token] = new byte[] {ByteAlphabet.byteOf(token)};
      tokens.put(ByteAlphabet.spell(bytes[token]), token);
    }
    Map<Merge, Integer> ranks = new HashMap<>();
    for (int i = 0; i < merges.size(); i++) {
      Merge merge = merges.get(i);
      int token = ByteAlphabet.SIZE + i;
      byte[] left = bytes[merge.left()];
      byte[] right = bytes[merge.right()];
      byte[] joined = Arrays.copyOf(left, left.length + right.length);
      System.arraycopy(right, 0, joined, left.length, right.length);
      String spelling = ByteAlphabet.spell(joined);
      if (!mergeByPairs(joined, ranks).equals(List.of(merge.left(), merge.right()))) {
        throw new DataException(
            "merge %d makes the token '%s' from parts that the merges before it never leave side by side;"
                    .formatted(i + 1, spelling)
                + " these merges are not the result of BPE training");
      }
      bytes[token] = joined;
      tokens.put(spelling, token);
      ranks.put(merge, token);
    }
    bytes[size - 1] = END_OF_TEXT.getBytes(UTF_8);
    return new Tokenizer(List.copyOf(merges), bytes, tokens);
  }

  /** BPE by its definition: join the leftmost of the earliest learnt pairs until none is left. */
  static List<Integer> mergeByPairs(byte[] piece, Map<Merge, Integer> ranks) {
    List<Integer> parts = new ArrayList<>(piece.length);
    for (byte value : piece) {
      parts.add(ByteAlphabet.tokenOf(value));
    }
    while (true) {
      int best = -1;
      int bestToken = Integer.MAX_VALUE;
      for (int i = 0; i + 1 < parts.size(); i++) {
        int token =
            ranks.getOrDefault(new Merge(parts.get(i), parts.get(i + 1)), Integer.MAX_VALUE);
        if (token < bestToken) {
          best = i;
          bestToken = token;
        }
      }
      if (best < 0) {
        return parts;
      }
      parts.set(best, bestToken);
      parts.remove(best + 1);
    }
  }

  /**
   * Read {@value #VOCABULARY_FILE} and {@value #MERGES_FILE} from a folder.
   *
   * @throws DataException when a file is missing or malformed, or the two disagree
   */
  public static Tokenizer load(Path folder) {
    Path mergesFile = folder.resolve(MERGES_FILE);
    Path vocabularyFile = folder.resolve(VOCABULARY_FILE);
    Tokenizer tokenizer = ofMerges(parseMerges(mergesFile, TextFile.read(mergesFile)));
    tokenizer.checkAgreement(vocabularyFile, TextFile.read(vocabularyFile));
    return tokenizer;
  }

  /**
   * Write {@value #VOCABULARY_FILE} and {@value #MERGES_FILE} into a folder, which is made if
   * missing.
   */
  public void save(Path folder) {
    ObjectNode vocabulary = JSON.createObjectNode();
    tokens.forEach(vocabulary::put);
    vocabulary.put(END_OF_TEXT, endOfText());
    try {
      AtomicFile.write(folder.resolve(VOCABULARY_FILE), JSON.writeValueAsBytes(vocabulary));
      AtomicFile.write(folder.resolve(MERGES_FILE), mergesText().getBytes(UTF_8));
    } catch (IOException e) {
      throw new DataException("cannot write the tokenizer to " + folder + ": " + e.getMessage(), e);
    }
  }

  /** Number of tokens, the end of text included. */
  public int vocabularySize() {
    return bytes.length;
  }

  /** The token that separates documents. */
  public int endOfText() {
    return bytes.length - 1;
  }

  /** SHA-256 of the merges file, in hex: equal for tokenizers that encode alike. */
  public String hash() {
    return hash;
  }

  /**
   * Encode text. A {@value #END_OF_TEXT} in it is ordinary text.
   *
   * @throws IllegalArgumentException when the text holds an unpaired surrogate, which no bytes
   *     stand for
   */
  public int[] encode(String text) {
    requireWellFormed(text);
    return encoding.encodeOrdinary(text).toArray();
  }

  /** Bytes of tokens, joined. */
  public byte[] decodeToBytes(int... ids) {
    ByteArrayOutputStream joined = new ByteArrayOutputStream(4 * ids.length);
    for (int id : ids) {
      joined.writeBytes(bytes[requireToken(id)]);
    }
    return joined.toByteArray();
  }

  /** Text of tokens; bytes that are not UTF-8, as in half a character, become U+FFFD. */
  public String decode(int... ids) {
    return new String(decodeToBytes(ids), UTF_8);
  }

  /** Copy of the bytes of one token. */
  public byte[] bytesOf(int token) {
    return bytes[requireToken(token)].clone();
  }

  /** The token that stands for exactly this text; {@value #END_OF_TEXT} names the end of text. */
  public OptionalInt tokenOf(String text) {
    if (text.equals(END_OF_TEXT)) {
      return OptionalInt.of(endOfText());
    }
    Integer token = tokens.get(ByteAlphabet.spell(text.getBytes(UTF_8)));
    return token == null ? OptionalInt.empty() : OptionalInt.of(token);
  }

  private int requireToken(int token) {
    if (token < 0 || token >= bytes.length) {
      throw new IllegalArgumentException(
          "token %d is outside the vocabulary of %d".formatted(token, bytes.length));
    }
    return token;
  }

  private static void requireWellFormed(String text) {
    for (int i = 0; i < text.length(); i++) {
      char unit = text.charAt(i);
      if (Character.isSurrogate(unit)) {
        if (Character.isLowSurrogate(unit)
            || i + 1 == text.length()
            || !Character.isLowSurrogate(text.charAt(i + 1))) {
          throw new IllegalArgumentException("unpaired surrogate at index " + i);
        }
        i++;
      }
    }
  }

  private String mergesText() {
    StringBuilder text = new StringBuilder(MERGES_HEADER).append('\n');
    for (Merge merge : merges) {
      text.append(ByteAlphabet.spell(bytes[merge.left()]))
          .append(' ')
          .append(ByteAlphabet.spell(bytes[merge.right()]))
          .append('\n');
    }
    return text.toString();
  }

  private static List<Merge> parseMerges(Path file, String text) {
    String[] lines = text.split("\n");
    Map<String, Integer> known = new HashMap<>();
    for (int token = 0; token < ByteAlphabet.SIZE; token++) {
      known.put(ByteAlphabet.spell(new byte[] {ByteAlphabet.byteOf(token)}), token);
    }
    List<Merge> merges = new ArrayList<>();
    for (int i = 1; i < lines.length; i++) { // the first line is a header, whatever it says
      String[] parts = lines[i].split(" ", -1);
      if (parts.length != 2) {
        throw new DataException(
            "%s line %d: expected two tokens and a space between them, found '%s'"
                .formatted(file, i + 1, lines[i]));
      }
      Integer left = known.get(parts[0]);
      Integer right = known.get(parts[1]);
      if (left == null || right == null) {
        throw new DataException(
            "%s line %d: '%s' is neither a byte nor made by an earlier merge"
                .formatted(file, i + 1, left == null ? parts[0] : parts[1]));
      }
      if (known.putIfAbsent(parts[0] + parts[1], ByteAlphabet.SIZE + merges.size()) != null) {
        throw new DataException(
            "%s line %d: the token '%s' exists already"
                .formatted(file, i + 1, parts[0] + parts[1]));
      }
      merges.add(new Merge(left, right));
    }
    return merges;
  }

  private void checkAgreement(Path file, String text) {
    JsonNode vocabulary;
    try {
      vocabulary = JSON.readTree(text);
    } catch (JacksonException e) {
      throw new DataException(file + " is not JSON: " + e.getOriginalMessage(), e);
    }
    if (!vocabulary.isObject()) {
      throw new DataException(file + " is not a JSON object from token to number");
    }
    Map<String, Integer> expected = new LinkedHashMap<>(tokens);
    expected.put(END_OF_TEXT, endOfText());
    expected.forEach(
        (spelling, token) -> {
          JsonNode found = vocabulary.get(spelling);
          if (found == null || !found.isInt() || found.intValue() != token) {
            throw new DataException(
                "%s gives '%s' the number %s, but by %s it is %d"
                    .formatted(file, spelling, found, MERGES_FILE, token));
          }
        });
    vocabulary
        .fieldNames()
        .forEachRemaining(
            spelling -> {
              if (!expected.containsKey(spelling)) {
                throw new DataException(
                    "%s has the token '%s', which %s does not make"
                        .formatted(file, spelling, MERGES_FILE));
              }
            });
  }
}
