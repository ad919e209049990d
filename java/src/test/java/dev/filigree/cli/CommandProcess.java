// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import java.io.File;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The command line in a process of its own, on the class path of the tests. */
final class CommandProcess {
  /** The option that lets the command line call the native core. */
  static final String ALLOW = "--enable-native-access=ALL-UNNAMED";

  private CommandProcess() {}

  /** Return the words that start it. */
  static List<String> words(List<String> javaOptions, String... arguments) {
    List<String> words = new ArrayList<>();
    words.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    words.add("--illegal-native-access=deny");
    words.addAll(javaOptions);
    words.add("-cp");
    words.add(
        System.getProperty("jdk.module.path", "")
            + File.pathSeparator
            + System.getProperty("java.class.path"));
    words.add("dev.filigree.cli.Main");
    words.addAll(List.of(arguments));
    return words;
  }
}
