// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Looks for what Filigree needs on this machine.
 *
 * <p>The launcher also runs this one file with {@code java Doctor.java} when nothing is built yet.
 * So it uses the JDK alone, nothing newer than Java 17, and no other class of Filigree.
 */
public final class Doctor {
  private static final int JAVA = 25;
  private static final long SECONDS = 60;

  private Doctor() {}

  /**
   * One finding.
   *
   * @param name what was looked for
   * @param ok whether it is there and fits
   * @param required whether Filigree cannot do without
   * @param found what was found, or that nothing was
   * @param fix what to do; empty when ok
   */
  public record Check(String name, boolean ok, boolean required, String found, String fix) {}

  /** Look at everything that can be looked at without the native core. */
  public static List<Check> checks() {
    List<Check> checks = new ArrayList<>();
    checks.add(jdk());
    checks.add(
        tool(
            "Maven",
            List.of("mvn", "-v"),
            "Apache Maven ([0-9.]+)",
            "3.8.1",
            "apt-get install maven"));
    checks.add(
        tool(
            "CMake",
            List.of("cmake", "--version"),
            "cmake version ([0-9.]+)",
            "3.25",
            "apt-get install cmake, or python3 -m pip install cmake"));
    checks.add(
        tool(
            "Ninja",
            List.of("ninja", "--version"),
            "([0-9.]+)",
            "1.10",
            "apt-get install ninja-build"));
    String compiler = compiler();
    checks.add(compilerCheck(compiler));
    checks.add(
        tool(
            "Python",
            List.of("python3", "--version"),
            "Python ([0-9.]+)",
            "3.9",
            "apt-get install python3"));
    checks.add(
        tool(
            "pip",
            List.of("python3", "-m", "pip", "--version"),
            "pip ([0-9.]+)",
            "20",
            "apt-get install python3-pip"));
    checks.add(header(compiler, "GoogleTest", "gtest/gtest.h", "apt-get install libgtest-dev"));
    checks.add(
        header(compiler, "JSON header", "nlohmann/json.hpp", "apt-get install nlohmann-json3-dev"));
    checks.add(libtorch());
    checks.add(device());
    return checks;
  }

  private static Check jdk() {
    int running = Runtime.version().feature();
    if (running >= JAVA) {
      return new Check(
          "JDK", true, true, Runtime.version() + " in " + System.getProperty("java.home"), "");
    }
    Optional<Path> other = jdkFolders().filter(Doctor::isNewEnough).findFirst();
    return other
        .map(home -> new Check("JDK", true, true, "JDK " + release(home) + " in " + home, ""))
        .orElseGet(
            () ->
                new Check(
                    "JDK",
                    false,
                    true,
                    "only Java " + Runtime.version(),
                    "install a JDK "
                        + JAVA
                        + " or newer (Eclipse Temurin, for example), in /usr/lib/jvm or with"
                        + " JAVA_HOME set to it; the JDK that runs Maven may stay"));
  }

  private static Stream<Path> jdkFolders() {
    List<Path> folders = new ArrayList<>();
    String home = System.getenv("JAVA_HOME");
    if (home != null && !home.isEmpty()) {
      folders.add(Path.of(home));
    }
    String user = System.getenv().getOrDefault("HOME", "");
    for (String place :
        List.of("/usr/lib/jvm", user + "/.sdkman/candidates/java", user + "/.jdks")) {
      if (Files.isDirectory(Path.of(place))) {
        try (Stream<Path> entries = Files.list(Path.of(place))) {
          folders.addAll(entries.sorted().collect(Collectors.toList()));
        } catch (IOException e) {
          continue; // A folder that cannot be listed holds no JDK for us.
        }
      }
    }
    return folders.stream();
  }

  private static boolean isNewEnough(Path home) {
    Matcher feature = Pattern.compile("^(\\d+)").matcher(release(home));
    return Files.isExecutable(home.resolve("bin/javac"))
        && feature.find()
        && Integer.parseInt(feature.group(1)) >= JAVA;
  }

  /** Version of a JDK, from the file beside it; empty when that says none. */
  private static String release(Path home) {
    try {
      Matcher version =
          Pattern.compile("JAVA_VERSION=\"([^\"]+)\"")
              .matcher(Files.readString(home.resolve("release")));
      return version.find() ? version.group(1) : "";
    } catch (IOException e) {
      return "";
    }
  }

  private static String compiler() {
    String named = System.getenv("CXX");
    return named == null || named.isEmpty() ? "c++" : named;
  }

  private static Check compilerCheck(String compiler) {
    Optional<String> works =
        run(
            List.of(compiler, "-std=c++20", "-fsyntax-only", "-x", "c++", "-"),
            "#include <concepts>\n#include <span>\nstatic_assert(std::integral<int>);\n");
    String version =
        run(List.of(compiler, "--version"), "").map(Doctor::firstLine).orElse("not found");
    return works.isPresent()
        ? new Check("C++20 compiler", true, true, version, "")
        : new Check(
            "C++20 compiler",
            false,
            true,
            version,
            "apt-get install g++ (12 or newer), or set CXX to a compiler that knows C++20");
  }

  private static Check header(String compiler, String name, String header, String fix) {
    boolean found =
        run(List.of(compiler, "-E", "-x", "c++", "-"), "#include <" + header + ">\n").isPresent();
    return new Check(name, found, true, found ? header : "no " + header, found ? "" : fix);
  }

  private static Check tool(
      String name, List<String> command, String pattern, String least, String fix) {
    Optional<String> output = run(command, "");
    if (output.isEmpty()) {
      return new Check(name, false, true, "not found", fix);
    }
    Matcher version = Pattern.compile(pattern).matcher(output.get());
    String found = version.find() ? version.group(1) : "of unknown version";
    return isAtLeast(found, least)
        ? new Check(name, true, true, found, "")
        : new Check(
            name, false, true, found + ", too old", "install " + least + " or newer: " + fix);
  }

  private static boolean isAtLeast(String found, String least) {
    String[] a = found.split("\\.");
    String[] b = least.split("\\.");
    for (int i = 0; i < b.length; i++) {
      int x = i < a.length && a[i].matches("\\d+") ? Integer.parseInt(a[i]) : 0;
      int y = Integer.parseInt(b[i]);
      if (x != y) {
        return x > y;
      }
    }
    return true;
  }

  /** In the order of native/cmake/libtorch.cmake. */
  private static Check libtorch() {
    String named = System.getenv("FILIGREE_LIBTORCH");
    if (named != null && !named.isEmpty()) {
      return libtorchIn(Path.of(named), "named by FILIGREE_LIBTORCH")
          .orElse(
              new Check(
                  "LibTorch",
                  false,
                  true,
                  "FILIGREE_LIBTORCH is " + named + ", and there is none",
                  "name a folder with include/ and lib/libtorch_cpu.so, or unset it to have one"
                      + " fetched"));
    }
    Optional<Check> python =
        run(
                List.of(
                    "python3",
                    "-c",
                    "import importlib.util as u; s = u.find_spec('torch');"
                        + " print(list(s.submodule_search_locations)[0] if s else '')"),
                "")
            .map(Doctor::firstLine)
            .filter(folder -> !folder.isEmpty())
            .flatMap(folder -> libtorchIn(Path.of(folder), "torch of python3"));
    if (python.isPresent() && python.get().ok()) {
      return python.get();
    }
    String cache = System.getenv("XDG_CACHE_HOME");
    Path root =
        cache == null || cache.isEmpty()
            ? Path.of(System.getenv().getOrDefault("HOME", ""), ".cache", "filigree")
            : Path.of(cache, "filigree");
    if (Files.isDirectory(root)) {
      try (Stream<Path> entries = Files.list(root)) {
        Optional<Check> fetched =
            entries
                .sorted()
                .map(folder -> libtorchIn(folder.resolve("torch"), "fetched"))
                .flatMap(Optional::stream)
                .filter(Check::ok)
                .findFirst();
        if (fetched.isPresent()) {
          return fetched.get();
        }
      } catch (IOException e) {
        // As good as not fetched yet.
      }
    }
    return new Check(
        "LibTorch",
        true,
        true,
        "none yet; the build fetches it with pip into " + root + " (0.2 GB or more)",
        "");
  }

  private static Optional<Check> libtorchIn(Path folder, String from) {
    if (!Files.isRegularFile(folder.resolve("lib/libtorch_cpu.so"))) {
      return Optional.empty();
    }
    StringBuilder version = new StringBuilder();
    try {
      String header = Files.readString(folder.resolve("include/torch/headeronly/version.h"));
      for (String part : List.of("MAJOR", "MINOR", "PATCH")) {
        Matcher number =
            Pattern.compile("define TORCH_VERSION_" + part + " (\\d+)").matcher(header);
        if (number.find()) {
          version.append(version.length() == 0 ? "" : ".").append(number.group(1));
        }
      }
    } catch (IOException e) {
      version.append("of unknown version");
    }
    boolean fits = version.toString().matches("2\\.1[123](\\..*)?");
    String build =
        Files.isRegularFile(folder.resolve("lib/libtorch_cuda.so")) ? "CUDA build" : "CPU build";
    return Optional.of(
        new Check(
            "LibTorch",
            fits,
            true,
            version + ", " + build + ", " + from + ", in " + folder,
            fits
                ? ""
                : "Filigree needs 2.11 to 2.13: set FILIGREE_LIBTORCH to one, or leave it out and"
                    + " 2.13.0 is fetched"));
  }

  private static Check device() {
    String cores = Runtime.getRuntime().availableProcessors() + " CPU cores";
    return run(List.of("nvidia-smi", "-L"), "")
        .map(text -> new Check("Device", true, false, cores + "; " + firstLine(text), ""))
        .orElse(new Check("Device", true, false, cores + "; no CUDA device", ""));
  }

  /** Output of a command that ended well; empty when it did not, or is not there. */
  private static Optional<String> run(List<String> command, String input) {
    try {
      Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
      try (OutputStream in = process.getOutputStream()) {
        in.write(input.getBytes(StandardCharsets.UTF_8));
      } catch (IOException e) {
        // It did not want any input.
      }
      String output;
      try (InputStream out = process.getInputStream()) {
        output = new String(out.readAllBytes(), StandardCharsets.UTF_8);
      }
      return process.waitFor(SECONDS, TimeUnit.SECONDS) && process.exitValue() == 0
          ? Optional.of(output)
          : Optional.empty();
    } catch (IOException e) {
      return Optional.empty();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return Optional.empty();
    }
  }

  private static String firstLine(String text) {
    return text.strip().lines().findFirst().orElse("");
  }

  /** Whether nothing that is required is missing. */
  public static boolean isHealthy(List<Check> checks) {
    return checks.stream().allMatch(check -> check.ok() || !check.required());
  }

  /** Lay findings out as text. */
  public static String text(List<Check> checks) {
    StringBuilder text = new StringBuilder();
    for (Check check : checks) {
      text.append(
          String.format(
              "%-8s %-16s %s%n",
              check.ok() ? "ok" : check.required() ? "MISSING" : "note",
              check.name(),
              check.found()));
      if (!check.fix().isEmpty()) {
        text.append(String.format("%-8s %-16s fix: %s%n", "", "", check.fix()));
      }
    }
    return text.toString();
  }

  /** Lay findings out as one JSON value. */
  public static String json(List<Check> checks) {
    return checks.stream()
        .map(
            check ->
                String.format(
                    "{\"name\":%s,\"ok\":%s,\"required\":%s,\"found\":%s,\"fix\":%s}",
                    quote(check.name()),
                    check.ok(),
                    check.required(),
                    quote(check.found()),
                    quote(check.fix())))
        .collect(
            Collectors.joining(",", "{\"healthy\":" + isHealthy(checks) + ",\"checks\":[", "]}"));
  }

  private static String quote(String text) {
    StringBuilder quoted = new StringBuilder("\"");
    for (char c : text.toCharArray()) {
      if (c == '"' || c == '\\') {
        quoted.append('\\').append(c);
      } else if (c < ' ') {
        quoted.append(String.format("\\u%04x", (int) c));
      } else {
        quoted.append(c);
      }
    }
    return quoted.append('"').toString();
  }

  /** Look without the native core; {@code --json} for machines. */
  public static void main(String[] args) {
    List<Check> checks = new ArrayList<>(checks());
    checks.add(
        new Check(
            "Native core",
            true,
            false,
            "not built yet; the first ./filigree train builds it, and so does mvn package",
            ""));
    System.out.print(List.of(args).contains("--json") ? json(checks) + "\n" : text(checks));
    System.exit(isHealthy(checks) ? 0 : 6);
  }
}
