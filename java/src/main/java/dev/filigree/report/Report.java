// SPDX-License-Identifier: Apache-2.0
package dev.filigree.report;

import dev.filigree.data.AtomicFile;
import dev.filigree.data.DataException;
import dev.filigree.experiment.Quickstart;
import dev.filigree.experiment.QuickstartResult;
import dev.filigree.experiment.RunException;
import dev.filigree.experiment.RunFolder;
import dev.filigree.json.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * A page about one run, or about a sparse and a dense one side by side. It is one HTML file that
 * needs nothing else: scripts and styles are in it, and opening it asks no network for anything.
 */
public final class Report {
  /** Name of the page in its folder. */
  public static final String FILE = "report.html";

  private final Path folder;
  private final Page page;

  private Report(Path folder, Page page) {
    this.folder = folder;
    this.page = page;
  }

  /**
   * Read a run folder, or a folder that holds the runs {@code sparse} and {@code dense}.
   *
   * @throws RunException when it is neither
   * @throws DataException when a file in it cannot be used, naming the file
   */
  public static Report of(Path folder) {
    Map<String, RunFolder> runs = new LinkedHashMap<>();
    for (String label : Quickstart.MODELS) {
      if (isRun(folder.resolve(label))) {
        runs.put(label, RunFolder.open(folder.resolve(label)));
      }
    }
    if (isRun(folder) || runs.isEmpty()) {
      RunFolder run = RunFolder.open(folder);
      runs = Map.of(run.name(), run);
    }
    return new Report(folder, Page.of(name(folder), runs, result(folder)));
  }

  /**
   * Read the folder below another one that was written to last.
   *
   * @throws RunException when there is none
   */
  public static Report newest(Path runs) {
    Optional<Path> newest = Optional.empty();
    if (Files.isDirectory(runs)) {
      try (Stream<Path> folders = Files.list(runs)) {
        newest =
            folders
                .filter(folder -> lastWritten(folder) > 0)
                .max(Comparator.comparing(Report::lastWritten));
      } catch (IOException e) {
        throw new DataException("cannot read " + runs + ": " + e.getMessage(), e);
      }
    }
    // Without any, opening the newest run says what is missing.
    return of(newest.orElseGet(() -> RunFolder.newest(runs).path()));
  }

  /** Folder it was made from. */
  public Path folder() {
    return folder;
  }

  /** Names of the tasks it shows, in order. */
  public List<String> tasks() {
    return page.tasks().stream().map(Page.TaskPart::task).toList();
  }

  /** Return the page. */
  public String html() {
    return Template.REPORT.fill(Json.tree(page));
  }

  /** Write the page: it appears complete or not at all. */
  public void write(Path file) {
    try {
      AtomicFile.write(file, html().getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new DataException("cannot write " + file + ": " + e.getMessage(), e);
    }
  }

  private static QuickstartResult result(Path folder) {
    Path file = folder.resolve(Quickstart.FILE);
    if (!Files.exists(file)) {
      return null;
    }
    try {
      return Json.read(Files.readString(file), QuickstartResult.class);
    } catch (IOException | IllegalArgumentException e) {
      throw new DataException("cannot read " + file + ": " + e.getMessage(), e);
    }
  }

  private static boolean isRun(Path folder) {
    return RunFolder.exists(folder);
  }

  private static String name(Path folder) {
    return folder.toAbsolutePath().normalize().getFileName().toString();
  }

  /** Time of the last change to a folder that can be reported on; 0 for any other. */
  private static long lastWritten(Path folder) {
    return Stream.of("", "sparse", "dense")
        .map(folder::resolve)
        .filter(Report::isRun)
        .flatMap(run -> Stream.of(run.resolve("run.json"), run.resolve("metrics.jsonl")))
        .mapToLong(file -> file.toFile().lastModified())
        .max()
        .orElse(0);
  }
}
