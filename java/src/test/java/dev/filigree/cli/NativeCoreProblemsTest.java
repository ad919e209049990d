// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
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
  private static final String ALLOW = "--enable-native-access=ALL-UNNAMED";

  @TempDir Path folder;

  @Test
  void doctorWorksWithoutTheNativeCore() throws IOException, InterruptedException {
    Path missing = folder.resolve("libfiligree.so");
    String output = doctor(ALLOW, "-Dfiligree.library=" + missing);
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

    assertThat(doctor(ALLOW, "-Dfiligree.library=" + other))
        .contains("MISSING  Native core")
        .contains("interface number 4711");
  }

  @Test
  void fileThatIsNoLibraryIsNamed() throws IOException, InterruptedException {
    Path text = Files.writeString(folder.resolve("libtext.so"), "not a library");
    assertThat(doctor(ALLOW, "-Dfiligree.library=" + text))
        .contains("MISSING  Native core")
        .contains(text.toString())
        .contains("cannot be loaded");
  }

  @Test
  void missingPermissionIsNamedWithTheFlagThatGivesIt() throws IOException, InterruptedException {
    assertThat(doctor("--enable-native-access=java.base", "-Dempty=")).contains(ALLOW);
  }

  private String doctor(String... options) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("--illegal-native-access=deny");
    command.addAll(List.of(options));
    command.add("-cp");
    command.add(
        System.getProperty("jdk.module.path", "")
            + File.pathSeparator
            + System.getProperty("java.class.path"));
    command.add("dev.filigree.cli.Main");
    command.add("doctor");
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(output).isEqualTo(ExitCodes.UNAVAILABLE);
    return output;
  }
}
