// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What a person reads when the native core is not there, not the right one, or not allowed; one JVM
 * each.
 */
@Tag("native")
class NativeCoreProblemsTest {

  @TempDir Path folder;

  @Test
  void doctorWorksWithoutTheNativeCore() throws IOException, InterruptedException {
    Path missing = folder.resolve("libfiligree.so");
    String output = doctor(CommandProcess.ALLOW, "-Dfiligree.library=" + missing);
    assertThat(output).contains("MISSING  Native core").contains(missing.toString());
    assertThat(output).contains("JDK").contains("CMake").contains("fix: cmake --preset release");
  }

  @Test
  void otherInterfaceNumberIsNamed() throws IOException, InterruptedException {
    Path source =
        Files.writeString(
            folder.resolve("other.c"),
            "unsigned fg_abi_version(void);\nunsigned fg_abi_version(void) { return 4711; }\n");
    Path other = folder.resolve("libother.so");
    Process compiler =
        new ProcessBuilder("cc", "-shared", "-fPIC", "-o", other.toString(), source.toString())
            .inheritIO()
            .start();
    assertThat(compiler.waitFor()).isZero();

    assertThat(doctor(CommandProcess.ALLOW, "-Dfiligree.library=" + other))
        .contains("MISSING  Native core")
        .contains("interface number 4711");
  }

  @Test
  void fileThatIsNoLibraryIsNamed() throws IOException, InterruptedException {
    Path text = Files.writeString(folder.resolve("libtext.so"), "not a library");
    assertThat(doctor(CommandProcess.ALLOW, "-Dfiligree.library=" + text))
        .contains("MISSING  Native core")
        .contains(text.toString())
        .contains("cannot be loaded");
  }

  @Test
  void missingPermissionIsNamedWithTheFlagThatGivesIt() throws IOException, InterruptedException {
    assertThat(doctor("--enable-native-access=java.base", "-Dempty="))
        .contains(CommandProcess.ALLOW);
  }

  private String doctor(String... options) throws IOException, InterruptedException {
    List<String> command = CommandProcess.words(List.of(options), "doctor");
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(output).isEqualTo(ExitCodes.UNAVAILABLE);
    return output;
  }
}
