// SPDX-License-Identifier: Apache-2.0
package dev.filigree.nativelib;

import dev.filigree.ffi.Filigree;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.CodeSource;
import java.util.ArrayList;
import java.util.List;

/**
 * The one place that finds and loads the native core.
 *
 * <p>Looked at, first match wins: the system property {@value #PROPERTY}, the environment variable
 * {@value #VARIABLE}, then {@value #DEV_PATH} in the working directory, in the folder of this
 * class, and in every folder above either. The interface number is compared before any other call
 * is made. A library stays loaded until the JVM ends.
 */
public final class NativeLibrary {
  /** System property that names the library file. */
  public static final String PROPERTY = "filigree.library";

  /** Environment variable that names the library file. */
  public static final String VARIABLE = "FILIGREE_LIBRARY";

  /** Where a build of the source tree leaves the library. */
  public static final String DEV_PATH = "build/native/lib/libfiligree.so";

  private static NativeLibrary loaded;

  private final Path path;

  private NativeLibrary(Path path) {
    this.path = path;
  }

  /**
   * Load the library, or return the one that is loaded.
   *
   * @throws NativeLibraryException when there is none, it cannot be loaded, or it is of another
   *     version
   */
  public static synchronized NativeLibrary load() {
    if (loaded == null) {
      NativeLibrary library = new NativeLibrary(find());
      library.link();
      loaded = library;
    }
    return loaded;
  }

  /**
   * Return the absolute path of the library that {@link #load()} takes, without loading it.
   *
   * @throws NativeLibraryException when there is none
   */
  public static Path find() {
    List<String> tried = new ArrayList<>();
    String property = System.getProperty(PROPERTY);
    if (property != null && !property.isEmpty()) {
      return named(property, "the system property " + PROPERTY);
    }
    tried.add("system property " + PROPERTY + ": not set");
    String variable = System.getenv(VARIABLE);
    if (variable != null && !variable.isEmpty()) {
      return named(variable, "the environment variable " + VARIABLE);
    }
    tried.add("environment variable " + VARIABLE + ": not set");
    for (Path start : starts()) {
      for (Path folder = start; folder != null; folder = folder.getParent()) {
        Path candidate = folder.resolve(DEV_PATH);
        if (Files.isRegularFile(candidate)) {
          return candidate;
        }
        tried.add(candidate.toString());
      }
    }
    throw new NativeLibraryException(
        "the native core was not found. Build it (./filigree doctor says what is missing for that),"
            + " or name it with -D"
            + PROPERTY
            + "=FILE or "
            + VARIABLE
            + "=FILE. Looked at:\n  "
            + String.join("\n  ", tried.stream().distinct().toList()),
        null);
  }

  /** Return the file that was loaded. */
  public Path path() {
    return path;
  }

  /** Return the facts of the build that the library reports, JSON text. */
  public String buildInfo() {
    return Status.text(Filigree.fg_build_info());
  }

  /** Copy the bytes of an {@code fg_buffer} as text and free it. */
  public static String takeText(MemorySegment buffer) {
    try (NativeHandle handle = new NativeHandle("buffer", buffer, Filigree::fg_buffer_destroy)) {
      MemorySegment bytes = bytes(handle);
      return new String(bytes.toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
    }
  }

  /** View the bytes of a buffer, with their exact size; valid until the handle is closed. */
  public static MemorySegment bytes(NativeHandle buffer) {
    long size = Filigree.fg_buffer_size(buffer.segment());
    return Filigree.fg_buffer_data(buffer.segment()).reinterpret(size).asReadOnly();
  }

  private static Path named(String file, String by) {
    Path path = Path.of(file).toAbsolutePath().normalize();
    if (!Files.isRegularFile(path)) {
      throw new NativeLibraryException(
          "the native core was not found: " + by + " names " + path + ", and there is no such file",
          null);
    }
    return path;
  }

  private static List<Path> starts() {
    List<Path> starts = new ArrayList<>();
    starts.add(Path.of("").toAbsolutePath());
    CodeSource source = NativeLibrary.class.getProtectionDomain().getCodeSource();
    if (source != null
        && source.getLocation() != null
        && source.getLocation().getProtocol().equals("file")) {
      try {
        Path location = Path.of(source.getLocation().toURI()).getParent();
        if (location != null) {
          starts.add(location);
        }
      } catch (URISyntaxException _) {
        // A class location that is no path cannot lead to a build folder.
      }
    }
    return starts;
  }

  private void link() {
    try {
      System.load(path.toString());
      int abi = Filigree.fg_abi_version();
      if (abi != Filigree.FG_ABI_VERSION()) {
        throw new NativeLibraryException(
            "the native core "
                + path
                + " has interface number "
                + abi
                + ", these Java classes need "
                + Filigree.FG_ABI_VERSION()
                + ". Build both from the same source: delete build/native and"
                + " target folders, then run mvn -DskipTests package",
            null);
      }
    } catch (IllegalCallerException e) {
      Module module = NativeLibrary.class.getModule();
      String name = module.isNamed() ? module.getName() : "ALL-UNNAMED";
      throw new NativeLibraryException(
          "this JVM does not let "
              + (module.isNamed() ? "module " + name : "the class path")
              + " call native code. Start it with --enable-native-access="
              + name,
          e);
    } catch (UnsatisfiedLinkError e) {
      throw new NativeLibraryException(
          "the native core "
              + path
              + " cannot be loaded: "
              + e.getMessage()
              + "\n"
              + "If it names a libtorch or libc10 file, LibTorch has moved or changed since the"
              + " build: delete build/native and build again",
          e);
    }
  }
}
