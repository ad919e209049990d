// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data;

import java.util.Arrays;

/**
 * The printable alphabet in which GPT-2 files spell bytes, and the order of the 256 single-byte
 * tokens (method 1.11).
 *
 * <p>Token 0 to 187 are the printable non-space Latin-1 code points in ascending order, each spelt
 * as itself; the remaining bytes follow in ascending order, the n-th of them spelt U+0100 + n.
 */
final class ByteAlphabet {
  static final int SIZE = 256;

  private static final byte[] BYTE_OF_TOKEN = new byte[SIZE];
  private static final int[] TOKEN_OF_BYTE = new int[SIZE];
  private static final char[] SYMBOL_OF_BYTE = new char[SIZE];
  private static final int[] BYTE_OF_SYMBOL = new int[2 * SIZE];

  static {
    Arrays.fill(BYTE_OF_SYMBOL, -1);
    int token = 0;
    for (int value = 0; value < SIZE; value++) {
      if (isPrintable(value)) {
        define(token++, value, (char) value);
      }
    }
    int others = 0;
    for (int value = 0; value < SIZE; value++) {
      if (!isPrintable(value)) {
        define(token++, value, (char) (0x100 + others++));
      }
    }
  }

  private ByteAlphabet() {}

  /** The byte that token {@code 0 <= token < 256} stands for. */
  static byte byteOf(int token) {
    return BYTE_OF_TOKEN[token];
  }

  /** The single-byte token of a byte. */
  static int tokenOf(byte value) {
    return TOKEN_OF_BYTE[value & 0xFF];
  }

  /** Spell bytes in the printable alphabet. */
  static String spell(byte[] bytes) {
    StringBuilder spelling = new StringBuilder(bytes.length);
    for (byte value : bytes) {
      spelling.append(SYMBOL_OF_BYTE[value & 0xFF]);
    }
    return spelling.toString();
  }

  /** Undo {@link #spell}; null when a character is not of the alphabet. */
  static byte[] bytesOf(String spelling) {
    byte[] bytes = new byte[spelling.length()];
    for (int i = 0; i < bytes.length; i++) {
      char symbol = spelling.charAt(i);
      int value = symbol < BYTE_OF_SYMBOL.length ? BYTE_OF_SYMBOL[symbol] : -1;
      if (value < 0) {
        return null;
      }
      bytes[i] = (byte) value;
    }
    return bytes;
  }

  private static void define(int token, int value, char symbol) {
    BYTE_OF_TOKEN[token] = (byte) value;
    TOKEN_OF_BYTE[value] = token;
    SYMBOL_OF_BYTE[value] = symbol;
    BYTE_OF_SYMBOL[symbol] = value;
  }

  private static boolean isPrintable(int value) {
    return (value >= '!' && value <= '~') || (value >= 0xA1 && value <= 0xAC) || value >= 0xAE;
  }
}
