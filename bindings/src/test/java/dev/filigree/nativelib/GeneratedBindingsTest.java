// SPDX-License-Identifier: Apache-2.0
package dev.filigree.nativelib;

import static org.assertj.core.api.Assertions.assertThat;

import dev.filigree.ffi.Filigree;
import java.io.IOException;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Holds the committed bindings against the header they were made from. */
class GeneratedBindingsTest {
  private static final Path ROOT = Path.of(System.getProperty("filigree.root"));
  private static final Path HEADER = ROOT.resolve("native/include/filigree/filigree.h");
  private static final Path JEXTRACT = ROOT.resolve("bindings/jextract");
  private static final Path GENERATED = ROOT.resolve("bindings/src/generated/java");

  @Test
  void headerIsTheOneTheBindingsWereMadeFrom() throws IOException, NoSuchAlgorithmException {
    byte[] digest = MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(HEADER));
    String recorded = Files.readString(JEXTRACT.resolve("filigree.h.sha256"));

    assertThat(HexFormat.of().formatHex(digest))
        .as("filigree.h changed: run bindings/jextract/generate.sh and commit what it writes")
        .isEqualTo(recorded.substring(0, 64));
  }

  @Test
  void symbolListNamesEveryFunctionConstantAndStructOfTheHeader() throws IOException {
    String header = withoutComments(Files.readString(HEADER));
    Set<String> expected = new TreeSet<>();
    matches("FG_API[^;(]*?\\b(fg_\\w+)\\(", header)
        .forEach(m -> expected.add("--include-function " + m.group(1)));
    matches("typedef struct (fg_\\w+) \\{", header)
        .forEach(m -> expected.add("--include-struct " + m.group(1)));
    matches("\\b(FG_\\w+) = \\d+", header)
        .forEach(m -> expected.add("--include-constant " + m.group(1)));
    matches("#define (FG_\\w+) \\d+", header)
        .forEach(m -> expected.add("--include-constant " + m.group(1)));

    Set<String> listed =
        Files.readAllLines(JEXTRACT.resolve("symbols.txt")).stream()
            .filter(line -> !line.startsWith("#"))
            .collect(Collectors.toCollection(TreeSet::new));

    assertThat(expected).hasSizeGreaterThan(40);
    assertThat(listed).isEqualTo(expected);
  }

  @Test
  void everyListedSymbolWasGenerated() throws IOException {
    Set<String> methods =
        Arrays.stream(Filigree.class.getDeclaredMethods())
            .map(Method::getName)
            .collect(Collectors.toSet());
    for (String line : Files.readAllLines(JEXTRACT.resolve("symbols.txt"))) {
      if (line.startsWith("--include-struct ")) {
        assertThat(GENERATED.resolve("dev/filigree/ffi/" + line.split(" ")[1] + ".java")).exists();
      } else if (line.startsWith("--include-")) {
        assertThat(methods).contains(line.split(" ")[1]);
      }
    }
  }

  @Test
  void nothingIsVariadic() throws IOException {
    try (Stream<Path> files = Files.walk(GENERATED)) {
      List<Path> sources = files.filter(file -> file.toString().endsWith(".java")).toList();
      assertThat(sources).isNotEmpty();
      for (Path source : sources) {
        assertThat(Files.readString(source))
            .as("a function written f() instead of f(void) becomes variadic")
            .doesNotContain("makeInvoker");
      }
    }
  }

  private static Stream<MatchResult> matches(String regex, String text) {
    return Pattern.compile(regex, Pattern.DOTALL).matcher(text).results();
  }

  private static String withoutComments(String header) {
    return Pattern.compile("/\\*.*?\\*/", Pattern.DOTALL).matcher(header).replaceAll("");
  }
}
