// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.IllegalCharsetNameException;
import java.nio.charset.StandardCharsets;
import java.nio.charset.UnsupportedCharsetException;
import java.util.Arrays;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Turns the bytes of a Python file into text as Python itself does: byte order mark, PEP 263 coding
 * line, UTF-8.
 */
final class PythonSource {
  private static final Pattern CODING_LINE =
      Pattern.compile("^[ \\t\\f]*#.*?coding[:=][ \\t]*([-_.a-zA-Z0-9]+)");
  private static final Pattern BLANK_OR_COMMENT = Pattern.compile("^[ \\t\\f]*(?:#.*)?$");
  private static final Pattern LINE_END = Pattern.compile("\\r\\n?");
  private static final byte[] BYTE_ORDER_MARK = {(byte) 0xEF, (byte) 0xBB, (byte) 0xBF};

  private PythonSource() {}

  /** A file that has no text to give. */
  static final class UnusableException extends Exception {
    private static final long serialVersionUID = 1L;
    private final SkipReason reason;

    UnusableException(SkipReason reason) {
      super(reason.key());
      this.reason = reason;
    }

    SkipReason reason() {
      return reason;
    }
  }

  /** Decode a file; line ends become {@code \n}. */
  static String decode(byte[] content) throws UnusableException {
    for (byte value : content) {
      if (value == 0) {
        throw new UnusableException(SkipReason.BINARY);
      }
    }
    boolean marked = Arrays.mismatch(content, BYTE_ORDER_MARK) >= BYTE_ORDER_MARK.length;
    int start = marked ? BYTE_ORDER_MARK.length : 0;
    Charset charset = marked ? StandardCharsets.UTF_8 : declaredCharset(content);
    String text;
    try {
      text =
          charset
              .newDecoder()
              .onMalformedInput(CodingErrorAction.REPORT)
              .onUnmappableCharacter(CodingErrorAction.REPORT)
              .decode(ByteBuffer.wrap(content, start, content.length - start))
              .toString();
    } catch (CharacterCodingException e) {
      throw new UnusableException(SkipReason.WRONG_ENCODING);
    }
    if (text.isBlank()) {
      throw new UnusableException(SkipReason.EMPTY);
    }
    return LINE_END.matcher(text).replaceAll("\n");
  }

  private static Charset declaredCharset(byte[] content) throws UnusableException {
    int length = Math.min(content.length, 1024);
    String head = new String(content, 0, length, StandardCharsets.ISO_8859_1);
    String[] lines = head.split("\\r\\n?|\\n", 3);
    for (int i = 0; i < Math.min(lines.length, 2); i++) {
      Matcher coding = CODING_LINE.matcher(lines[i]);
      if (coding.find()) {
        return charsetNamed(coding.group(1));
      }
      if (!BLANK_OR_COMMENT.matcher(lines[i]).find()) {
        break; // only a comment may come before the coding line
      }
    }
    return StandardCharsets.UTF_8;
  }

  /** Charset of a Python encoding name; Python spells some names in ways Java does not know. */
  private static Charset charsetNamed(String pythonName) throws UnusableException {
    String name = pythonName.toLowerCase(Locale.ROOT).replace('_', '-');
    if (name.equals("utf8") || name.startsWith("utf-8")) {
      return StandardCharsets.UTF_8;
    }
    if (name.matches("(latin-?1|iso-?8859-1|iso-latin-1)(-.*)?")) {
      return StandardCharsets.ISO_8859_1;
    }
    try {
      return Charset.forName(name);
    } catch (IllegalCharsetNameException | UnsupportedCharsetException e) {
      throw new UnusableException(SkipReason.UNKNOWN_ENCODING);
    }
  }
}
