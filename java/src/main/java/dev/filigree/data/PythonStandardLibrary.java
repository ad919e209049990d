// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/**
 * The standard library of a python3 on this machine.
 *
 * <p>Left out, by folder name: installed packages ({@code site-packages}, {@code dist-packages}),
 * and the library's own tests ({@code test}, {@code tests}, {@code idle_test}), which are as large
 * as the rest and hold malformed files on purpose.
 */
public final class PythonStandardLibrary {
  /** Folder names that are not entered. */
  public static final Set<String> EXCLUDED_FOLDERS =
      Set.of("site-packages", "dist-packages", "test", "tests", "idle_test");

  /** Name of the corpus. */
  public static final String NAME = "stdlib";

  private static final String ASK = "import sysconfig; print(sysconfig.get_path('stdlib'))";
  private static final long TIMEOUT_SECONDS = 30;

  private PythonStandardLibrary() {}

  /** The library of the {@code python3} on the search path. */
  public static FolderCorpus locate() {
    return locate("python3");
  }

  /**
   * The library of a given interpreter.
   *
   * @throws DataException when the interpreter cannot be run or does not answer with a folder
   */
  public static FolderCorpus locate(String python) {
    return new FolderCorpus(NAME, List.of(Path.of(ask(python))), EXCLUDED_FOLDERS);
  }

  private static String ask(String python) {
    Process process;
    try {
      process = new ProcessBuilder(python, "-c", ASK).redirectErrorStream(true).start();
    } catch (IOException e) {
      throw new DataException(
          "cannot run %s to find its standard library; install it, or name folders of Python files instead"
              .formatted(python),
          e);
    }
    try {
      process.getOutputStream().close();
      if (!process.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS)) {
        throw new DataException(
            "%s did not name its standard library within %d s".formatted(python, TIMEOUT_SECONDS));
      }
      String answer =
          new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
      if (process.exitValue() != 0 || answer.isEmpty()) {
        throw new DataException(
            "%s could not name its standard library: %s".formatted(python, answer));
      }
      return answer;
    } catch (IOException e) {
      throw new DataException("cannot read the answer of " + python + ": " + e.getMessage(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new DataException(
          "interrupted while asking " + python + " for its standard library", e);
    } finally {
      process.destroyForcibly();
    }
  }
}
