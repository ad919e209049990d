// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data.tinypython;

import static org.assertj.core.api.Assumptions.assumeThatCode;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** The machine's python3, for tests that have something only Python can judge. */
public final class PythonInterpreter {
  private PythonInterpreter() {}

  /** Skip the test when there is no python3. */
  public static void assumePresent() {
    assumeThatCode(() -> new ProcessBuilder("python3", "--version").start().waitFor())
        .as("python3 is installed")
        .doesNotThrowAnyException();
  }

  /** Run a script and return what it printed, errors included. */
  public static String run(String script, Path folder) throws IOException, InterruptedException {
    Path output = Files.createTempFile("python", ".out");
    try {
      Process process =
          new ProcessBuilder("python3", "-c", script, folder.toString())
              .redirectErrorStream(true)
              .redirectOutput(output.toFile())
              .start();
      process.waitFor();
      return Files.readString(output, StandardCharsets.UTF_8).strip();
    } finally {
      Files.delete(output);
    }
  }
}
