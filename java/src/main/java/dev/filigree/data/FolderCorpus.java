// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitOption;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.regex.Pattern;

/**
 * The {@code .py} files below one or more folders, sorted by their path within the folder.
 *
 * <p>Links are followed, and one that leads back to a folder above it is counted as unreadable.
 * Hidden folders and {@code __pycache__} are not entered, nor are folders with one of the excluded
 * names. A file whose text was seen before is left out.
 */
public final class FolderCorpus implements Corpus {
  private static final Pattern NAME = Pattern.compile("[a-z0-9_-]+");

  private final String name;
  private final List<Path> folders;
  private final Set<String> excludedFolders;

  /** A corpus of all files below the folders. */
  public FolderCorpus(String name, List<Path> folders) {
    this(name, folders, Set.of());
  }

  /**
   * A corpus of the files below the folders.
   *
   * @param excludedFolders names of folders that are not entered, at any depth
   */
  public FolderCorpus(String name, List<Path> folders, Set<String> excludedFolders) {
    if (!NAME.matcher(name).matches()) {
      throw new IllegalArgumentException(
          "corpus name '%s' may hold lower-case letters, digits, _ and - only".formatted(name));
    }
    if (folders.isEmpty()) {
      throw new IllegalArgumentException("a folder corpus needs at least one folder");
    }
    this.name = name;
    this.folders = List.copyOf(folders);
    this.excludedFolders = Set.copyOf(excludedFolders);
  }

  @Override
  public String name() {
    return name;
  }

  /** Folders in the order they are read. */
  public List<Path> folders() {
    return folders;
  }

  @Override
  public CorpusReport read(long byteBudget, Consumer<Document> sink) {
    Reading reading = new Reading(byteBudget, sink);
    for (Path folder : folders) {
      for (Map.Entry<String, Path> file : pythonFiles(folder, reading).entrySet()) {
        if (!reading.take(file.getKey(), file.getValue())) {
          return reading.report();
        }
      }
    }
    CorpusReport report = reading.report();
    if (report.documents() == 0) {
      throw new DataException(
          "no usable .py file in %s (skipped: %s)"
              .formatted(
                  folders.size() == 1 ? folders.getFirst() : folders, report.describeSkipped()));
    }
    return report;
  }

  private Map<String, Path> pythonFiles(Path folder, Reading reading) {
    if (!Files.isDirectory(folder)) {
      throw new DataException(
          "corpus folder %s %s"
              .formatted(folder, Files.exists(folder) ? "is not a folder" : "does not exist"));
    }
    Map<String, Path> found = new TreeMap<>();
    try {
      Files.walkFileTree(
          folder,
          EnumSet.of(FileVisitOption.FOLLOW_LINKS),
          Integer.MAX_VALUE,
          new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult preVisitDirectory(Path dir, BasicFileAttributes attributes) {
              return dir.equals(folder) || isEntered(dir.getFileName().toString())
                  ? FileVisitResult.CONTINUE
                  : FileVisitResult.SKIP_SUBTREE;
            }

            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
              boolean isPython = file.getFileName().toString().endsWith(".py");
              if (isPython && attributes.isRegularFile()) {
                found.put(folder.relativize(file).toString().replace('\\', '/'), file);
              } else if (isPython && attributes.isSymbolicLink()) {
                reading.skip(
                    SkipReason.UNREADABLE); // leads nowhere, or it would have been followed
              }
              return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFileFailed(Path file, IOException failure) {
              reading.skip(SkipReason.UNREADABLE);
              return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path dir, IOException failure) {
              if (failure != null) {
                reading.skip(SkipReason.UNREADABLE);
              }
              return FileVisitResult.CONTINUE;
            }
          });
    } catch (IOException e) {
      throw new DataException("cannot list " + folder + ": " + e.getMessage(), e);
    }
    return found;
  }

  private boolean isEntered(String folderName) {
    return !folderName.startsWith(".")
        && !folderName.equals("__pycache__")
        && !excludedFolders.contains(folderName);
  }

  /** One pass over the files. */
  private static final class Reading {
    private final long byteBudget;
    private final Consumer<Document> sink;
    private final Set<String> seen = new HashSet<>();
    private final Map<SkipReason, Long> skipped = new EnumMap<>(SkipReason.class);
    private long documents;
    private long bytes;

    Reading(long byteBudget, Consumer<Document> sink) {
      this.byteBudget = byteBudget;
      this.sink = sink;
    }

    void skip(SkipReason reason) {
      skipped.merge(reason, 1L, Long::sum);
    }

    /** Hand a file on or count why not; false when the budget is used up. */
    boolean take(String documentName, Path file) {
      String text;
      try {
        text = PythonSource.decode(Files.readAllBytes(file));
      } catch (IOException e) {
        skip(SkipReason.UNREADABLE);
        return true;
      } catch (PythonSource.UnusableException e) {
        skip(e.reason());
        return true;
      }
      byte[] encoded = text.getBytes(StandardCharsets.UTF_8);
      if (!seen.add(Hashes.hex(encoded))) {
        skip(SkipReason.DUPLICATE);
        return true;
      }
      if (documents > 0 && encoded.length > byteBudget - bytes) {
        return false;
      }
      documents++;
      bytes += encoded.length;
      sink.accept(new Document(documentName, text));
      return true;
    }

    CorpusReport report() {
      return new CorpusReport(documents, bytes, skipped);
    }
  }
}
